//! A configuration in print: as it was written, variables unreplaced, secrets hidden.

use std::fmt::Write;

use toml::de::{DeTable, DeValue};

use super::problem::Path;
use super::secret::{is_secret_name, redact};
use super::step::Step;
use super::variables::is_only_variable;

/// What may be shown of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    /// All of it: only for telling whether two values are the same.
    All,
    /// All but what looks like a secret.
    Public,
    /// Nothing but the names of variables.
    Nothing,
}

impl Show {
    fn under(self, name: &str) -> Show {
        if self == Show::Public && is_secret_name(name) { Show::Nothing } else { self }
    }
}

/// A value as TOML in one line, secrets hidden. `step` is the last one on the way to it: a name may be that of a secret.
pub(crate) fn show(value: &DeValue<'_>, step: Option<&Step>) -> String {
    let mut out = String::new();
    let show = match step {
        Some(Step::Key(name)) => Show::Public.under(name),
        _ => Show::Public,
    };
    write_value(&mut out, value, show);
    out
}

/// A text that is the same for the same values, wherever they stand. Holds secrets.
pub(crate) fn fingerprint(value: &DeValue<'_>) -> String {
    let mut out = String::new();
    write_value(&mut out, value, Show::All);
    out
}

fn write_value(out: &mut String, value: &DeValue<'_>, show: Show) {
    // Writing to a string does not fail.
    let _ = match value {
        DeValue::Table(table) => return write_table(out, table, show),
        DeValue::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_value(out, item.get_ref(), show);
            }
            out.push(']');
            Ok(())
        }
        DeValue::String(text) if show == Show::Public => write!(out, "{:?}", redact(text)),
        DeValue::String(text) if show == Show::All || is_only_variable(text) => write!(out, "{text:?}"),
        _ if show == Show::Nothing => out.write_str("\"***\""),
        DeValue::String(text) => write!(out, "{text:?}"),
        DeValue::Integer(number) => write!(out, "{number}"),
        DeValue::Float(number) => write!(out, "{number}"),
        DeValue::Boolean(bool) => write!(out, "{bool}"),
        DeValue::Datetime(datetime) => write!(out, "{datetime}"),
    };
}

fn write_table(out: &mut String, table: &DeTable<'_>, show: Show) {
    if table.is_empty() {
        out.push_str("{}");
        return;
    }
    out.push_str("{ ");
    for (index, (key, item)) in table.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        let name = key.get_ref();
        out.push_str(&Path::root().key(name).to_string());
        out.push_str(" = ");
        write_value(out, item.get_ref(), show.under(name));
    }
    out.push_str(" }");
}
