//! Who is asking: the security context of a call.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Value;

/// Who acts.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Actor {
    /// The actor's id: `${actor.id}` in policies.
    pub id: String,
    /// Attributes: `${actor.meta.NAME}` in policies.
    pub meta: BTreeMap<String, Value>,
}

impl Actor {
    /// An actor without attributes.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Actor {
        Actor { id: id.into(), meta: BTreeMap::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with_meta(mut self, name: impl Into<String>, value: impl Into<Value>) -> Actor {
        self.meta.insert(name.into(), value.into());
        self
    }
}

/// The security context of a call: an actor, and a scope (a set of policy groups).
///
/// Cheap to clone and immutable. Two contexts made separately are told apart by identity where that is faster, so make one
/// per request and pass clones of it.
#[derive(Clone, Debug, Default)]
pub struct Context(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    actor: Option<Actor>,
    scope: Option<Vec<String>>,
}

impl Context {
    /// No actor and no scope: allowed everything, unless the configuration is strict.
    #[must_use]
    pub const fn none() -> Context {
        Context(None)
    }

    /// A context. `scope` = `None` means that none is set; an empty scope is one that allows only what policies without
    /// groups allow.
    #[must_use]
    pub fn new(actor: Option<Actor>, scope: Option<Vec<String>>) -> Context {
        if actor.is_none() && scope.is_none() {
            return Context(None);
        }
        Context(Some(Arc::new(Inner { actor, scope })))
    }

    /// The actor.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.0.as_ref()?.actor.as_ref()
    }

    /// The groups of the scope, if one is set.
    #[must_use]
    pub fn scope(&self) -> Option<&[String]> {
        self.0.as_ref()?.scope.as_deref()
    }

    /// Whether both are the same context: made by one call of [`Context::new`], or both none.
    #[must_use]
    pub fn is(&self, other: &Context) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }
}
