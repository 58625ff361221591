//! Conditions: what a policy asks beyond action, store and key pattern.
//!
//! A condition has three outcomes: it holds, it does not, or it cannot be told (`None`). What cannot be told counts against
//! access; who evaluates a condition knows which way that is.

use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::datum::{Datum, Kind};
use super::pattern::Variable;
use crate::config::closest;
use crate::{Actor, Value};

/// What a compiled regular expression may take, in bytes; the cache of its automaton, too.
const REGEX_SIZE: usize = 1 << 20;

/// A regular expression that an actor brings has at most this many bytes: it is compiled when he comes.
const MAX_BROUGHT_REGEX: usize = 1024;

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operator {
    /// Equal: texts byte for byte, numbers by what they are worth, booleans.
    Eq,
    /// Not equal, but of the same kind.
    Ne,
    /// Less: numbers, or texts in byte order.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Equal to an item of a list.
    In,
    /// Equal to none.
    Nin,
    /// The field is there. `value = false` turns it round.
    Exists,
    /// The field is not there.
    Nexists,
    /// A text has this text in it; a list has this item.
    Contains,
    /// It has not.
    Ncontains,
    /// A text matches a regular expression somewhere.
    Matches,
    /// It matches nowhere.
    Nmatches,
}

/// A condition as a configuration states it, not yet looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct ConditionSpec {
    /// What is looked at: `actor.id`, `actor.meta.NAME`, `action`, `resource` or `key`.
    pub field: String,
    /// How.
    pub operator: Operator,
    /// What it is compared with: a string, a number, a boolean, or for `in` and `nin` a list of one kind.
    pub value: Option<Value>,
    /// The field that it is compared with, in place of a value.
    pub value_from: Option<String>,
}

/// The question that an operator asks, whichever way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Equal,
    Less,
    Greater,
    In,
    Exists,
    Contains,
    Matches,
}

impl Operator {
    /// The question, and whether the answer is turned round.
    fn question(self) -> (Question, bool) {
        match self {
            Operator::Eq => (Question::Equal, false),
            Operator::Ne => (Question::Equal, true),
            Operator::Lt => (Question::Less, false),
            Operator::Gte => (Question::Less, true),
            Operator::Gt => (Question::Greater, false),
            Operator::Lte => (Question::Greater, true),
            Operator::In => (Question::In, false),
            Operator::Nin => (Question::In, true),
            Operator::Exists => (Question::Exists, false),
            Operator::Nexists => (Question::Exists, true),
            Operator::Contains => (Question::Contains, false),
            Operator::Ncontains => (Question::Contains, true),
            Operator::Matches => (Question::Matches, false),
            Operator::Nmatches => (Question::Matches, true),
        }
    }
}

/// Where a condition looks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Actor(Variable),
    Action,
    Resource,
    Key,
}

impl Field {
    fn parse(text: &str) -> Result<Field, String> {
        const KNOWN: [&str; 5] = ["actor.id", "actor.meta.NAME", "action", "resource", "key"];
        match text {
            "action" => Ok(Field::Action),
            "resource" => Ok(Field::Resource),
            "key" => Ok(Field::Key),
            _ => match Variable::parse(text) {
                Some(variable) => Ok(Field::Actor(variable)),
                None => Err(match closest(text, &KNOWN) {
                    Some(close) => format!("`{text}` is no field; did you mean {close}?"),
                    None => format!("`{text}` is no field; there are {}", KNOWN.join(", ")),
                }),
            },
        }
    }

    /// Whether it can only be text.
    fn is_text(&self) -> bool {
        !matches!(self, Field::Actor(Variable::Meta(_)))
    }
}

/// What a field is compared with.
#[derive(Clone, Debug)]
enum Other {
    /// Nothing: the question is whether it is there.
    Nothing,
    Field(Field),
    Side(Side),
}

/// One side of a comparison, as far as it is known before the key is.
#[derive(Clone, Debug)]
enum Side {
    Key,
    Known(Value),
    /// A list of texts, sorted.
    Texts(Arc<[Box<[u8]>]>),
    Regex(Arc<Regex>),
}

/// A condition that was checked.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    question: Question,
    negated: bool,
    field: Field,
    other: Other,
}

/// A condition of which only the key is missing.
#[derive(Clone, Debug)]
pub(super) struct KeyTest {
    question: Question,
    negated: bool,
    left: Side,
    right: Side,
}

/// What is known of a condition before the key is.
#[derive(Debug)]
pub(super) enum Known {
    /// Its outcome.
    Outcome(Option<bool>),
    /// All but the key.
    Asks(KeyTest),
}

/// A mistake: in which key of the condition, and what.
type Mistake = (&'static str, String);

impl Condition {
    /// # Errors
    /// The mistakes in it.
    pub(super) fn compile(spec: &ConditionSpec) -> Result<Condition, Vec<Mistake>> {
        let (question, mut negated) = spec.operator.question();
        let field = Field::parse(&spec.field);
        let mut mistakes = Vec::new();
        let other = match (question, &spec.value, &spec.value_from) {
            (_, Some(_), Some(_)) => Err(("value_from", "a condition has `value` or `value_from`, not both".into())),
            (Question::Exists, None, None) => Ok(Other::Nothing),
            (Question::Exists, Some(Value::Bool(there)), None) => {
                negated ^= !there;
                Ok(Other::Nothing)
            }
            (Question::Exists, ..) => {
                let key = if spec.value.is_some() { "value" } else { "value_from" };
                Err((key, "`exists` and `nexists` take nothing, or `value = true` or `false`".into()))
            }
            (_, None, None) => Err(("value", "missing; or `value_from`".into())),
            (_, None, Some(from)) => match Field::parse(from) {
                Ok(Field::Key) if question == Question::Matches => {
                    Err(("value_from", "a key is no regular expression".into()))
                }
                Ok(from) => Ok(Other::Field(from)),
                Err(message) => Err(("value_from", message)),
            },
            (_, Some(value), None) => {
                literal(question, value, field.as_ref().ok()).map(Other::Side).map_err(|message| ("value", message))
            }
        };
        if let Err(message) = &field {
            mistakes.push(("field", message.clone()));
        }
        match (field, other) {
            (Ok(field), Ok(other)) => Ok(Condition { question, negated, field, other }),
            (_, other) => {
                mistakes.extend(other.err());
                Err(mistakes)
            }
        }
    }

    /// Whether its outcome may differ between keys.
    pub(super) fn asks_for_key(&self) -> bool {
        self.question != Question::Exists && self.mentions(&Field::Key)
    }

    /// Whether what it asks of a key may differ between actions.
    pub(super) fn mixes_key_and_action(&self) -> bool {
        self.mentions(&Field::Key) && self.mentions(&Field::Action)
    }

    fn mentions(&self, field: &Field) -> bool {
        self.field == *field || matches!(&self.other, Other::Field(other) if other == field)
    }

    /// Decides as much as can be without the key.
    pub(super) fn resolve(&self, actor: Option<&Actor>, action: Action, resource: &str) -> Known {
        let side = |field: &Field| match field {
            Field::Actor(variable) => actor.and_then(|actor| variable.of(actor)).map(Side::Known),
            Field::Action => Some(Side::Known(action.as_str().into())),
            Field::Resource => Some(Side::Known(resource.into())),
            Field::Key => action.is_keyed().then_some(Side::Key),
        };
        let left = side(&self.field);
        let right = match &self.other {
            Other::Nothing => return Known::Outcome(Some(left.is_some() != self.negated)),
            Other::Side(side) => Some(side.clone()),
            Other::Field(field) => match (self.question, side(field)) {
                (Question::Matches, Some(Side::Known(pattern))) => brought_regex(&pattern),
                (_, side) => side,
            },
        };
        let (Some(left), Some(right)) = (left, right) else { return Known::Outcome(None) };
        let asked = KeyTest { question: self.question, negated: self.negated, left, right };
        if matches!(asked.left, Side::Key) || matches!(asked.right, Side::Key) {
            Known::Asks(asked)
        } else {
            Known::Outcome(asked.holds(&[]))
        }
    }
}

impl KeyTest {
    /// Whether it holds for this key. Allocates nothing.
    pub(super) fn holds(&self, key: &[u8]) -> Option<bool> {
        let left = self.left.datum(key);
        let answer = match (self.question, &self.right) {
            (Question::In, Side::Texts(texts)) => match left {
                Datum::Text(text) => Some(texts.binary_search_by(|item| (**item).cmp(text)).is_ok()),
                _ => None,
            },
            (Question::Matches, Side::Regex(regex)) => match left {
                Datum::Text(text) => Some(regex.is_match(text)),
                _ => None,
            },
            (question, right) => {
                let right = right.datum(key);
                match question {
                    Question::Equal => left.equals(right),
                    Question::Less => left.compare(right).map(std::cmp::Ordering::is_lt),
                    Question::Greater => left.compare(right).map(std::cmp::Ordering::is_gt),
                    Question::In => left.is_in(right),
                    Question::Contains => left.contains(right),
                    Question::Exists | Question::Matches => None,
                }
            }
        };
        answer.map(|answer| answer != self.negated)
    }
}

impl Side {
    fn datum<'a>(&'a self, key: &'a [u8]) -> Datum<'a> {
        match self {
            Side::Key => Datum::Text(key),
            Side::Known(value) => Datum::of(value),
            Side::Texts(_) | Side::Regex(_) => Datum::Other,
        }
    }
}

/// The value of a condition, if it makes sense there.
fn literal(question: Question, value: &Value, field: Option<&Field>) -> Result<Side, String> {
    let only_text = field.is_some_and(Field::is_text);
    let kind = |value: &Value| match Datum::of(value).kind() {
        Some(Kind::Nan) => Err("NaN compares with nothing".to_owned()),
        Some(kind) if only_text && kind != Kind::Text => {
            Err("this field is a string, and compares with strings only".to_owned())
        }
        Some(kind) => Ok(kind),
        None => Err("expected a string, a number or a boolean".to_owned()),
    };
    let known_action = |value: &Value| match (field, value.as_str()) {
        (Some(Field::Action), Some(text)) if !Action::ALL.iter().any(|action| action.as_str() == text) => {
            Err(format!("`{text}` is no action; there are {}", Action::ALL.map(Action::as_str).join(", ")))
        }
        _ => Ok(()),
    };
    match question {
        Question::In => {
            let Value::Array(items) = value else { return Err("`in` and `nin` take a list".to_owned()) };
            let kinds = items.iter().map(kind).collect::<Result<Vec<_>, _>>()?;
            items.iter().try_for_each(known_action)?;
            match kinds.split_first() {
                None => Err("an empty list has nothing in it".to_owned()),
                Some((first, rest)) if rest.iter().any(|kind| kind != first) => {
                    Err("the items of a list are of one kind".to_owned())
                }
                Some((Kind::Text, _)) => {
                    let mut texts: Vec<Box<[u8]>> = items.iter().filter_map(Value::as_bytes).map(Into::into).collect();
                    texts.sort_unstable();
                    Ok(Side::Texts(texts.into()))
                }
                Some(_) => Ok(Side::Known(value.clone())),
            }
        }
        Question::Matches => match value.as_str() {
            Some(pattern) => regex(pattern).map(|regex| Side::Regex(Arc::new(regex))),
            None => Err("a regular expression is a string".to_owned()),
        },
        Question::Less | Question::Greater if kind(value)? == Kind::Bool => Err("booleans have no order".to_owned()),
        Question::Contains if value.as_bytes() == Some(b"") => Err("every string contains the empty one".to_owned()),
        _ => {
            kind(value)?;
            if question == Question::Equal {
                known_action(value)?;
            }
            Ok(Side::Known(value.clone()))
        }
    }
}

/// A regular expression on bytes, matched in time linear in the text.
fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).unicode(false).size_limit(REGEX_SIZE).dfa_size_limit(REGEX_SIZE).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        // The message shows the pattern on lines of its own; what is wrong stands on the last.
        error => {
            let message = error.to_string();
            let last = message.lines().last().unwrap_or_default();
            format!("not a regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
        }
    })
}

/// The regular expression that an attribute of the actor is, if it is one.
fn brought_regex(value: &Value) -> Option<Side> {
    let pattern = value.as_str().filter(|pattern| pattern.len() <= MAX_BROUGHT_REGEX)?;
    Some(Side::Regex(Arc::new(regex(pattern).ok()?)))
}
