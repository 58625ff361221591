//! Ways into a tree of TOML, step by step.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Path;

/// A step into a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    /// The path of a value in the one that has this path.
    pub(super) fn extend(&self, path: &Path) -> Path {
        match self {
            Step::Key(key) => path.key(key),
            Step::Index(index) => path.index(*index),
        }
    }

    /// Where this step of a parent stands: the key of a table's entry.
    pub(super) fn span(&self, parent: Option<&Spanned<DeValue<'_>>>) -> Range<usize> {
        let found = parent.and_then(|parent| match (self, parent.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => table.get_key_value(key.as_str()).map(|(key, _)| key.span()),
            (Step::Index(index), DeValue::Array(items)) => items.get(*index).map(Spanned::span),
            _ => None,
        });
        found.or_else(|| parent.map(Spanned::span)).unwrap_or_default()
    }
}

/// What is at the end of a way.
pub(super) fn at<'a, 't>(tree: &'a Spanned<DeValue<'t>>, steps: &[Step]) -> Option<&'a Spanned<DeValue<'t>>> {
    steps.iter().try_fold(tree, |value, step| match (step, value.get_ref()) {
        (Step::Key(key), DeValue::Table(table)) => table.get(key.as_str()),
        (Step::Index(index), DeValue::Array(items)) => items.get(*index),
        _ => None,
    })
}

/// The way to the entry whose key or value has exactly this span; the innermost, if several have.
pub(super) fn find(tree: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<Vec<Step>> {
    let mut found = (tree.span() == *span).then(Vec::new);
    let mut descend = |step: Step, own: bool, child: &Spanned<DeValue<'_>>| {
        if let Some(mut rest) = find(child, span).or_else(|| own.then(Vec::new)) {
            rest.insert(0, step);
            found = Some(rest);
        }
    };
    match tree.get_ref() {
        DeValue::Table(table) => {
            for (key, child) in table {
                descend(Step::Key(key.get_ref().to_string()), key.span() == *span, child);
            }
        }
        DeValue::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                descend(Step::Index(index), false, child);
            }
        }
        _ => {}
    }
    found
}

/// Takes out the innermost entry of a table on the way, and says which it was.
pub(super) fn remove(tree: &mut Spanned<DeValue<'_>>, steps: &[Step]) -> Option<Vec<Step>> {
    let last = steps.iter().rposition(|step| matches!(step, Step::Key(_)))?;
    let mut value = tree;
    for step in &steps[..last] {
        value = match (step, value.get_mut()) {
            (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str())?,
            (Step::Index(index), DeValue::Array(items)) => items.get_mut(*index)?,
            _ => return None,
        };
    }
    let (Step::Key(key), DeValue::Table(table)) = (&steps[last], value.get_mut()) else { return None };
    remove_key(table, key).then(|| steps[..=last].to_vec())
}

fn remove_key(table: &mut DeTable<'_>, key: &str) -> bool {
    table.remove(key).is_some()
}
