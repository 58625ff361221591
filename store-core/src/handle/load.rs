//! `get_or_set`: read through, with one loader per key at a time.

use std::future::Future;
use std::pin::pin;

use super::call::{Call, Question, explain, question};
use super::{Handle, Loaded};
use crate::codec::{Decode, Encode};
use crate::observe::{Counted, Operation};
use crate::policy::Action;
use crate::slot::{Lead, LoadOptions, Turn, deadline};
use crate::{Error, Key, Kind, Payload, Put, Result};

impl Handle {
    /// The value of a key, or else what the loader brings, stored. In place of options, how long it lives will do.
    ///
    /// Of all callers in this process that miss the same key at once, one runs its loader; the others wait for its result, at
    /// most [`LoadOptions::wait`]. If that caller gives up, another takes over. A loader that fails caches nothing.
    /// What a loader brings counts even if storing it fails: then the call fails, and the value is lost.
    ///
    /// # Errors
    /// As [`get`](Handle::get) and [`set`](Handle::set); the loader's own error, for everyone who waited ([`Error::loader`] makes one of any); TIMEOUT while waiting;
    /// CONFLICT if the loader asks for its own key.
    pub async fn get_or_set<V, F, L>(
        &self,
        key: impl AsRef<[u8]>,
        options: impl Into<LoadOptions>,
        loader: L,
    ) -> Result<Option<V>>
    where
        V: Encode + Decode,
        F: Future<Output = Result<Loaded<V>>>,
        L: FnOnce() -> F,
    {
        let key = key.as_ref();
        let work = self.get_or_set_in(key, options.into(), loader);
        let value = self.wait(Operation::GetOrSet, Some(key), pin!(work)).await;
        value.map(|value| value.answer)
    }

    /// [`get_or_set`](Handle::get_or_set) of a key whose value is there, at once. `None`: it is not there, or reading it would wait, or someone
    /// watches; then nothing was started, and nobody was told.
    ///
    /// # Errors
    /// As [`get_or_set`](Handle::get_or_set), less what comes of loading.
    pub fn try_hit<V: Decode>(&self, key: impl AsRef<[u8]>, options: &LoadOptions) -> Option<Result<V>> {
        let (key, slot) = (key.as_ref(), self.slot());
        if slot.is_watched() {
            return None;
        }
        let asked = self.call_on(slot).and_then(|call| Ok((call, call.check_load(key, options)?)));
        let found = match asked {
            Ok((call, valid)) => call.ask_now(&call.ask_get(valid))?,
            Err(error) => Err(error),
        };
        let value = found.transpose()?.and_then(V::decode);
        Some(value.map_err(|error| explain(slot, Operation::GetOrSet, Some(key), error)))
    }

    async fn get_or_set_in<V, F, L>(&self, key: &[u8], options: LoadOptions, loader: L) -> Result<Counted<Option<V>>>
    where
        V: Encode + Decode,
        F: Future<Output = Result<Loaded<V>>>,
        L: FnOnce() -> F,
    {
        let call = self.call()?;
        let valid = call.check_load(key, &options)?;
        let slot = call.slot;
        let started = std::time::Instant::now();
        loop {
            if let Some(payload) = call.read(valid).await? {
                return V::decode(payload).map(|value| Counted { answer: Some(value), found: true });
            }
            match slot.flights.turn(key, slot.clock.now())? {
                Turn::Absent => return missed(None),
                Turn::Wait(flight) => {
                    let left = options.wait.saturating_sub(started.elapsed());
                    match deadline(&*slot.timer, left, slot.run(Box::pin(async { Ok(flight.wait().await) }))).await {
                        None => return Err(Error::new(Kind::Timeout, "the loader of this key took too long")),
                        // The one who ran it gave up: try again, perhaps as the one who runs.
                        Some(Ok(None)) => {}
                        Some(Ok(Some(result))) => return missed(result?),
                        Some(Err(error)) => return Err(error),
                    }
                }
                Turn::Lead(lead) => {
                    // Someone may have finished between the miss and the turn.
                    let result = match call.read(valid).await {
                        Ok(Some(found)) => Ok(Some(found)),
                        Ok(None) => call.load(&lead, valid, &options, loader).await,
                        Err(error) => Err(error),
                    };
                    return missed(lead.finish(result)?);
                }
            }
        }
    }
}

impl<'a> Call<'a> {
    fn check_load<'k>(self, key: &'k [u8], options: &LoadOptions) -> Result<Key<'k>> {
        let key = Key::new(key)?;
        self.settings().ttl.resolve(options.expiry)?;
        self.allow(Action::KeyGet, key)?;
        self.allow(Action::KeySet, key)?;
        Ok(key)
    }

    fn ask_get(self, key: Key<'a>) -> impl Question<'a, Option<Payload>> {
        let cx = self.cx();
        question(move |store| store.try_get(cx, key), move |store| store.get(cx, key))
    }

    async fn read(self, key: Key<'_>) -> Result<Option<Payload>> {
        let call = self.again();
        call.ask(call.ask_get(key)).await
    }

    async fn load<V, F, L>(
        self,
        lead: &Lead<'_>,
        key: Key<'_>,
        options: &LoadOptions,
        loader: L,
    ) -> Result<Option<Payload>>
    where
        V: Encode + Decode,
        F: Future<Output = Result<Loaded<V>>>,
        L: FnOnce() -> F,
    {
        let slot = self.again().slot;
        let loading = lead.make(loader);
        let loaded = match lead.load(loading).await {
            Ok(loaded) => loaded,
            Err(error) => {
                let stale = options.stale_on_error.and_then(|_| slot.flights.stale(key.as_bytes(), slot.clock.now()));
                return stale.map_or(Err(error), |payload| Ok(Some(payload)));
            }
        };
        let Some(value) = loaded.value else {
            if let Some(ttl) = options.negative_ttl {
                let now = slot.clock.now();
                slot.flights.keep_absent(key.as_bytes(), now + ttl, now);
            }
            return Ok(None);
        };
        let call = self.again();
        let lifetime = call.settings().ttl.resolve(loaded.expiry.unwrap_or(options.expiry))?;
        let mut buffer = Vec::new();
        let payload = Payload::from(value.encode(&call.settings().limits, &mut buffer)?);
        let (cx, put) = (call.cx(), Put::always(lifetime));
        let bytes = payload.as_bytes();
        call.ask(question(
            move |store| store.try_put(cx, key, bytes, put),
            move |store| store.put(cx, key, bytes, put),
        ))
        .await?;
        if let (Some(window), Some(millis)) = (options.stale_on_error, lifetime.as_millis()) {
            let now = slot.clock.now();
            let until = now + std::time::Duration::from_millis(millis.get()) + window;
            slot.flights.keep_stale(key.as_bytes(), &payload, until, now);
        }
        Ok(Some(payload))
    }
}

/// What was not there when it was asked for, though it may be now.
fn missed<V: Decode>(payload: Option<Payload>) -> Result<Counted<Option<V>>> {
    Ok(Counted { answer: payload.map(V::decode).transpose()?, found: false })
}
