//! What must hold of the conditions of policies, for any field, operator, value and key: they say the same as a plain comparison,
//! an operator and its opposite agree, and what cannot be told counts against access.

use store_core::policy::{Action, ConditionSpec, Effect, Operator, Policy, PolicySet, PolicySpec};
use store_core::{Actor, Context, Value};

const PAIRS: [(&str, Operator, Operator); 7] = [
    ("eq", Operator::Eq, Operator::Ne),
    ("lt", Operator::Lt, Operator::Gte),
    ("gt", Operator::Gt, Operator::Lte),
    ("in", Operator::In, Operator::Nin),
    ("exists", Operator::Exists, Operator::Nexists),
    ("contains", Operator::Contains, Operator::Ncontains),
    ("matches", Operator::Matches, Operator::Nmatches),
];

/// The input is lines: a field, an operator, a value (`@FIELD` for one of another field, `#NUMBER` for a number, `[...]` for a list
/// of the words in it, else a text), and the text of the actor's attribute `x`; what follows is a key.
///
/// # Panics
/// If a condition and the plain comparison disagree.
pub(crate) fn condition(bytes: &[u8]) {
    let mut lines = bytes.splitn(5, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (field, operator, operand, attribute, key) = (line(), line(), line(), line(), line());
    let Some((_, operator, opposite)) = PAIRS.into_iter().find(|(name, ..)| name.as_bytes() == operator) else {
        return;
    };
    let field = String::from_utf8_lossy(field).into_owned();
    let (value, value_from) = operand_of(operand);
    let stated = |operator| ConditionSpec {
        field: field.clone(),
        operator,
        value: value.clone(),
        value_from: value_from.clone(),
    };
    let spec = |effect, conditions| PolicySpec {
        id: "p".to_owned(),
        actions: vec!["store.key.*".to_owned()],
        resources: vec!["*".to_owned()],
        keys: None,
        conditions,
        effect,
        groups: Vec::new(),
    };
    let compile = |effect, operator| Policy::compile(spec(effect, vec![stated(operator)]));
    let (Ok(allow), Ok(deny)) = (compile(Effect::Allow, operator), compile(Effect::Deny, operator)) else {
        assert!(compile(Effect::Deny, operator).is_err() && compile(Effect::Allow, opposite).is_err());
        return;
    };
    let (Ok(not_allow), Ok(not_deny)) = (compile(Effect::Allow, opposite), compile(Effect::Deny, opposite)) else {
        panic!("an operator is sound where its opposite is");
    };
    let Ok(all) = Policy::compile(spec(Effect::Allow, Vec::new())) else { panic!("a plain policy is sound") };

    let attribute_value = Value::String(attribute.to_vec());
    let cx = Context::new(Some(Actor::new("alice").with_meta("x", attribute_value)), Some(Vec::new()));
    for action in Action::ALL.into_iter().filter(|action| action.is_keyed()) {
        let allows =
            |policies: Vec<Policy>| PolicySet::new(true, policies).access(&cx, "s:1").allows(action, Some(key));
        let tells = |allow: &Policy, deny: &Policy| {
            let (holds, may_hold) = (allows(vec![allow.clone()]), !allows(vec![all.clone(), deny.clone()]));
            assert!(may_hold || !holds, "what holds may hold");
            (holds, may_hold)
        };
        let ((holds, may_hold), (fails, may_fail)) = (tells(&allow, &deny), tells(&not_allow, &not_deny));
        // A listing is denied more widely: it must not show what lies under its prefix.
        if action != Action::KeyList || !field_mixes(&field, value_from.as_deref()) {
            assert_eq!((holds, may_hold), (!may_fail, !fails), "{action} {operator:?}");
        }
        assert!(!(holds && fails));
        let text = |name: &str| match name {
            "actor.id" => Some(&b"alice"[..]),
            "actor.meta.x" => Some(attribute),
            "action" => Some(action.as_str().as_bytes()),
            "resource" => Some(&b"s:1"[..]),
            "key" => Some(key),
            _ => None,
        };
        let right = match (&value, &value_from) {
            (Some(Value::String(own)), _) => Some(&**own),
            (_, Some(name)) => text(name),
            _ => None,
        };
        if let (Some(left), Some(right)) = (text(&field), right)
            && let Some(expected) = plain(operator, left, right)
        {
            assert_eq!(holds, expected, "{field} {operator:?}");
        }
    }
}

fn operand_of(text: &[u8]) -> (Option<Value>, Option<String>) {
    let word = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match text {
        [b'@', name @ ..] => (None, Some(word(name))),
        [b'#', number @ ..] => match word(number).parse::<f64>() {
            Ok(number) => (Some(Value::from(number)), None),
            Err(_) => (None, None),
        },
        [b'[', items @ ..] => {
            let words = items.split(|byte| matches!(byte, b' ' | b']')).filter(|item| !item.is_empty());
            (Some(Value::Array(words.map(|item| Value::String(item.to_vec())).collect())), None)
        }
        text => (Some(Value::String(text.to_vec())), None),
    }
}

fn field_mixes(field: &str, from: Option<&str>) -> bool {
    matches!((field, from), ("key", Some("action")) | ("action", Some("key")))
}

/// What a comparison of two texts says.
fn plain(operator: Operator, left: &[u8], right: &[u8]) -> Option<bool> {
    match operator {
        Operator::Eq => Some(left == right),
        Operator::Lt => Some(left < right),
        Operator::Gt => Some(left > right),
        Operator::Contains if !right.is_empty() => Some((0..left.len()).any(|at| left[at..].starts_with(right))),
        _ => None,
    }
}
