//! What stores do, as spans for OpenTelemetry: each operation is a span inside of the request that asked for it.
//!
//! ```text
//! cargo run -p store-examples --bin opentelemetry [CONFIG] [ENVIRONMENT]
//! ```
//!
//! The spans are printed, so that they can be looked at without a collector. A service gives `with_batch_exporter` the exporter of
//! the crate `opentelemetry-otlp` instead; nothing else changes.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use store::telemetry::Spans;
use store::{ConfigFile, Expiry, Handle, Registry, Result};
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

/// A collector that prints: trace, parent, span; name, status, attributes.
#[derive(Debug)]
struct Printer;

impl SpanExporter for Printer {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        for span in spans {
            let context = &span.span_context;
            let status = if matches!(span.status, Status::Error { .. }) { "ERROR" } else { "-" };
            let mut line =
                format!("{} {} {} {} {status}", context.trace_id(), span.parent_span_id, context.span_id(), span.name);
            for attribute in &span.attributes {
                // Writing to a string does not fail.
                let _ = write!(line, " {}={}", attribute.key, attribute.value);
            }
            println!("{line}");
        }
        Ok(())
    }
}

/// As a service handles a request: whatever it does meanwhile belongs to the request's span.
async fn request(store: &Handle) -> Result<()> {
    store.set("user:alice@example.com", "Alice", Duration::from_secs(60)).await?;
    store.get::<String>("user:alice@example.com").await?;
    store.get::<String>("user:bob@example.com").await?;
    let mistake = store.increment("user:alice@example.com", 1).await;
    assert!(mistake.is_err(), "what is no number cannot be counted up");
    Ok(())
}

async fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let config = arguments.next().unwrap_or_else(|| "examples/service.toml".to_owned());
    let file = ConfigFile::new(config, arguments.next().as_deref());
    // Spans of operations have no keys, unless `Spans::with_keys` asks for them.
    let registry = Registry::builder(file.config()?).observer(Spans::new()).build();
    let sessions = registry.get("app:sessions").await?;
    let answered = request(&sessions).instrument(tracing::info_span!("request", http.route = "/me")).await;
    // Outside of a request: a trace of its own.
    sessions.set("greeting", "hello", Expiry::Default).await?;
    registry.close().await?;
    answered
}

#[tokio::main]
async fn main() -> ExitCode {
    let provider = SdkTracerProvider::builder().with_batch_exporter(Printer).build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("example"))
        // What we do not need: source lines, threads, times of being busy and idle.
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    let subscriber = tracing_subscriber::registry().with(spans);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        return ExitCode::FAILURE;
    }
    let ran = run().await;
    // What is still on its way to the collector is sent now.
    let sent = provider.shutdown();
    for failure in [ran.map_err(|error| error.to_string()), sent.map_err(|error| error.to_string())] {
        if let Err(why) = failure {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
