//! Evaluating policies: once for a caller and a store, then per key.

use std::sync::Arc;

use super::compile::Policy;
use super::pattern::{Glob, Template};
use super::{Action, Effect};
use crate::{Actor, Context};

/// All policies of a configuration.
#[derive(Clone, Debug)]
pub struct PolicySet {
    strict: bool,
    policies: Arc<[Policy]>,
}

impl PolicySet {
    /// No policies: everything is allowed to callers without a scope.
    #[must_use]
    pub fn permissive() -> PolicySet {
        PolicySet::new(false, Vec::new())
    }

    /// A set. `strict` denies everything to callers without a scope.
    #[must_use]
    pub fn new(strict: bool, policies: Vec<Policy>) -> PolicySet {
        PolicySet { strict, policies: policies.into() }
    }

    /// What this caller may do to this store. Takes time proportional to the policies; the result is meant to be kept.
    #[must_use]
    pub fn access(&self, cx: &Context, store: &str) -> Access {
        let Some(scope) = cx.scope() else {
            return if self.strict { Access::nothing() } else { Access::unrestricted() };
        };
        let mut verdicts: [Verdict; Action::ALL.len()] = Default::default();
        for policy in self.policies.iter().filter(|policy| policy.is_in(scope)) {
            add(&mut verdicts, policy, cx.actor(), store);
        }
        for verdict in &mut verdicts {
            verdict.settle();
        }
        Access(Some(Arc::new(verdicts)))
    }
}

/// What was decided, and by which policy: what an audit hook is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub allowed: bool,
    /// The policy that gave it; `None` when there was no scope to evaluate, or nothing matched.
    pub policy: Option<Arc<str>>,
}

/// What one caller may do to one store: everything that does not depend on the key is decided.
///
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Access(Option<Arc<[Verdict; Action::ALL.len()]>>);

impl Access {
    /// Everything is allowed.
    #[must_use]
    pub fn unrestricted() -> Access {
        Access(None)
    }

    /// Nothing is.
    fn nothing() -> Access {
        Access(Some(Arc::default()))
    }

    /// Whether everything is allowed without a look at the key or the action.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the action is allowed. Keyed actions come with their key, `store.key.list` with the prefix; without it,
    /// what depends on the key counts against access. Allocates nothing.
    #[must_use]
    pub fn allows(&self, action: Action, key: Option<&[u8]>) -> bool {
        match &self.0 {
            None => true,
            Some(verdicts) => verdicts[action as usize].decide(key).0,
        }
    }

    /// Whether the answer differs between keys.
    #[must_use]
    pub fn depends_on_key(&self, action: Action) -> bool {
        self.0.as_ref().is_some_and(|verdicts| verdicts[action as usize].depends_on_key())
    }

    /// As [`allows`](Access::allows), with the policy that decided.
    #[must_use]
    pub fn decide(&self, action: Action, key: Option<&[u8]>) -> Decision {
        match &self.0 {
            None => Decision { allowed: true, policy: None },
            Some(verdicts) => {
                let (allowed, policy) = verdicts[action as usize].decide(key);
                Decision { allowed, policy: policy.cloned() }
            }
        }
    }
}

/// What is known of one action before the key is: the policies left to ask, denying ones first.
#[derive(Clone, Debug, Default)]
struct Verdict {
    deny: Vec<Rule>,
    allow: Vec<Rule>,
}

/// A policy that matched in everything but what its tests ask.
#[derive(Clone, Debug)]
struct Rule {
    policy: Arc<str>,
    /// All must pass.
    tests: Vec<Test>,
}

/// A question about the key.
#[derive(Clone, Debug)]
enum Test {
    /// One of these matches it.
    Matches(Arc<[Glob]>),
    /// One of these matches a text that begins with it.
    MatchesSomeAfter(Arc<[Glob]>),
}

impl Rule {
    /// `None`: cannot be told without a key.
    fn passes(&self, key: Option<&[u8]>) -> Option<bool> {
        for test in &self.tests {
            let passed = match test {
                Test::Matches(globs) => globs.iter().any(|glob| key.is_some_and(|key| glob.matches(key))),
                Test::MatchesSomeAfter(globs) => {
                    globs.iter().any(|glob| key.is_some_and(|key| glob.matches_some_after(key)))
                }
            };
            if !passed {
                return key.map(|_| false);
            }
        }
        Some(true)
    }
}

impl Verdict {
    /// Drops what can no longer matter: a rule without tests decides for its side.
    fn settle(&mut self) {
        if let Some(index) = self.deny.iter().position(|rule| rule.tests.is_empty()) {
            let decisive = self.deny.swap_remove(index);
            self.deny = vec![decisive];
            self.allow.clear();
        } else if let Some(index) = self.allow.iter().position(|rule| rule.tests.is_empty()) {
            let decisive = self.allow.swap_remove(index);
            self.allow = vec![decisive];
        }
    }

    fn depends_on_key(&self) -> bool {
        let by_key = self.deny.iter().chain(&self.allow).any(|rule| !rule.tests.is_empty());
        by_key && !self.allow.is_empty()
    }

    fn decide(&self, key: Option<&[u8]>) -> (bool, Option<&Arc<str>>) {
        if let Some(rule) = self.deny.iter().find(|rule| rule.passes(key).unwrap_or(true)) {
            return (false, Some(&rule.policy));
        }
        match self.allow.iter().find(|rule| rule.passes(key).unwrap_or(false)) {
            Some(rule) => (true, Some(&rule.policy)),
            None => (false, None),
        }
    }
}

/// Adds what a policy of the scope says about this store.
fn add(verdicts: &mut [Verdict; Action::ALL.len()], policy: &Policy, actor: Option<&Actor>, store: &str) {
    let deny = policy.effect == Effect::Deny;
    let (resources, complete) = resolve(&policy.resources, actor);
    if !resources.iter().any(|glob| glob.matches(store.as_bytes())) && (complete || !deny) {
        return;
    }
    let keys = policy.keys.as_ref().map(|keys| resolve(keys, actor));
    // Entries that a listing finds are asked for one by one, which hides what this policy denies; unless it does not.
    let hides = policy.actions[Action::KeyGet as usize] && policy.actions[Action::KeyHas as usize];
    for action in Action::ALL.into_iter().filter(|action| policy.actions[*action as usize]) {
        let tests = match &keys {
            None => Vec::new(),
            // A pattern that cannot be resolved denies every key.
            Some((_, false)) if deny => Vec::new(),
            Some((globs, _)) if deny && action == Action::KeyList && !hides => {
                vec![Test::MatchesSomeAfter(Arc::clone(globs))]
            }
            Some((globs, _)) => vec![Test::Matches(Arc::clone(globs))],
        };
        let rule = Rule { policy: Arc::clone(&policy.id), tests };
        let verdict = &mut verdicts[action as usize];
        if deny { verdict.deny.push(rule) } else { verdict.allow.push(rule) }
    }
}

/// The patterns for this actor, and whether all could be resolved.
fn resolve(templates: &[Template], actor: Option<&Actor>) -> (Arc<[Glob]>, bool) {
    let globs: Arc<[Glob]> = templates.iter().filter_map(|template| template.resolve(actor)).collect();
    let complete = globs.len() == templates.len();
    (globs, complete)
}
