//! A host's own engine beside the policies.

use std::fmt;
use std::sync::Arc;

use super::action::Action;
use super::decision::Decision;
use crate::Context;

/// A policy engine of the host's (Cedar, OPA, a table of its own), asked in every operation that the policies do not deny.
///
/// It takes part as one more policy would: what it denies is denied, what it allows is allowed unless a policy denies it. Where it
/// answers `None`, the policies decide alone, for callers without a scope too.
///
/// It is called on the path of the operation, for each key of a batch and each entry of a listing: be quick, and wait for nothing.
/// What it needs from elsewhere belongs into the [`Context`] when the request begins, or into a cache.
///
/// ```
/// use store_core::policy::{Action, Authorizer, Decision};
/// use store_core::Context;
///
/// /// Nobody writes at night.
/// #[derive(Debug)]
/// struct Night;
///
/// impl Authorizer for Night {
///     fn check(&self, _: &Context, action: Action, _: &str, _: Option<&[u8]>) -> Option<Decision> {
///         let writes = matches!(action, Action::KeySet | Action::KeyDelete);
///         (writes && is_night()).then(|| Decision { allowed: false, policy: Some("night".into()) })
///     }
/// }
/// # fn is_night() -> bool { true }
/// ```
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// Whether this caller may do this to this store. `key` is there for `store.key.*`; for `store.key.list` it is the prefix, and
    /// each entry found is asked for afterwards. The answer must not depend on what is stored.
    fn check(&self, cx: &Context, action: Action, store: &str, key: Option<&[u8]>) -> Option<Decision>;
}

/// An engine, and whom and what it is asked about.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) authorizer: Arc<dyn Authorizer>,
    pub(super) cx: Context,
    pub(super) store: Arc<str>,
}

impl Asker {
    pub(super) fn ask(&self, action: Action, key: Option<&[u8]>) -> Option<Decision> {
        self.authorizer.check(&self.cx, action, &self.store, key)
    }
}
