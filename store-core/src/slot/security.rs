//! The policies in force, and who is told of denials.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::kept::{Kept, Latest};
use crate::policy::{Access, Action, Authorizer, PolicySet};
use crate::sync::Guard;
use crate::{Context, Error, Kind};

/// A denial, as an audit hook sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Denial<'a> {
    /// What was asked for.
    pub action: Action,
    /// The store's id.
    pub store: &'a str,
    /// The key, or for a listing the prefix.
    pub key: Option<&'a [u8]>,
    /// Who asked.
    pub context: &'a Context,
    /// The policy that said no; `None` if none said yes.
    pub policy: Option<Arc<str>>,
}

/// Observes denials. Called on the path of the operation: be quick.
pub trait Audit: fmt::Debug + Send + Sync + 'static {
    /// A denied operation, before its error goes to the caller.
    fn denied(&self, denial: &Denial<'_>);
}

/// What a context may do on a store, by policies of a generation.
#[derive(Debug)]
pub(crate) struct Rights {
    pub(crate) generation: u64,
    pub(crate) access: Access,
}

/// The rights of a context on a store, kept by a handle and compiled anew when the policies change.
#[derive(Debug)]
pub(crate) struct KeptRights {
    rights: Kept<Rights>,
    /// The generation of the policies that allow everything, so that who is not restricted pays for one comparison.
    unrestricted: AtomicU64,
}

impl KeptRights {
    pub(crate) fn new(security: &Security, cx: &Context, store: &str) -> KeptRights {
        let rights = security.rights(cx, store);
        KeptRights { unrestricted: AtomicU64::new(rights.unrestricted_in()), rights: Kept::new(rights) }
    }

    #[inline]
    pub(crate) fn is_unrestricted(&self, security: &Security) -> bool {
        self.unrestricted.load(Ordering::Acquire) == security.generation()
    }

    /// The rights of the policies that are in force now.
    pub(crate) fn current(&self, security: &Security, cx: &Context, store: &str) -> Guard<Arc<Rights>> {
        let is_good = |rights: &Rights| rights.generation == security.generation();
        self.rights.current(is_good, || {
            let rights = security.rights(cx, store);
            // Whatever another thread stores in between belongs to the generation that it names.
            self.unrestricted.store(rights.unrestricted_in(), Ordering::Release);
            rights
        })
    }
}

impl Rights {
    /// The generation in which everything is allowed; none that comes if something is not.
    fn unrestricted_in(&self) -> u64 {
        if self.access.is_unrestricted() { self.generation } else { u64::MAX }
    }
}

/// The policies of a registry. Replacing them takes effect on handles that are out.
#[derive(Debug)]
pub(crate) struct Security {
    policies: Latest<PolicySet>,
    authorizer: Option<Arc<dyn Authorizer>>,
    audit: Option<Arc<dyn Audit>>,
}

impl Security {
    pub(crate) fn new(
        policies: PolicySet,
        authorizer: Option<Arc<dyn Authorizer>>,
        audit: Option<Arc<dyn Audit>>,
    ) -> Security {
        Security { policies: Latest::new(policies), authorizer, audit }
    }

    pub(crate) fn replace(&self, policies: PolicySet) {
        self.policies.replace(policies);
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.policies.generation()
    }

    pub(crate) fn rights(&self, cx: &Context, store: &str) -> Rights {
        let (generation, policies) = self.policies.get();
        let access = policies.access(cx, store);
        let access = match &self.authorizer {
            None => access,
            Some(authorizer) => access.with_authorizer(Arc::clone(authorizer), cx, store),
        };
        Rights { generation, access }
    }

    /// Checks an action, and tells the audit hook of a denial.
    ///
    /// # Errors
    /// Denied.
    pub(crate) fn check(
        &self,
        access: &Access,
        action: Action,
        store: &str,
        key: Option<&[u8]>,
        context: &Context,
    ) -> Result<(), Denied> {
        access.check(action, key).map_err(|policy| {
            if let Some(audit) = &self.audit {
                audit.denied(&Denial { action, store, key, context, policy });
            }
            Denied
        })
    }
}

/// An action was denied.
#[derive(Debug)]
pub(crate) struct Denied;

/// The denial of an action: the same words whether or not a key exists (S4).
#[cold]
pub(crate) fn denied(action: Action, store: &str) -> Error {
    Error::new(Kind::PermissionDenied, format!("{} is not allowed", action.as_str()))
        .with_detail("action", action.as_str())
        .with_detail("store", store)
}
