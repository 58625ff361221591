//! From a stated policy to one that can be evaluated.

use std::sync::Arc;

use super::pattern::Template;
use super::{Action, Effect, PolicySpec, Problem};
use crate::MAX_KEY_LEN;

/// A policy that was checked and is ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) id: Arc<str>,
    pub(super) effect: Effect,
    /// Which actions it speaks of, by position in [`Action::ALL`].
    pub(super) actions: [bool; Action::ALL.len()],
    pub(super) resources: Vec<Template>,
    pub(super) keys: Option<Vec<Template>>,
    pub(super) groups: Vec<String>,
}

impl Policy {
    /// Checks a policy.
    ///
    /// # Errors
    /// All mistakes at once: what is empty, what can never match, escapes that escape nothing, unknown `${...}`.
    pub fn compile(spec: PolicySpec) -> Result<Policy, Vec<Problem>> {
        let mut problems = Vec::new();
        if spec.id.is_empty() {
            problems.push(Problem { field: "id", index: None, message: "a policy needs an id".into() });
        }
        let actions = actions(&spec, &mut problems);
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
                problems.push(Problem { field: "groups", index: Some(index), message: "a group needs a name".into() });
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Policy { id: spec.id.into(), effect: spec.effect, actions, resources, keys, groups: spec.groups })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it counts in this scope.
    pub(super) fn is_in(&self, scope: &[String]) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| scope.contains(group))
    }
}

/// Which actions the policy speaks of.
fn actions(spec: &PolicySpec, problems: &mut Vec<Problem>) -> [bool; Action::ALL.len()] {
    let before = problems.len();
    let mut actions = [false; Action::ALL.len()];
    let keyed_only = spec.keys.is_some();
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
        let message = "a policy with `keys` speaks of `store.key.*` only, and none of its actions is one".into();
        problems.push(Problem { field: "actions", index: None, message });
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
        problems.push(Problem { field, index: None, message: "an empty list matches nothing".into() });
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
        problems.push(Problem { field, index: Some(index), message });
    }
    templates
}
