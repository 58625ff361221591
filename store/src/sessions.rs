//! Sessions of the crate [`tower-sessions`](https://docs.rs/tower-sessions/0.15), kept in a store.
//!
//! ```
//! use store::sessions::Sessions;
//! use time::{Duration, OffsetDateTime};
//! use tower_sessions_core::SessionStore;
//! use tower_sessions_core::session::{Id, Record};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let document = store::config::Document::parse("[stores.'app:sessions']\nbackend = 'memory'", "store.toml")?;
//! let registry = store::open_with(&document, None, &store::backends())?;
//! let sessions = Sessions::new(registry.get("app:sessions").await?);
//!
//! // What `tower_sessions::SessionManagerLayer::new(sessions)` does from here on, by itself:
//! let mut record = Record {
//!     id: Id::default(),
//!     data: [("user".to_owned(), "alice".into())].into(),
//!     expiry_date: OffsetDateTime::now_utc() + Duration::minutes(30),
//! };
//! sessions.create(&mut record).await?;
//! assert_eq!(sessions.load(&record.id).await?.unwrap().data["user"], "alice");
//!
//! sessions.delete(&record.id).await?;
//! assert!(sessions.load(&record.id).await?.is_none());
//! # Ok(())
//! # }
//! # #[cfg(feature = "memory")]
//! # store::block_on(example()).unwrap();
//! ```

use std::time::Duration;

use store_core::codec::{self, Raw};
use store_core::{Error, Handle, Kind, Payload, PutOptions, Ttl, async_trait};
use time::OffsetDateTime;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error as SessionError, Result};

/// How many ids are tried. Of 128 random bits, the second is never needed, unless the source of randomness is broken.
const ATTEMPTS: usize = 8;

/// A [`SessionStore`] over a store.
///
/// Each session is an entry: its key is a prefix and the session's id, its value the session's data, its time to live what is left
/// until the session's expiry date. So a script reads `sessions:get("session:" .. id).user`, and a session that is expired, deleted
/// or evicted is absent for all who ask. Nothing needs to be swept.
///
/// - A session whose expiry date has passed is not written; if it was there, it is deleted.
/// - The store's `max_ttl` and `ttl_jitter` shorten sessions too. `default_ttl` does not matter: sessions have a date.
/// - `save` changes a session that is there and never brings one back: a request that was on its way while the user signed out ends
///   well, and the user stays signed out. Therefore, in a `CachingSessionStore`, this is the store and not the cache.
/// - A failing backend is an error and never a missing session. The texts of errors hold neither ids nor data.
#[derive(Clone, Debug)]
pub struct Sessions {
    handle: Handle,
    prefix: String,
}

impl Sessions {
    /// Sessions in this store, under keys that begin with `session:`.
    #[must_use]
    pub fn new(handle: Handle) -> Sessions {
        Sessions { handle, prefix: "session:".to_owned() }
    }

    /// Sets what keys begin with.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Sessions {
        self.prefix = prefix.into();
        self
    }

    fn key(&self, id: &Id) -> String {
        format!("{}{id}", self.prefix)
    }

    fn encode(&self, record: &Record) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        codec::encode(&record.data, &self.handle.settings().limits, &mut bytes)
            .map_err(|error| SessionError::Encode(error.to_string()))?;
        Ok(bytes)
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let bytes = self.encode(record)?;
        let Some(left) = left(record) else { return Ok(()) };
        let put = PutOptions::new().only_if_absent().expiry(left);
        for _ in 0..ATTEMPTS {
            match self.handle.put(self.key(&record.id), &Raw(&bytes), &put).await {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == Kind::AlreadyExists => record.id = Id::default(),
                Err(error) => return Err(backend(&error)),
            }
        }
        Err(SessionError::Backend(format!("{ATTEMPTS} random session ids were all taken")))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let bytes = self.encode(record)?;
        let Some(left) = left(record) else { return self.delete(&record.id).await };
        let put = PutOptions::new().only_if_present().expiry(left);
        match self.handle.put(self.key(&record.id), &Raw(&bytes), &put).await {
            Err(error) if error.kind() != Kind::NotFound => Err(backend(&error)),
            _ => Ok(()),
        }
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = self.handle.entry::<Payload>(self.key(id)).await;
        let Some(entry) = found.map_err(|error| backend(&error))? else { return Ok(None) };
        let data = codec::decode(&entry.value).map_err(|error| SessionError::Decode(error.to_string()))?;
        let left = match entry.ttl {
            Ttl::Left(left) => left,
            // Made by someone else: tower-sessions always has a date.
            Ttl::Never => store_core::MAX_TTL,
        };
        let left = time::Duration::try_from(left).unwrap_or(time::Duration::MAX);
        Ok(Some(Record { id: *id, data, expiry_date: OffsetDateTime::now_utc().saturating_add(left) }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.handle.delete(self.key(id)).await.map(|_| ()).map_err(|error| backend(&error))
    }
}

/// The time until the session expires; `None` if it has.
fn left(record: &Record) -> Option<Duration> {
    let left = record.expiry_date - OffsetDateTime::now_utc();
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}

fn backend(error: &Error) -> SessionError {
    SessionError::Backend(format!("{}: {error}", error.kind()))
}
