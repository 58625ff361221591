//! What the service does.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use store::{Expiry, Handle, IncrementOptions, Loaded, Result, Ttl};
use tower_sessions::Session;

use crate::answer::{Answer, Refused};

/// How often one address may try to sign in, in each window.
const ATTEMPTS: i64 = 5;
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) sessions: Handle,
    pub(crate) cache: Handle,
}

#[derive(Deserialize)]
pub(crate) struct Login {
    user: String,
}

#[derive(Serialize)]
pub(crate) struct Me {
    user: String,
    visits: u32,
}

pub(crate) async fn login(
    State(stores): State<Stores>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    session: Session,
    Json(login): Json<Login>,
) -> Answer<StatusCode> {
    limit(&stores.cache, address.ip()).await?;
    // Here a service checks the password. Then the session gets another id: one that was planted before is worth nothing.
    session.cycle_id().await?;
    session.insert("user", login.user).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn logout(session: Session) -> Answer<StatusCode> {
    session.flush().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Each visit changes the session, so each prolongs it. Requests of one session at the same time overwrite each other, as always
/// with tower-sessions: what must be exact belongs under a key of its own, with `increment` or `put` with a version.
pub(crate) async fn me(session: Session) -> Answer<Json<Me>> {
    let Some(user) = session.get("user").await? else { return Err(Refused::Unauthorized) };
    let visits = session.get("visits").await?.unwrap_or(0u32).saturating_add(1);
    session.insert("visits", visits).await?;
    Ok(Json(Me { user, visits }))
}

/// The first attempt of a window starts it. A store that fails refuses: nobody guesses passwords while it is down.
async fn limit(cache: &Handle, who: IpAddr) -> Answer<()> {
    let key = format!("login:{who}");
    let attempts = cache.increment_with(&key, &IncrementOptions::by(1).expiry(WINDOW)).await?;
    if attempts <= ATTEMPTS {
        return Ok(());
    }
    let again = match cache.ttl(&key).await? {
        Some(Ttl::Left(left)) => left,
        _ => Duration::ZERO,
    };
    Err(Refused::TooMany(again))
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    year: u32,
    days: u32,
}

/// Computed once, however many ask at the same time, and kept as long as the configuration says; so long, browsers may keep it too.
pub(crate) async fn report(State(stores): State<Stores>, Path(year): Path<u32>) -> Answer<impl IntoResponse> {
    let key = format!("report:{year}");
    let report = stores.cache.get_or_set(&key, Expiry::Default, || compute(year)).await?.ok_or(Refused::NotFound)?;
    let left = match stores.cache.ttl(&key).await? {
        Some(Ttl::Left(left)) => left.as_secs(),
        _ => 0,
    };
    Ok(([(CACHE_CONTROL, format!("max-age={left}"))], Json(report)))
}

async fn compute(year: u32) -> Result<Loaded<Report>> {
    println!("computing the report of {year}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    Ok(Loaded::value(Report { year, days: if leap { 366 } else { 365 } }))
}
