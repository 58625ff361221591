//! From a stated policy to one that can be evaluated.

use std::sync::Arc;

use super::action::Action;
use super::condition::{Condition, KeyTest, Known};
use super::decision::Effect;
use super::pattern::Template;
use super::spec::{PolicySpec, Problem};
use crate::{Actor, MAX_KEY_LEN};

/// A policy that was checked and is ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) id: Arc<str>,
    pub(super) effect: Effect,
    /// Which actions it speaks of, by position in [`Action::ALL`].
    pub(super) actions: [bool; Action::ALL.len()],
    pub(super) resources: Vec<Template>,
    pub(super) keys: Option<Vec<Template>>,
    conditions: Vec<Condition>,
    pub(super) groups: Vec<String>,
}

impl Policy {
    /// Checks a policy.
    ///
    /// # Errors
    /// All mistakes at once: what is empty, what can never match, escapes that escape nothing, unknown `${...}`, conditions
    /// that make no sense.
    pub fn compile(spec: PolicySpec) -> Result<Policy, Vec<Problem>> {
        let mut problems = Vec::new();
        if spec.id.is_empty() {
            problems.push(Problem::of("id", None, "a policy needs an id"));
        }
        let conditions = conditions(&spec, &mut problems);
        let actions = actions(&spec, conditions.iter().any(Condition::asks_for_key), &mut problems);
        let resources = templates("resources", &spec.resources, &mut problems, |template| {
            (!template.is_open() && template.min_len() == 0).then(|| "matches no store: ids are not empty".into())
        });
        let lists = actions[Action::KeyList as usize];
        let keys = spec.keys.as_ref().map(|keys| {
            templates("keys", keys, &mut problems, |template| {
                if template.min_len() > MAX_KEY_LEN {
                    return Some(format!("matches no key: keys have at most {MAX_KEY_LEN} bytes"));
                }
                // The empty text is no key, but it is a prefix.
                (!template.is_open() && template.min_len() == 0 && !lists)
                    .then(|| "matches no key: keys are not empty".into())
            })
        });
        for (index, group) in spec.groups.iter().enumerate() {
            if group.is_empty() {
                problems.push(Problem::of("groups", Some(index), "a group needs a name"));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Policy {
            id: spec.id.into(),
            effect: spec.effect,
            actions,
            resources,
            keys,
            conditions,
            groups: spec.groups,
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its conditions leave to ask of the key, if they let it speak of this action at all. One that cannot be told counts
    /// against access: a policy that denies speaks as if it held, one that allows does not speak.
    pub(super) fn conditions(&self, actor: Option<&Actor>, action: Action, store: &str) -> Option<Vec<KeyTest>> {
        let mut tests = Vec::new();
        for condition in &self.conditions {
            match condition.resolve(actor, action, store) {
                Known::Asks(test) => tests.push(test),
                Known::Outcome(outcome) if outcome.unwrap_or(self.effect == Effect::Deny) => {}
                Known::Outcome(_) => return None,
            }
        }
        Some(tests)
    }

    /// Whether its conditions may ask different things of a key for different actions.
    pub(super) fn mixes_key_and_action(&self) -> bool {
        self.conditions.iter().any(Condition::mixes_key_and_action)
    }

    /// Whether it counts in this scope.
    pub(super) fn is_in(&self, scope: &[String]) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| scope.contains(group))
    }
}

fn conditions(spec: &PolicySpec, problems: &mut Vec<Problem>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (index, stated) in spec.conditions.iter().enumerate() {
        match Condition::compile(stated) {
            Ok(condition) => conditions.push(condition),
            Err(mistakes) => problems.extend(mistakes.into_iter().map(|(key, message)| Problem {
                field: "conditions",
                index: Some(index),
                key: Some(key),
                message,
            })),
        }
    }
    conditions
}

/// Which actions the policy speaks of.
fn actions(spec: &PolicySpec, asks_for_key: bool, problems: &mut Vec<Problem>) -> [bool; Action::ALL.len()] {
    let before = problems.len();
    let mut actions = [false; Action::ALL.len()];
    let keyed_only = spec.keys.is_some() || asks_for_key;
    templates("actions", &spec.actions, problems, |template| {
        if template.has_variables() {
            return Some("`${...}` has no meaning in an action".into());
        }
        let glob = template.resolve(None)?;
        let matched = Action::ALL.map(|action| glob.matches(action.as_str().as_bytes()));
        if !matched.contains(&true) {
            let known = Action::ALL.map(Action::as_str).join(", ");
            return Some(format!("matches no action; there are {known}"));
        }
        for action in Action::ALL {
            actions[action as usize] |= matched[action as usize] && (action.is_keyed() || !keyed_only);
        }
        None
    });
    if problems.len() == before && !actions.contains(&true) {
        let what = if spec.keys.is_some() { "`keys`" } else { "a condition on the key" };
        let message = format!("a policy with {what} speaks of `store.key.*` only, and none of its actions is one");
        problems.push(Problem::of("actions", None, message));
    }
    actions
}

/// Parses a list of patterns, each of which `objection` may refuse.
fn templates(
    field: &'static str,
    patterns: &[String],
    problems: &mut Vec<Problem>,
    mut objection: impl FnMut(&Template) -> Option<String>,
) -> Vec<Template> {
    if patterns.is_empty() {
        problems.push(Problem::of(field, None, "an empty list matches nothing"));
    }
    let mut templates = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let message = match Template::parse(pattern) {
            Ok(template) => match objection(&template) {
                None => {
                    templates.push(template);
                    continue;
                }
                Some(objection) => format!("`{pattern}` {objection}"),
            },
            Err(message) => message,
        };
        problems.push(Problem::of(field, Some(index), message));
    }
    templates
}
