//! The `security` table: `strict`, and the policies.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::collect::Collect;
use super::problem::{Path, Problems, found, unknown};
use super::variables::Interpolated;
use crate::Value;
use crate::policy::{ConditionSpec, Effect, Operator, Policy, PolicySpec, Problem};

const KEYS: [&str; 2] = ["strict", "policies"];

/// What one `security` table says.
#[derive(Debug, Default)]
pub(crate) struct Security {
    pub(crate) strict: Option<bool>,
    pub(crate) policies: Option<Vec<Policy>>,
}

/// A policy as the file states it. What it must state is asked for in the table, so that all that is missing is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    id: Option<String>,
    actions: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    keys: Option<Vec<String>>,
    conditions: Option<Vec<StatedCondition>>,
    effect: Option<Effect>,
    groups: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedCondition {
    field: String,
    operator: Operator,
    value: Option<Value>,
    value_from: Option<String>,
}

impl From<StatedCondition> for ConditionSpec {
    fn from(StatedCondition { field, operator, value, value_from }: StatedCondition) -> ConditionSpec {
        ConditionSpec { field, operator, value, value_from }
    }
}

const REQUIRED: [&str; 4] = ["id", "actions", "resources", "effect"];

impl Security {
    pub(crate) fn read(value: &Spanned<DeValue<'_>>, path: &Path, problems: &mut Problems) -> Security {
        let DeValue::Table(table) = value.get_ref() else {
            problems.add(&value.span(), path, format!("expected a table, found {}", found(value.get_ref())));
            return Security::default();
        };
        let mut security = Security::default();
        for (key, value) in table {
            let path = path.key(key.get_ref());
            match (&**key.get_ref(), value.get_ref()) {
                ("strict", DeValue::Boolean(strict)) => security.strict = Some(*strict),
                ("strict", other) => {
                    problems.add(&key.span(), &path, format!("expected true or false, found {}", found(other)));
                }
                ("policies", DeValue::Array(items)) => {
                    security.policies = Some(policies(items.iter(), &path, problems));
                }
                ("policies", other) => {
                    problems.add(&key.span(), &path, format!("expected an array of tables, found {}", found(other)));
                }
                (name, _) => problems.add(&key.span(), &path, unknown("key", name, &KEYS)),
            }
        }
        security
    }
}

fn policies<'a>(
    items: impl Iterator<Item = &'a Spanned<DeValue<'a>>>,
    path: &Path,
    problems: &mut Problems,
) -> Vec<Policy> {
    let mut policies = Vec::<Policy>::new();
    for (index, item) in items.enumerate() {
        let path = path.index(index);
        let DeValue::Table(table) = item.get_ref() else {
            problems.add(&item.span(), &path, format!("expected a table, found {}", found(item.get_ref())));
            continue;
        };
        let input = Interpolated { value: item.clone(), unresolved: Vec::new(), sensitive: Vec::new() };
        for name in REQUIRED.iter().filter(|name| !table.contains_key(**name)) {
            problems.add(&item.span(), &path.key(name), "missing key");
        }
        let collect = Collect { noun: "key", path: &path, written: item, problems };
        let stated = collect.run(&input, |tree| Stated::deserialize(ValueDeserializer::from(tree)), |_| Ok(()));
        let Some(Stated { id, actions, resources, keys, conditions, effect, groups }) = stated else { continue };
        let (Some(id), Some(actions), Some(resources), Some(effect)) = (id, actions, resources, effect) else {
            continue;
        };
        if policies.iter().any(|policy| policy.id() == id) {
            let message = format!("policy {id:?}: another policy has this id");
            let span = table.get_key_value("id").map_or_else(|| item.span(), |(key, _)| key.span());
            problems.add(&span, &path.key("id"), message);
        }
        let conditions = conditions.unwrap_or_default().into_iter().map(Into::into).collect();
        let groups = groups.unwrap_or_default();
        let spec = PolicySpec { id: id.clone(), actions, resources, keys, conditions, effect, groups };
        match Policy::compile(spec) {
            Ok(policy) => policies.push(policy),
            Err(found) => {
                for problem in found {
                    let span = place(table, item, &problem);
                    let path = path.key(problem.field);
                    let path = problem.index.map_or(path.clone(), |index| path.index(index));
                    let path = problem.key.map_or(path.clone(), |key| path.key(key));
                    problems.add(&span, &path, format!("policy {id:?}: {}", problem.message));
                }
            }
        }
    }
    policies
}

/// Where a mistake in a policy stands: at a field, at one item of it, or at a key of the item.
fn place(table: &DeTable<'_>, whole: &Spanned<DeValue<'_>>, problem: &Problem) -> std::ops::Range<usize> {
    let Some((name, value)) = table.get_key_value(problem.field) else { return whole.span() };
    let Some(index) = problem.index else { return name.span() };
    let Some(item) = value.get_ref().get(index) else { return value.span() };
    let key = problem.key.and_then(|key| match item.get_ref() {
        DeValue::Table(table) => table.get_key_value(key),
        _ => None,
    });
    key.map_or_else(|| item.span(), |(key, _)| key.span())
}
