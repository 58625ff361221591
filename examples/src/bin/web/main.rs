//! A web service on axum: sessions, a rate limit, a cached page, health, metrics, a configuration that is loaded anew, and an end
//! without loss.
//!
//! ```text
//! cargo run -p store-examples --bin web                      # in memory
//! STORE_ENV=edge cargo run -p store-examples --bin web       # on disk: users stay signed in when it is started again
//! STORE_ENV=production REDIS_URL=redis://127.0.0.1 cargo run -p store-examples --bin web
//!
//! curl -c jar -H 'content-type: application/json' -d '{"user": "alice"}' http://127.0.0.1:8080/login
//! curl -b jar http://127.0.0.1:8080/me
//! curl http://127.0.0.1:8080/health
//! store top --url http://127.0.0.1:8080/metrics
//! pkill -HUP web                                             # after a change of the configuration
//! ```
//!
//! Another configuration file is its argument, another address the variable LISTEN.

mod answer;
mod operations;
mod pages;

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use store::observe::Meter;
use store::sessions::Sessions;
use store::{ConfigFile, Registry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_sessions::cookie::time;
use tower_sessions::{Expiry, SessionManagerLayer};

/// How long requests in flight may take once the service is told to end.
const GRACE: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // All mistakes of a configuration come in one error, a line each.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "examples/web.toml".to_owned());
    let environment = std::env::var("STORE_ENV").ok();
    let file = ConfigFile::new(path, environment.as_deref());
    let meter = Meter::new();
    let registry = Registry::builder(file.config()?).observer(meter.clone()).build();
    let served = serve(&registry, meter, file).await;
    // Also when something failed: what was acknowledged is on the device when this is done.
    registry.close().await?;
    served
}

async fn serve(registry: &Registry, meter: Meter, file: ConfigFile) -> Result<(), Failure> {
    // Handles are for all requests: cheap to clone, safe to share.
    let stores =
        pages::Stores { sessions: registry.get("app:sessions").await?, cache: registry.get("app:cache").await? };
    let sessions = SessionManagerLayer::new(Sessions::new(stores.sessions.clone()))
        .with_expiry(Expiry::OnInactivity(time::Duration::minutes(30)));
    let router = Router::new()
        .route("/login", post(pages::login))
        .route("/logout", post(pages::logout))
        .route("/me", get(pages::me))
        .layer(sessions)
        // Without sessions from here on.
        .route("/report/{year}", get(pages::report))
        .with_state(stores)
        // For those who run it. Where the world can reach the service, these belong on a port of their own.
        .merge(operations::routes(registry.clone(), meter));

    let reloading = operations::reload_on_hangup(registry.clone(), file)?;
    let (ended, late) = (told_to_end()?, told_to_end()?);
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    // No new connections once it is told to end; requests in flight are answered.
    let serving = axum::serve(listener, service).with_graceful_shutdown(ended);
    tokio::select! {
        served = serving.into_future() => served?,
        () = reloading => {}
        () = async { late.await; tokio::time::sleep(GRACE).await } => eprintln!("some requests took longer than {GRACE:?}"),
    }
    Ok(())
}

/// Ends when a supervisor, or Ctrl-C, asks for it.
fn told_to_end() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
