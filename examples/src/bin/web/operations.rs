//! What those who run the service ask of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use store::observe::{Meter, prometheus};
use store::{ConfigFile, Registry};
use tokio::signal::unix::{SignalKind, signal};

/// How long a store may take to say that it can serve. Less than who asks for our health waits.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn routes(registry: Registry, meter: Meter) -> Router {
    Router::new()
        .route("/health", get(health))
        .with_state(registry.clone())
        .route("/metrics", get(metrics))
        .with_state((registry, meter))
}

/// What a load balancer and a person on call ask: 200, or 503 with the reason of each store.
async fn health(State(registry): State<Registry>) -> (StatusCode, Json<BTreeMap<String, String>>) {
    let health = registry.health(PATIENCE).await;
    let said = health.stores.iter().map(|store| {
        let said = match &store.error {
            None => "ok".to_owned(),
            // Errors of a store hold no secrets.
            Some(error) => format!("{}: {}", error.kind(), error.message()),
        };
        (store.id.to_string(), said)
    });
    let status = if health.is_healthy() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(said.collect()))
}

/// What Prometheus scrapes, and `store top --url` shows.
async fn metrics(State((registry, meter)): State<(Registry, Meter)>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], prometheus(&registry, &meter))
}

/// Loads the configuration anew whenever a SIGHUP asks for it, for ever.
pub(crate) fn reload_on_hangup(
    registry: Registry,
    file: ConfigFile,
) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match file.reload(&registry).await {
                Ok(reloaded) => println!("configuration loaded: {reloaded}"),
                // All mistakes, a line each. What held before holds on.
                Err(error) => eprintln!("configuration refused: {error}"),
            }
        }
    })
}
