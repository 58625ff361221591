//! Whether stores can serve, and why not.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Registry, all};
use crate::slot::deadline;
use crate::{Context, Error, Kind, Result, Value};

/// How the stores of a registry do: [`Registry::health`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// One for each store that was asked for, in that order.
    pub stores: Vec<StoreHealth>,
}

impl Health {
    /// Whether every store can serve.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.stores.iter().all(StoreHealth::is_healthy)
    }

    /// The stores that cannot.
    pub fn failing(&self) -> impl Iterator<Item = &StoreHealth> {
        self.stores.iter().filter(|store| !store.is_healthy())
    }
}

/// How one store does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreHealth {
    /// Its id.
    pub id: Arc<str>,
    /// Its backend's name; `None` for an id that is not configured.
    pub backend: Option<&'static str>,
    /// How long it took to answer, opening included if it was not open.
    pub latency: Duration,
    /// Why it cannot serve. Holds no secrets, but names servers and files.
    pub error: Option<Error>,
}

impl StoreHealth {
    /// Whether the store can serve.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.error.is_none()
    }
}

impl Registry {
    /// Has every store answer: opened if it is not open yet, then one round trip to its backend. All at once, each within
    /// `patience`, so that the whole takes no longer. This is the host's own question, as [`stats`](Registry::stats) is: no
    /// policy is asked, and nothing is told to observers.
    ///
    /// What fails is in the answer, as an error of the kinds of [`get`](Registry::get) and [`ping`](crate::Handle::ping); TIMEOUT for a
    /// store that did not answer in time.
    pub async fn health(&self, patience: Duration) -> Health {
        let checks = self.ids().map(|id| self.check(Arc::clone(&id), patience, self.answers(id)));
        Health { stores: all(checks).await }
    }

    /// [`health`](Registry::health) of some stores, as this caller sees them: needs `store.get` and `store.info`, and is told to
    /// observers as any other call. An id that is not configured is NOT_FOUND.
    pub async fn health_as(&self, ids: &[impl AsRef<str>], cx: &Context, patience: Duration) -> Health {
        let checks = ids.iter().map(|id| {
            let id = id.as_ref();
            self.check(id.into(), patience, async { self.get_as(id, cx).await?.ping().await })
        });
        Health { stores: all(checks).await }
    }

    async fn answers(&self, id: Arc<str>) -> Result<()> {
        let inner = &self.0;
        let find = || {
            if inner.closed.load(Ordering::SeqCst) {
                return Err(Error::closed());
            }
            inner.entry(&id).ok_or_else(|| inner.unknown(&id, &Context::none()))
        };
        self.opened(find).await?.current().ping().await
    }

    async fn check(&self, id: Arc<str>, patience: Duration, answer: impl Future<Output = Result<()>>) -> StoreHealth {
        let start = Instant::now();
        let answer = deadline(&*self.0.timer, patience, answer).await.unwrap_or_else(|| Err(silent(&id, patience)));
        let backend = self.0.entry(&id).map(|entry| entry.config.backend);
        let error = answer.err().map(|error| {
            let error = error.or_detail("store", || Value::from(&*id));
            match backend {
                Some(backend) => error.or_detail("backend", || backend.into()),
                None => error,
            }
        });
        StoreHealth { id, backend, latency: start.elapsed(), error }
    }
}

fn silent(id: &str, patience: Duration) -> Error {
    Error::new(Kind::Timeout, format!("no answer within {patience:?}"))
        .with_detail("operation", "health")
        .with_detail("store", id)
}
