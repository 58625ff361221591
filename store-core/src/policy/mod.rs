//! Access policy: who may do what to which keys of which store (rules S1 to S4).
//!
//! A [`Policy`] names actions, stores and keys by pattern, and allows or denies them. A [`PolicySet`] holds all policies
//! of a configuration. For one caller and one store it makes an [`Access`], in which everything that does not depend on
//! the key is decided already: most checks are then a look into a table.
//!
//! # How a question is decided
//! 1. The context has no scope: allowed, unless the set is strict; then denied.
//! 2. The policies that count are those without groups and those with a group in the scope.
//! 3. A matching policy that denies wins; then a matching one that allows; when none matches, it is denied.
//!
//! # Patterns
//! Patterns work on bytes and match the whole text, with case: `*` is any run of bytes (also none), `?` one byte, `\` makes
//! the next byte ordinary. `${actor.id}` and `${actor.meta.NAME}` stand for the actor's id and attribute; what they bring
//! is ordinary text, so an actor named `*` gains nothing. `NAME` may lead into nested maps with dots. A `$` that no `{`
//! follows is ordinary. Matching takes at most text times pattern steps, and no memory.
//!
//! A `${...}` without a value (no actor, no such attribute, an attribute that is no string, integer or boolean, or an empty
//! one, which would widen `${actor.id}*` to everything) counts against access: the pattern that has it allows nothing, and
//! a policy that denies applies as if it had matched.
//!
//! # Keys
//! A policy with `keys` speaks of the actions `store.key.*` only. For `store.key.list` the pattern is held against the
//! prefix as if that were a key: allowing `user:1:*` allows listing `user:1:` and every longer prefix, and neither
//! `user:` nor everything. A policy that denies keys denies listing a prefix that it matches. Listing a shorter prefix stays
//! possible, because each entry found is then asked for one by one (`store.key.get`, or `store.key.has` for keys alone)
//! and those that the policy denies are left out. Should a policy deny listing some keys but not both of these questions,
//! that would not hide them; such a policy denies listing every prefix under which one of its keys could be found.
//!
//! # A host's own engine
//! An [`Authorizer`] is a voice beside the policies: what it denies is denied, what it allows is allowed unless a policy denies it,
//! and where it says nothing the policies decide alone.
//!
//! # Conditions
//! A policy's conditions must all hold. Each compares a field (`actor.id`, `actor.meta.NAME`, `action`, `resource`, `key`) with a
//! value, or with another field. Strings compare with strings, byte for byte; numbers with numbers, by what they are worth, without
//! rounding; booleans with booleans, for equality. Whatever else is compared cannot be told, nor can a field that is not there, and
//! what cannot be told counts against access: a policy that allows does not apply, one that denies applies as if the condition
//! held, for every operator alike. Only `exists` and `nexists` answer for a field that is not there; in front of another condition
//! of the same policy they decide for both.
//!
//! Regular expressions match anywhere in the text, unless anchored; on bytes, case and classes being ASCII's; in time linear in the
//! text (the crate `regex`).
//!
//! A condition on the key makes a policy speak of `store.key.*` only, as `keys` does. For `store.key.list` it is held against the
//! prefix as if that were a key; where a policy denies listing without denying both `store.key.get` and `store.key.has` of the same
//! keys, it denies listing as if its conditions on the key held.
//!
//! ```
//! use store_core::policy::{Action, Effect, Policy, PolicySet, PolicySpec};
//! use store_core::{Actor, Context};
//!
//! let own = Policy::compile(PolicySpec {
//!     id: "app:own-keys".into(),
//!     actions: vec!["store.key.*".into()],
//!     resources: vec!["app:*".into()],
//!     keys: Some(vec!["user:${actor.id}:*".into()]),
//!     conditions: Vec::new(),
//!     effect: Effect::Allow,
//!     groups: vec!["users".into()],
//! }).expect("valid");
//! let policies = PolicySet::new(true, vec![own]);
//!
//! let alice = Context::new(Some(Actor::new("alice")), Some(vec!["users".into()]));
//! let access = policies.access(&alice, "app:sessions");
//! assert!(access.allows(Action::KeyGet, Some(b"user:alice:cart")));
//! assert!(!access.allows(Action::KeyGet, Some(b"user:bob:cart")));
//! ```

mod access;
mod action;
mod authorizer;
mod compile;
mod condition;
mod datum;
mod decision;
mod pattern;
mod spec;
#[cfg(test)]
mod tests;

pub use access::{Access, PolicySet};
pub use action::Action;
pub use authorizer::Authorizer;
pub use compile::Policy;
pub use condition::{ConditionSpec, Operator};
pub use decision::{Decision, Effect};
pub use spec::{PolicySpec, Problem};
