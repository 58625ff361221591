//! Who asks.

use clap::Args;
use store::{Actor, Context, Value};

/// Who asks.
#[derive(Debug, Args)]
pub(crate) struct Caller {
    /// Whom to act as
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// An attribute of the actor: true, false and numbers are such; anything else, and what is in "quotes", is a string
    #[arg(long = "actor-meta", value_name = "K=V", value_parser = meta, requires = "actor")]
    actor_meta: Vec<(String, Meta)>,
    /// A group of policies to act under; several make one scope
    #[arg(long, value_name = "GROUP")]
    scope: Vec<String>,
}

impl Caller {
    /// Who asks, for the policies.
    pub(crate) fn context(&self) -> Context {
        let actor = self.actor.as_ref().map(|id| {
            let metas = self.actor_meta.iter().cloned();
            metas.fold(Actor::new(id), |actor, (name, meta)| actor.with_meta(name, meta.0))
        });
        Context::new(actor, (!self.scope.is_empty()).then(|| self.scope.clone()))
    }
}

/// The value of an actor's attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Meta(pub(crate) Value);

fn meta(text: &str) -> Result<(String, Meta), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), Meta(value_of(value)))),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Only what is written as the type itself would be is of that type: `007` stays a string.
fn value_of(text: &str) -> Value {
    if let Some(quoted) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return Value::from(quoted);
    }
    if let Ok(bool) = text.parse::<bool>() {
        return Value::from(bool);
    }
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return Value::from(number);
    }
    if let Ok(number) = text.parse::<f64>()
        && number.is_finite()
        && number.to_string() == text
    {
        return Value::from(number);
    }
    Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_typed_only_where_nothing_is_lost() {
        for (text, value) in [
            ("3", Value::from(3i64)),
            ("-1", Value::from(-1i64)),
            ("2.5", Value::from(2.5)),
            ("true", Value::from(true)),
            ("007", Value::from("007")),
            ("1e3", Value::from("1e3")),
            ("\"3\"", Value::from("3")),
            ("a=b", Value::from("a=b")),
            ("", Value::from("")),
        ] {
            assert_eq!(value_of(text), value, "{text}");
        }
    }
}
