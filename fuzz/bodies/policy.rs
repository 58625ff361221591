//! What must hold of access policies for any pattern: they say the same as a matcher that is obviously right.

use store_core::policy::{Action, Effect, Policy, PolicySet, PolicySpec};
use store_core::{Actor, Context};

/// The actor's id is a star, which must not act as one.
const ACTOR: &str = "*";
const META: &str = "a?b";

/// The input is lines: a pattern of actions, one of stores, one of keys, a store id; what follows is a key.
///
/// # Panics
/// If the policy and the plain matcher disagree.
pub(crate) fn policy(bytes: &[u8]) {
    let mut lines = bytes.splitn(5, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (actions, resource, pattern, store, key) = (line(), line(), line(), line(), line());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let store = text(store);
    let spec = |effect| PolicySpec {
        id: "p".to_owned(),
        actions: vec![text(actions)],
        resources: vec![text(resource)],
        keys: Some(vec![text(pattern)]),
        conditions: Vec::new(),
        effect,
        groups: Vec::new(),
    };
    let (Ok(allow), Ok(deny)) = (Policy::compile(spec(Effect::Allow)), Policy::compile(spec(Effect::Deny))) else {
        // Whether a policy is sound does not depend on what it does.
        assert!(Policy::compile(spec(Effect::Allow)).is_err() && Policy::compile(spec(Effect::Deny)).is_err());
        return;
    };

    let actor = Actor::new(ACTOR).with_meta("x", META);
    let cx = Context::new(Some(actor), Some(Vec::new()));
    let allowing = PolicySet::new(true, vec![allow.clone()]).access(&cx, &store);
    let denying = PolicySet::new(true, vec![allow.clone(), deny]).access(&cx, &store);
    let unscoped = PolicySet::new(true, vec![allow.clone()]).access(&Context::none(), &store);
    let nameless = PolicySet::new(true, vec![allow]).access(&Context::new(None, Some(Vec::new())), &store);

    let expected = |action: Action| {
        Some(
            action.is_keyed()
                && plain(&text(actions), action.as_str().as_bytes())?
                && plain(&text(resource), store.as_bytes())?
                && plain(&text(pattern), key)?,
        )
    };
    let variables = [resource, pattern].iter().any(|text| text.windows(2).any(|pair| pair == b"${"));
    for action in Action::ALL {
        let allowed = allowing.allows(action, Some(key));
        assert_eq!(allowed, allowing.decide(action, Some(key)).allowed);
        if let Some(expected) = expected(action) {
            assert_eq!(allowed, expected, "{action}");
        }
        // Deny wins, and nothing is allowed by a key that is not known, or to whom the policies do not speak of.
        assert!(!denying.allows(action, Some(key)));
        assert!(!unscoped.allows(action, Some(key)));
        if allowing.allows(action, None) {
            assert!(allowed);
        }
        if nameless.allows(action, Some(key)) {
            assert!(allowed || variables);
        }
    }
}

enum Step {
    Byte(u8),
    One,
    Many,
}

/// Whether the pattern matches the whole text, by a table of all prefixes. `None`: it has a variable unknown here.
fn plain(pattern: &str, text: &[u8]) -> Option<bool> {
    let steps = steps(pattern)?;
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for step in steps {
        let mut next = vec![false; text.len() + 1];
        for (at, here) in reached.iter().enumerate().filter(|(_, here)| **here).map(|(at, _)| (at, text.get(at))) {
            match (&step, here) {
                (Step::Many, _) => next[at..].fill(true),
                (Step::One, Some(_)) => next[at + 1] = true,
                (Step::Byte(byte), Some(here)) if byte == here => next[at + 1] = true,
                _ => {}
            }
        }
        reached = next;
    }
    reached.pop()
}

fn steps(pattern: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = pattern.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'*' => steps.push(Step::Many),
            b'?' => steps.push(Step::One),
            b'\\' => {
                let (&escaped, after) = rest.split_first()?;
                rest = after;
                steps.push(Step::Byte(escaped));
            }
            b'$' if rest.starts_with(b"{") => {
                let (value, after) = [("{actor.id}", ACTOR), ("{actor.meta.x}", META)]
                    .into_iter()
                    .find_map(|(name, value)| Some((value, rest.strip_prefix(name.as_bytes())?)))?;
                rest = after;
                steps.extend(value.bytes().map(Step::Byte));
            }
            byte => steps.push(Step::Byte(byte)),
        }
    }
    Some(steps)
}
