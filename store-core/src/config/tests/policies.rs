//! What a configuration says of policies, and the mistakes in it.

use super::*;

#[test]
fn s3_conditions_are_read() {
    let text = r#"
[[security.policies]]
id = "p"
actions = ["store.key.*"]
resources = ["*"]
effect = "allow"
conditions = [
    { field = "actor.meta.level", operator = "gte", value = 3 },
    { field = "key", operator = "contains", value_from = "actor.id" },
]
[[security.policies.conditions]]
field = "resource"
operator = "in"
value = ["a", "b"]
"#;
    // Both forms at once are not TOML.
    assert_eq!(problems(text, None).len(), 1);
    let text = text.split("[[security.policies.conditions]]").next().unwrap();
    let config = resolve(text, None).unwrap();
    let allows = |level: i64, key: &str| {
        let cx = Context::new(Some(Actor::new("alice").with_meta("level", level)), Some(vec![]));
        config.policies.access(&cx, "s").allows(Action::KeyGet, Some(key.as_bytes()))
    };
    assert!(allows(3, "x:alice"));
    assert!(!allows(2, "x:alice") && !allows(3, "x:bob"));
}

#[test]
fn s3_each_mistake_in_a_policy_has_its_line_and_entry() {
    let policy = |fields: &str| format!("[[security.policies]]\nid = \"p\"\n{fields}\n");
    let rest = "actions = [\"store.key.*\"]\nresources = [\"*\"]\neffect = \"allow\"";
    for (text, expected) in [
        (format!("[[security.policies]]\n{rest}"), "1: security.policies[0].id: missing key"),
        (policy(&format!("{rest}\nefect = 1")), "6: security.policies[0].efect: unknown key; did you mean effect?"),
        (
            policy("actions = [\"*\"]\nresources = [\"*\"]\neffect = \"alow\""),
            "5: security.policies[0].effect: unknown variant `alow`, expected `allow` or `deny`",
        ),
        (
            policy("actions = [\n\"*\",\n7]\nresources = [\"*\"]\neffect = \"deny\""),
            "5: security.policies[0].actions[1]: expected a string, found 7",
        ),
        (
            policy("actions = \"*\"\nresources = [\"*\"]\neffect = \"deny\""),
            "3: security.policies[0].actions: expected an array, found the string \"*\"",
        ),
        (
            policy("actions = []\nresources = [\"*\"]\neffect = \"deny\""),
            "3: security.policies[0].actions: policy \"p\": an empty list matches nothing",
        ),
        (
            format!("{}\n{}", policy(rest), policy(rest)),
            "8: security.policies[1].id: policy \"p\": another policy has this id",
        ),
    ] {
        assert_eq!(problems(&text, None), [format!("x.toml:{expected}")], "{text}");
    }
    let condition = |fields: &str| format!("{}[[security.policies.conditions]]\n{fields}", policy(rest));
    for (text, expected) in [
        (condition("operator = \"eq\"\nvalue = 1"), "6: security.policies[0].conditions[0].field: missing key"),
        (
            condition("field = \"key\"\noperator = \"equals\"\nvalue = \"x\""),
            "8: security.policies[0].conditions[0].operator: unknown variant `equals`, expected one of `eq`, `ne`, `lt`, \
             `lte`, `gt`, `gte`, `in`, `nin`, `exists`, `nexists`, `contains`, `ncontains`, `matches`, `nmatches`",
        ),
        (
            condition("field = \"kye\"\noperator = \"eq\"\nvalue = \"x\""),
            "7: security.policies[0].conditions[0].field: policy \"p\": `kye` is no field; did you mean key?",
        ),
        (
            condition("field = \"key\"\noperator = \"eq\"\nvalue = \"x\"\nvale = 1"),
            "10: security.policies[0].conditions[0].vale: unknown key; did you mean value?",
        ),
        (
            condition("field = \"key\"\noperator = \"matches\"\nvalue = \"a(\""),
            "9: security.policies[0].conditions[0].value: policy \"p\": not a regular expression: unclosed group",
        ),
        (
            condition("field = \"actor.meta.since\"\noperator = \"lt\"\nvalue = 2026-01-01"),
            "9: security.policies[0].conditions[0].value: policy \"p\": expected a string, a number or a boolean",
        ),
        (
            policy(&format!("{rest}\nconditions = [\n{{ field = \"key\",\n operator = \"eq\" }},\n]")),
            "7: security.policies[0].conditions[0].value: policy \"p\": missing; or `value_from`",
        ),
    ] {
        assert_eq!(problems(&text, None), [format!("x.toml:{expected}")], "{text}");
    }
    let found = problems(&policy(&format!("{rest}\nkeys = [\n\"ok\",\n\"user:${{actor.nmae}}\"]")), None);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("x.toml:8: security.policies[0].keys[1]: policy \"p\": "), "{found:?}");
}
