//! Evaluating policies: once for a caller and a store, then per key.

use std::sync::Arc;

use super::action::Action;
use super::authorizer::{Asker, Authorizer};
use super::compile::Policy;
use super::condition::KeyTest;
use super::decision::{Decision, Effect};
use super::pattern::{Glob, Template};
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
        Access { verdicts: Some(Arc::new(verdicts)), asker: None }
    }
}

/// What one caller may do to one store: everything that does not depend on the key is decided.
///
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Access {
    /// `None`: the policies allow everything.
    verdicts: Option<Arc<[Verdict; Action::ALL.len()]>>,
    asker: Option<Arc<Asker>>,
}

impl Access {
    /// Everything is allowed.
    #[must_use]
    pub fn unrestricted() -> Access {
        Access { verdicts: None, asker: None }
    }

    /// Nothing is.
    fn nothing() -> Access {
        Access { verdicts: Some(Arc::default()), asker: None }
    }

    /// The same with an engine beside the policies, which is asked about this caller and this store.
    #[must_use]
    pub fn with_authorizer(self, authorizer: Arc<dyn Authorizer>, cx: &Context, store: &str) -> Access {
        let asker = Asker { authorizer, cx: cx.clone(), store: store.into() };
        Access { asker: Some(Arc::new(asker)), ..self }
    }

    /// Whether everything is allowed without a look at the key or the action.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.verdicts.is_none() && self.asker.is_none()
    }

    /// Whether the action is allowed. Keyed actions come with their key, `store.key.list` with the prefix; without it,
    /// what depends on the key counts against access. Allocates nothing.
    #[must_use]
    pub fn allows(&self, action: Action, key: Option<&[u8]>) -> bool {
        self.check(action, key).is_ok()
    }

    /// # Errors
    /// The policy that denies the action; `None` if none allows it.
    pub(crate) fn check(&self, action: Action, key: Option<&[u8]>) -> Result<(), Option<Arc<str>>> {
        match &self.asker {
            None => match self.policies(action, key) {
                (true, _) => Ok(()),
                (false, policy) => Err(policy.cloned()),
            },
            Some(_) => match self.decide(action, key) {
                Decision { allowed: true, .. } => Ok(()),
                Decision { policy, .. } => Err(policy),
            },
        }
    }

    /// Whether the answer differs between keys.
    #[must_use]
    pub fn depends_on_key(&self, action: Action) -> bool {
        let verdict = self.verdicts.as_ref().map(|verdicts| &verdicts[action as usize]);
        if self.asker.is_some() && action.is_keyed() {
            return !verdict.is_some_and(Verdict::denies_always);
        }
        verdict.is_some_and(Verdict::depends_on_key)
    }

    /// As [`allows`](Access::allows), with the policy that decided.
    #[must_use]
    pub fn decide(&self, action: Action, key: Option<&[u8]>) -> Decision {
        let (allowed, policy) = self.policies(action, key);
        let denied = !allowed && policy.is_some();
        let asked = self.asker.as_ref().filter(|_| !denied).and_then(|asker| asker.ask(action, key));
        asked.unwrap_or_else(|| Decision { allowed, policy: policy.cloned() })
    }

    /// What the policies say.
    fn policies(&self, action: Action, key: Option<&[u8]>) -> (bool, Option<&Arc<str>>) {
        match &self.verdicts {
            None => (true, None),
            Some(verdicts) => verdicts[action as usize].decide(key),
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
    /// A condition holds.
    Holds(Arc<KeyTest>),
}

impl Test {
    /// `None`: cannot be told.
    fn passes(&self, key: Option<&[u8]>) -> Option<bool> {
        let key = key?;
        match self {
            Test::Matches(globs) => Some(globs.iter().any(|glob| glob.matches(key))),
            Test::MatchesSomeAfter(globs) => Some(globs.iter().any(|glob| glob.matches_some_after(key))),
            Test::Holds(test) => test.holds(key),
        }
    }
}

impl Rule {
    /// Whether all tests pass; `unknown` stands for one that cannot be told.
    fn passes(&self, key: Option<&[u8]>, unknown: bool) -> bool {
        self.tests.iter().all(|test| test.passes(key).unwrap_or(unknown))
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

    fn denies_always(&self) -> bool {
        self.deny.iter().any(|rule| rule.tests.is_empty())
    }

    fn depends_on_key(&self) -> bool {
        let by_key = self.deny.iter().chain(&self.allow).any(|rule| !rule.tests.is_empty());
        by_key && !self.allow.is_empty()
    }

    fn decide(&self, key: Option<&[u8]>) -> (bool, Option<&Arc<str>>) {
        if let Some(rule) = self.deny.iter().find(|rule| rule.passes(key, true)) {
            return (false, Some(&rule.policy));
        }
        match self.allow.iter().find(|rule| rule.passes(key, false)) {
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
    let asked = Action::ALL.map(|action| {
        let tests = policy.actions[action as usize].then(|| policy.conditions(actor, action, store)).flatten()?;
        Some(tests.into_iter().map(|test| Test::Holds(Arc::new(test))).collect::<Vec<_>>())
    });
    // Entries that a listing finds are asked for one by one, which hides what this policy denies; unless it does not.
    let hides = asked[Action::KeyGet as usize].is_some()
        && asked[Action::KeyHas as usize].is_some()
        && !policy.mixes_key_and_action();
    for (action, asked) in Action::ALL.into_iter().zip(asked) {
        let Some(mut tests) = asked else { continue };
        let shows = deny && action == Action::KeyList && !hides;
        if shows {
            // Under a prefix there may be a key for which they hold.
            tests.clear();
        }
        match &keys {
            None => {}
            // A pattern that cannot be resolved denies every key.
            Some((_, false)) if deny => {}
            Some((globs, _)) if shows => tests.push(Test::MatchesSomeAfter(Arc::clone(globs))),
            Some((globs, _)) => tests.insert(0, Test::Matches(Arc::clone(globs))),
        }
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
