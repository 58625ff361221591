//! Spans, through the crate `tracing`.

use std::sync::Arc;

use store_core::observe::{Ended, Observer, Operation, Span, StoreObserver, Timing};
use tracing::field::{Empty, display};

/// A span for each operation, at level DEBUG and with target `store`.
///
/// Its fields: `store`, `backend`, `operation`; and when it has ended `outcome` (`ok`, `hit`, `miss`, `error`, `dropped`) and
/// `error.kind`. A span whose level or target nobody listens to costs next to nothing.
///
/// ```
/// # use store::{Registry, config::Document, telemetry::Spans};
/// # let document = Document::default_memory();
/// # let config = document.resolve(None, &store::backends(), &|_| None)?;
/// let registry = Registry::builder(config).observer(Spans::new()).build();
/// # Ok::<(), store::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Spans {
    keys: bool,
}

impl Spans {
    /// Spans that tell nothing of keys.
    #[must_use]
    pub fn new() -> Spans {
        Spans::default()
    }

    /// Adds a field `key` to the spans of operations on one key, as escaped text. Keys often are what must not be logged: the ids
    /// of sessions, mail addresses. Also those of denied operations are shown.
    #[must_use]
    pub fn with_keys(mut self) -> Spans {
        self.keys = true;
        self
    }
}

impl Observer for Spans {
    fn store(&self, id: &str, backend: &'static str) -> Arc<dyn StoreObserver> {
        Arc::new(StoreSpans { id: id.into(), backend, keys: self.keys })
    }
}

#[derive(Debug)]
struct StoreSpans {
    id: Box<str>,
    backend: &'static str,
    keys: bool,
}

impl StoreObserver for StoreSpans {
    fn has_spans(&self) -> bool {
        true
    }

    fn timing(&self) -> Timing {
        // Whoever listens to spans takes the time.
        Timing::Never
    }

    fn begin(&self, operation: Operation, key: Option<&[u8]>) -> Option<Box<dyn Span>> {
        let operation = operation.as_str();
        let span = tracing::debug_span!(
            target: "store",
            "store",
            otel.name = operation,
            store = &*self.id,
            backend = self.backend,
            operation,
            key = Empty,
            outcome = Empty,
            error.kind = Empty,
            otel.status_code = Empty,
        );
        if span.is_disabled() {
            return None;
        }
        if let Some(key) = key.filter(|_| self.keys) {
            span.record("key", display(key.escape_ascii()));
        }
        Some(Box::new(OperationSpan(span)))
    }

    fn end(&self, _ended: &Ended<'_>) {}
}

struct OperationSpan(tracing::Span);

impl Span for OperationSpan {
    fn enter(&mut self) {
        self.0.with_subscriber(|(id, subscriber)| subscriber.enter(id));
    }

    fn exit(&mut self) {
        self.0.with_subscriber(|(id, subscriber)| subscriber.exit(id));
    }

    fn end(&mut self, ended: &Ended<'_>) {
        self.0.record("outcome", ended.outcome.as_str());
        if let Some(kind) = ended.outcome.kind() {
            self.0.record("error.kind", kind.name());
            self.0.record("otel.status_code", "ERROR");
        }
    }
}
