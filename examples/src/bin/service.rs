//! A web service in miniature: sessions, a rate limit, a cached computation; typed through serde.
//!
//! ```text
//! cargo run -p store-examples --bin service [CONFIG] [ENVIRONMENT]
//! ```

use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{Expiry, Handle, IncrementOptions, LoadOptions, Loaded, PutOptions, Registry, Result};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    user: String,
    role: Role,
    visits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Role {
    Guest,
    Admin,
}

/// What a request handler holds. Handles are cheap to clone, and safe to share between tasks.
struct Service {
    sessions: Handle,
    cache: Handle,
}

impl Service {
    async fn new(registry: &Registry) -> Result<Service> {
        Ok(Service { sessions: registry.get("app:sessions").await?, cache: registry.get("app:cache").await? })
    }

    /// A new session, under an id that no other live session has. Lives as long as the configuration says.
    async fn sign_in(&self, id: &str, user: &str, role: Role) -> Result<()> {
        let session = Session { user: user.to_owned(), role, visits: 0 };
        self.sessions.put(session_key(id), &session, &PutOptions::new().only_if_absent()).await?;
        Ok(())
    }

    /// The session of a request, which a visit prolongs. Retried if another request changed it meanwhile.
    async fn visit(&self, id: &str) -> Result<Option<Session>> {
        loop {
            let Some(entry) = self.sessions.entry::<Session>(session_key(id)).await? else { return Ok(None) };
            let session = Session { visits: entry.value.visits + 1, ..entry.value };
            match self.sessions.put(session_key(id), &session, &PutOptions::new().if_version(entry.version)).await {
                Ok(_) => return Ok(Some(session)),
                Err(error) if error.kind() == store::Kind::Conflict => {}
                Err(error) if error.kind() == store::Kind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// At most `limit` times a minute: the first call of a minute starts it.
    async fn may(&self, who: &str, limit: i64) -> Result<bool> {
        let minute = IncrementOptions::by(1).expiry(Duration::from_secs(60));
        Ok(self.cache.increment_with(format!("rate:{who}"), &minute).await? <= limit)
    }

    /// Computed once, however many ask at the same time.
    async fn report(&self, year: u32) -> Result<Option<Vec<u64>>> {
        let options = LoadOptions::new(Expiry::Default).negative_ttl(Duration::from_secs(10));
        self.cache
            .get_or_set(format!("report:{year}"), options, || async move {
                println!("  computing the report of {year}");
                Ok(if year < 2000 { Loaded::nothing() } else { Loaded::value((1..=5).map(|n| n * n).collect()) })
            })
            .await
    }
}

fn session_key(id: &str) -> String {
    format!("session:{id}")
}

async fn run(registry: &Registry) -> Result<()> {
    let service = Service::new(registry).await?;
    let info = service.sessions.info()?;
    println!("sessions are kept by {}, durable: {}", info.backend.backend, info.backend.durable);

    match service.sign_in("abc", "alice", Role::Admin).await {
        Ok(()) => println!("alice signs in"),
        Err(error) if error.kind() == store::Kind::AlreadyExists => println!("alice is still signed in"),
        Err(error) => return Err(error),
    }
    println!("visit: {:?}", service.visit("abc").await?);
    println!("visit: {:?}", service.visit("abc").await?);
    println!("unknown session: {:?}", service.visit("nobody").await?);

    for _ in 0..3 {
        println!("may alice? {}", service.may("alice", 2).await?);
    }
    println!("report: {:?}", service.report(2024).await?);
    println!("report: {:?}", service.report(2024).await?);
    println!("report: {:?}", service.report(1999).await?);

    // A mistake is an error with a kind, never a panic and never a missing value.
    let mistake = service.sessions.get::<u32>(session_key("abc")).await.map(|_| ());
    println!("as a number: {}", mistake.err().map_or_else(String::new, |error| error.to_string()));
    Ok(())
}

async fn serve() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let config = arguments.next().unwrap_or_else(|| "examples/service.toml".to_owned());
    let environment = arguments.next();
    let registry = store::open(config, environment.as_deref())?;
    let result = run(&registry).await;
    // Also when something failed: closing brings to the device what is durable.
    registry.close().await?;
    result
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // All mistakes of a configuration come in one error, a line each.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
