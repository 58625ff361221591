//! What good and bad configurations give, by line and key.

mod policies;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::policy::Action;
use crate::{Actor, Backends, Context, Error, Expiry, Kind, Value};

/// A backend that only has options.
#[derive(Debug)]
struct Plain;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PlainOptions {
    max_entries: Option<NonZeroUsize>,
    label: String,
    idle: Option<HumanDuration>,
    cache: Option<Size>,
    mode: Mode,
    nested: Nested,
    list: Vec<u16>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Fast,
    Safe,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Nested {
    port: u16,
    token: Secret,
}

#[async_trait]
impl Backend for Plain {
    type Options = PlainOptions;
    const NAME: &'static str = "memory";

    fn check(&self, options: &PlainOptions) -> Result<()> {
        if options.nested.port == 1 {
            return Err(Error::invalid("port 1 is reserved").with_detail("key", "nested.port"));
        }
        if options.mode == Mode::Safe && options.max_entries.is_none() {
            return Err(Error::invalid("mode safe needs max_entries").with_detail("key", "mode"));
        }
        if options.label.contains("bad") {
            return Err(Error::invalid(format!("{} is bad", options.label)).with_detail("key", "label"));
        }
        Ok(())
    }

    async fn open(&self, options: &PlainOptions, _: OpenContext) -> Result<Arc<dyn Store>> {
        Err(Error::unavailable(format!("opened with label {}", options.label)))
    }
}

/// A backend with a required option.
#[derive(Debug)]
struct Remote;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoteOptions {
    url: Secret,
    #[serde(default)]
    timeout: Option<HumanDuration>,
}

#[async_trait]
impl Backend for Remote {
    type Options = RemoteOptions;
    const NAME: &'static str = "remote";

    fn check(&self, options: &RemoteOptions) -> Result<()> {
        if options.url.expose().starts_with("remote://") {
            return Ok(());
        }
        Err(Error::invalid(format!("{} is not a remote:// URL", options.url.expose())).with_detail("key", "url"))
    }

    async fn open(&self, options: &RemoteOptions, _: OpenContext) -> Result<Arc<dyn Store>> {
        Err(Error::unavailable(format!("opened {} {:?}", options.url.expose(), options.timeout)))
    }
}

fn backends() -> Backends {
    let mut backends = Backends::new();
    backends.register(Plain).unwrap().register(Remote).unwrap().not_compiled("redis", "redis");
    backends
}

fn variables(name: &str) -> Option<String> {
    match name {
        "URL" => Some("remote://user:hunter2@host".to_owned()),
        "WRONG_URL" => Some("http://user:hunter2@host".to_owned()),
        "LABEL" => Some("from the environment".to_owned()),
        "BAD" => Some("bad: hunter2".to_owned()),
        "BACKEND" => Some("memory".to_owned()),
        "TTL" => Some("5m".to_owned()),
        "HUNTER" => Some("hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn resolve(text: &str, environment: Option<&str>) -> Result<Config> {
    Document::parse(text, "x.toml")?.resolve(environment, &backends(), &variables)
}

/// The error's lines, after checking that the details say the same.
fn problems(text: &str, environment: Option<&str>) -> Vec<String> {
    let error = match resolve(text, environment) {
        Ok(config) => panic!("no mistake found in\n{text}\n{config:?}"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), Kind::Invalid);
    let Some(Value::Array(details)) = error.detail("problems") else { panic!("no details.problems") };
    let rebuilt = details.iter().map(|problem| {
        let text = |name| problem.get(name).and_then(Value::as_str);
        let line = problem.get("line").and_then(Value::as_i64).map(|line| format!(":{line}")).unwrap_or_default();
        let key = text("key").map(|key| format!(" {key}:")).unwrap_or_default();
        format!("{}{line}:{key} {}", text("file").unwrap(), text("message").unwrap())
    });
    assert_eq!(rebuilt.collect::<Vec<_>>().join("\n"), error.message());
    assert!(!format!("{error} {error:?}").contains("hunter2"), "a secret in {error:?}");
    error.message().lines().map(str::to_owned).collect()
}

/// The one mistake in a store's entry, whose first line is line 3 of the document.
fn store_problem(entry: &str) -> String {
    let found = problems(&format!("[stores.s]\nbackend = \"memory\"\n{entry}\n"), None);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

const GOOD: &str = r#"
close_timeout = "2s"

[stores."app:cache"]
backend = "memory"
default_ttl = "1h"
max_ttl = "7d"
ttl_jitter = 0.1
max_value_size = "64 KiB"
max_depth = 20
scan_timeout = "1m"
options = { max_entries = 100_000, label = "${LABEL}", idle = "1m30s", cache = "1 MiB", mode = "safe" }

[stores.sessions]
backend = "remote"
options.url = "remote://localhost"

[env.development]

[env.production]
close_timeout = "10s"

[env.production.stores."app:cache"]
backend = "remote"
options = { url = "${URL}", timeout = "5s" }

[env.production.stores.extra]
backend = "${BACKEND}"
default_ttl = "${TTL}"

[env.staging.security]
strict = true

[security]
strict = false

[[security.policies]]
id = "app:own-keys"
actions = ["store.key.*"]
resources = ["app:cache"]
keys = ["user:${actor.id}:*"]
effect = "allow"
groups = ["users"]
"#;

#[test]
fn t10_settings_are_read() {
    let config = resolve(GOOD, None).unwrap();
    assert_eq!(config.stores.keys().map(|id| &**id).collect::<Vec<_>>(), ["app:cache", "sessions"]);
    let store = &config.stores["app:cache"];
    assert_eq!((&*store.id, store.backend), ("app:cache", "memory"));
    assert_eq!(
        store.settings.ttl,
        TtlRules::new(Some(Duration::from_secs(3600)), Some(Duration::from_secs(604_800)), 0.1).unwrap()
    );
    assert_eq!(store.settings.limits, Limits { max_value_size: 65_536, max_depth: 20 });
    assert_eq!(store.settings.scan_timeout, Duration::from_secs(60));
    assert_eq!(config.stores["sessions"].settings, Settings::default());
    assert_eq!(config.close_timeout, Duration::from_secs(2));
    assert_eq!(config.environment, None);
    assert_eq!(config.base_dir, PathBuf::from("."));
}

#[test]
fn t10_never_is_a_default_and_no_cap() {
    let text = "[stores.s]\nbackend = \"memory\"\ndefault_ttl = \"never\"\nmax_ttl = \"never\"\n";
    assert_eq!(resolve(text, None).unwrap().stores["s"].settings.ttl, TtlRules::NONE);
    let text = "[stores.s]\nbackend = \"memory\"\nmax_ttl = \"1s\"\n";
    let rules = resolve(text, None).unwrap().stores["s"].settings.ttl;
    assert_eq!(rules.resolve(Expiry::Never).unwrap().as_millis().unwrap().get(), 1000);
}

#[test]
fn h2_an_environment_replaces_whole_entries_and_adds_some() {
    let config = resolve(GOOD, Some("production")).unwrap();
    let backends = config.stores.iter().map(|(id, store)| (&**id, store.backend)).collect::<BTreeMap<_, _>>();
    assert_eq!(backends, [("app:cache", "remote"), ("extra", "memory"), ("sessions", "remote")].into());
    assert_eq!(config.stores["app:cache"].settings, Settings::default(), "nothing is left of the replaced entry");
    assert_eq!(
        config.stores["extra"].settings.ttl.resolve(Expiry::Default).unwrap().as_millis().unwrap().get(),
        300_000
    );
    assert_eq!(config.close_timeout, Duration::from_secs(10));
    assert_eq!(config.environment.as_deref(), Some("production"));
    for same in [Some("development"), Some("")] {
        let config = resolve(GOOD, same).unwrap();
        assert_eq!(config.stores["app:cache"].backend, "memory");
        assert_eq!(config.close_timeout, Duration::from_secs(2));
    }
}

#[test]
fn s3_policies_and_strict_are_read_and_an_environment_replaces_them() {
    let allows = |config: &Config, key: &str| {
        let alice = Context::new(Some(Actor::new("alice")), Some(vec!["users".to_owned()]));
        config.policies.access(&alice, "app:cache").allows(Action::KeyGet, Some(key.as_bytes()))
    };
    let anonymous =
        |config: &Config| config.policies.access(&Context::none(), "app:cache").allows(Action::Acquire, None);
    let base = resolve(GOOD, None).unwrap();
    assert!(allows(&base, "user:alice:x") && !allows(&base, "user:bob:x") && anonymous(&base));
    let staging = resolve(GOOD, Some("staging")).unwrap();
    assert!(allows(&staging, "user:alice:x"), "policies stay where an environment has none");
    assert!(!anonymous(&staging), "strict replaces strict");
    let text = format!(
        "{GOOD}\n[[env.test.security.policies]]\nid = \"none\"\nactions = [\"*\"]\nresources = [\"*\"]\neffect = \"deny\"\n"
    );
    let test = resolve(&text, Some("test")).unwrap();
    assert!(!allows(&test, "user:alice:x"), "policies replace policies");
    assert!(anonymous(&test), "strict stays");
}

#[test]
fn h2_undeclared_environments_are_refused_where_any_is_declared() {
    assert_eq!(
        problems(GOOD, Some("prodution")),
        [r#"x.toml: environment "prodution" is not declared; declared are: development, production, staging"#]
    );
    let without = "[stores.s]\nbackend = \"memory\"\n";
    assert_eq!(resolve(without, Some("anything")).unwrap().environment.as_deref(), Some("anything"));
    assert_eq!(Document::parse(GOOD, "x").unwrap().environments(), ["development", "production", "staging"]);
    assert!(Document::parse(without, "x").unwrap().environments().is_empty());
}

#[test]
fn h2_each_mistake_in_a_store_has_its_line_key_and_reason() {
    for (entry, expected) in [
        ("backnd = 1", "3: stores.s.backnd: unknown key; did you mean backend?"),
        (
            "max_entries = 1",
            "3: stores.s.max_entries: unknown key; known: backend, default_ttl, max_ttl, ttl_jitter, max_value_size, \
             max_depth, scan_timeout, options; what is the backend's own belongs in options",
        ),
        (
            "default_ttl = 300",
            "3: stores.s.default_ttl: a duration needs a unit: write \"300s\" for seconds, or \"300ms\"",
        ),
        ("default_ttl = 1.5", "3: stores.s.default_ttl: a duration needs a unit: write \"1s\" for seconds, or \"1ms\""),
        ("default_ttl = true", "3: stores.s.default_ttl: expected a duration such as \"30s\", found true"),
        ("default_ttl = \"0s\"", "3: stores.s.default_ttl: must be longer than zero; write \"never\" for no expiry"),
        (
            "max_ttl = \"5 parsecs\"",
            "3: stores.s.max_ttl: the string \"5 parsecs\" has an unknown unit: a duration is a string such as \"500ms\", \
             \"30s\", \"5m\", \"1h\", \"7d\" or \"1h30m\"",
        ),
        (
            "scan_timeout = \"never\"",
            "3: stores.s.scan_timeout: \"never\" is not allowed here: nothing waits without a deadline",
        ),
        ("scan_timeout = \"0ms\"", "3: stores.s.scan_timeout: must be longer than zero"),
        ("ttl_jitter = 1", "3: stores.s.ttl_jitter: expected a fraction, at least 0 and less than 1, found 1"),
        ("ttl_jitter = nan", "3: stores.s.ttl_jitter: expected a fraction, at least 0 and less than 1, found nan"),
        (
            "ttl_jitter = \"10%\"",
            "3: stores.s.ttl_jitter: expected a fraction, at least 0 and less than 1, found the string \"10%\"",
        ),
        ("max_value_size = 0", "3: stores.s.max_value_size: must be at least 1 byte"),
        (
            "max_value_size = -1",
            "3: stores.s.max_value_size: expected a number of bytes, or a string such as \"8 MiB\", found -1",
        ),
        (
            "max_value_size = \"8 MB\"",
            "3: stores.s.max_value_size: the string \"8 MB\" has an ambiguous unit: write KiB, MiB or GiB (of 1024)",
        ),
        ("max_depth = 0", "3: stores.s.max_depth: expected a whole number from 1 to 256, found 0"),
        ("max_depth = 257", "3: stores.s.max_depth: expected a whole number from 1 to 256, found 257"),
        ("options = 5", "3: stores.s.options: expected a table, found 5"),
        (
            "\noptions = { max_entires = 5 }",
            "4: stores.s.options.max_entires: unknown option; did you mean max_entries?",
        ),
        (
            "options.path = 5",
            "3: stores.s.options.path: unknown option; known: max_entries, label, idle, cache, mode, nested, list",
        ),
        ("options.max_entries = 0", "3: stores.s.options.max_entries: expected a whole number, 1 or more, found 0"),
        ("options.max_entries = -5", "3: stores.s.options.max_entries: expected a whole number, 1 or more, found -5"),
        (
            "options.max_entries = \"5\"",
            "3: stores.s.options.max_entries: expected a whole number, 1 or more, found the string \"5\"",
        ),
        ("options.label = 5", "3: stores.s.options.label: expected a string, found 5"),
        ("options.idle = 5", "3: stores.s.options.idle: a duration needs a unit: write \"5s\" for seconds, or \"5ms\""),
        (
            "options.cache = \"x\"",
            "3: stores.s.options.cache: \"x\" is not a size: a size is a number of bytes, or a string such as \"64 KiB\" or \"8 MiB\"",
        ),
        ("options.mode = \"save\"", "3: stores.s.options.mode: unknown variant `save`, expected `fast` or `safe`"),
        ("options.nested = { prot = 5 }", "3: stores.s.options.nested.prot: unknown option; did you mean port?"),
        (
            "[stores.s.options.nested]\nport = 99999",
            "4: stores.s.options.nested.port: expected a whole number, 0 or more, found 99999",
        ),
        (
            "options.list = [\n1,\n\"x\",\n]",
            "5: stores.s.options.list[1]: expected a whole number, 0 or more, found the string \"x\"",
        ),
        ("options.nested.port = 1", "3: stores.s.options.nested.port: port 1 is reserved"),
        ("options.label = \"very bad\"", "3: stores.s.options.label: very bad is bad"),
        ("options.nested.token = 12345", "3: stores.s.options.nested.token: expected a string, which \"***\" is not"),
        ("options.label = \"${NONE}\"", "3: stores.s.options.label: the environment variable NONE is not set"),
        ("options.label = \"${\"", "3: stores.s.options.label: ${ without }; write $${ for a literal ${"),
        (
            "options.label = \"${a.b}\"",
            "3: stores.s.options.label: ${...} takes the name of an environment variable; write $${ for a literal ${",
        ),
        (
            "options.label = \"${BAD}\"",
            "3: stores.s.options.label: \"${BAD}\" is not accepted (the reason would show its value)",
        ),
        (
            "options.max_entries = \"${HUNTER}\"",
            "3: stores.s.options.max_entries: expected a whole number, 1 or more, which \"${HUNTER}\" is not",
        ),
        (
            "options.mode = \"${HUNTER}\"",
            "3: stores.s.options.mode: expected `fast` or `safe`, which \"${HUNTER}\" is not",
        ),
        (
            "options.idle = \"${HUNTER}\"",
            "3: stores.s.options.idle: \"${HUNTER}\" is not accepted (the reason would show its value)",
        ),
        (
            "default_ttl = \"${HUNTER}\"",
            "3: stores.s.default_ttl: the string \"${HUNTER}\" is not a duration: a duration is a string such as \"500ms\", \
             \"30s\", \"5m\", \"1h\", \"7d\" or \"1h30m\"",
        ),
    ] {
        assert_eq!(store_problem(entry), format!("x.toml:{expected}"), "{entry}");
    }
}

#[test]
fn h2_each_mistake_elsewhere_has_its_line_key_and_reason() {
    for (text, expected) in [
        ("[store.s]\nbackend = \"memory\"", "1: store: unknown key; did you mean stores?"),
        ("a = 1", "1: a: unknown key; known: stores, env, security, close_timeout"),
        ("stores = 1", "1: stores: expected a table, found 1"),
        ("\n[stores]\ns = \"memory\"", "3: stores.s: expected a table with a backend, found the string \"memory\""),
        ("[stores.\"\"]\nbackend = \"memory\"", "1: stores.\"\": a store id is not empty"),
        ("[stores.\"a:b\"]", "1: stores.\"a:b\".backend: missing key; known backends: memory, remote"),
        ("[stores.s]\nbackend = 5", "2: stores.s.backend: expected the name of a backend, found 5"),
        (
            "[stores.s]\nbackend = \"memroy\"",
            "2: stores.s.backend: no backend is called the string \"memroy\"; did you mean memory? known backends: memory, remote",
        ),
        (
            "[stores.s]\nbackend = \"${HUNTER}\"",
            "2: stores.s.backend: no backend is called the string \"${HUNTER}\"; known backends: memory, remote",
        ),
        (
            "[stores.s]\nbackend = \"redis\"",
            "2: stores.s.backend: `redis` needs the Cargo feature `redis`, which this build leaves out",
        ),
        ("[stores.s]\nbackend = \"remote\"", "1: stores.s.options.url: missing option"),
        ("[stores.s]\nbackend = \"remote\"\n[stores.s.options]\n", "3: stores.s.options.url: missing option"),
        (
            "[stores.s]\nbackend = \"remote\"\noptions.url = \"http://user:hunter2@h\"",
            "3: stores.s.options.url: \"http://***@h\" is not accepted (the reason would show its value)",
        ),
        (
            "[stores.s]\nbackend = \"remote\"\noptions.url = \"${WRONG_URL}\"",
            "3: stores.s.options.url: \"${WRONG_URL}\" is not accepted (the reason would show its value)",
        ),
        (
            "close_timeout = \"never\"",
            "1: close_timeout: \"never\" is not allowed here: nothing waits without a deadline",
        ),
        ("close_timeout = 5", "1: close_timeout: a duration needs a unit: write \"5s\" for seconds, or \"5ms\""),
        ("env = 1", "1: env: expected a table, found 1"),
        ("[env]\na = 1", "2: env.a: expected a table, found 1"),
        ("[env.\"\"]", "1: env.\"\": the name of an environment is not empty"),
        ("[env.a.store.b]", "1: env.a.store: unknown key; did you mean stores?"),
        ("[env.a.env.b]", "1: env.a.env: unknown key; known: stores, security, close_timeout"),
        (
            "[env.a.stores.s]\nbackend = \"memory\"\noptions.max_entires = 1",
            "3: env.a.stores.s.options.max_entires: unknown option; did you mean max_entries?",
        ),
        (
            "[env.a.stores.s]\nbackend = \"sled\"",
            "2: env.a.stores.s.backend: no backend is called the string \"sled\"; known backends: memory, remote",
        ),
        (
            "[env.a]\nclose_timeout = \"x\"\n",
            "2: env.a.close_timeout: the string \"x\" is not a duration: a duration is a string such as \"500ms\", \"30s\", \"5m\", \"1h\", \"7d\" or \"1h30m\"",
        ),
        ("security = 1", "1: security: expected a table, found 1"),
        ("[security]\nstrct = true", "2: security.strct: unknown key; did you mean strict?"),
        ("[security]\nstrict = \"yes\"", "2: security.strict: expected true or false, found the string \"yes\""),
        ("[security]\npolicies = 1", "2: security.policies: expected an array of tables, found 1"),
        ("[security]\npolicies = [\n1]", "3: security.policies[0]: expected a table, found 1"),
        ("[env.a.security]\nstrict = 1", "2: env.a.security.strict: expected true or false, found 1"),
    ] {
        assert_eq!(problems(text, None), [format!("x.toml:{expected}")], "{text}");
    }
}

#[test]
fn h2_syntax_errors_come_all_at_once_with_lines() {
    let found = problems("a = \n[stores.s]\nbackend = \"memory\nx = 1\nx = 2\n", None);
    let lines = found.iter().filter_map(|text| text.strip_prefix("x.toml:")?.split(':').next()).collect::<Vec<_>>();
    assert!(lines.contains(&"1") && lines.contains(&"3") && lines.contains(&"5"), "{found:#?}");
    assert!(found.iter().all(|text| text.contains("not TOML: column ")), "{found:#?}");
}

#[test]
fn h2_all_mistakes_come_at_once_in_the_order_of_the_file() {
    let text = r#"
close_timeout = 5
[stores.a]
backend = "memory"
default_ttl = "soon"
options = { max_entires = 1, labl = "x", max_entries = 0, label = "${NONE}" }
[stores.b]
backend = "redis"
max_depth = -1
[stores.c]
backend = "remote"
options = { url = 5, timeout = "${ALSO_NONE}", tiemout = "" }
[env.test.stores.a]
backend = "mem"
[[security.policies]]
effect = "maybe"
[extra]
"#;
    let found = problems(text, None);
    let places = found.iter().map(|text| text.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    assert_eq!(
        places,
        [
            "x.toml:2 close_timeout",
            "x.toml:5 stores.a.default_ttl",
            "x.toml:6 stores.a.options.max_entires",
            "x.toml:6 stores.a.options.labl",
            "x.toml:6 stores.a.options.max_entries",
            "x.toml:6 stores.a.options.label",
            "x.toml:8 stores.b.backend",
            "x.toml:9 stores.b.max_depth",
            "x.toml:12 stores.c.options.url",
            "x.toml:12 stores.c.options.timeout",
            "x.toml:12 stores.c.options.tiemout",
            "x.toml:14 env.test.stores.a.backend",
            "x.toml:15 security.policies[0].actions",
            "x.toml:15 security.policies[0].id",
            "x.toml:15 security.policies[0].resources",
            "x.toml:16 security.policies[0].effect",
            "x.toml:17 extra",
        ],
        "{found:#?}"
    );
}

#[test]
fn h2_what_a_backend_checks_comes_at_once_and_without_consequences() {
    let entry = |options: &str| format!("[stores.s]\nbackend = \"memory\"\n[stores.s.options]\n{options}");
    let found = problems(&entry("list = \"x\"\nlabel = \"bad\"\nnested.port = 1"), None);
    assert_eq!(
        found,
        [
            "x.toml:4: stores.s.options.list: expected an array, found the string \"x\"",
            "x.toml:5: stores.s.options.label: bad is bad",
            "x.toml:6: stores.s.options.nested.port: port 1 is reserved",
        ]
    );
    let found = problems(&entry("max_entries = \"x\"\nmode = \"safe\""), None);
    assert_eq!(found.len(), 1, "what is missing only because it was wrong is not complained of: {found:#?}");
    assert_eq!(
        problems(&entry("mode = \"safe\""), None),
        ["x.toml:4: stores.s.options.mode: mode safe needs max_entries"]
    );
}

#[test]
fn variables_are_missed_only_where_they_are_in_force() {
    let text = "
[stores.s]
backend = \"memory\"
options.label = \"${NONE_BASE}\"
[env.a.stores.s]
backend = \"remote\"
options = { url = \"${NONE_A}\", timeout = \"${NONE_B}\" }
[env.b.stores.s]
backend = \"${BACKEND}\"
default_ttl = \"${TTL}\"
options = { label = \"$${x} ${LABEL}${EMPTY}!\" }
";
    let missing = |line, key, name| format!("x.toml:{line}: {key}: the environment variable {name} is not set");
    assert_eq!(problems(text, None), [missing(4, "stores.s.options.label", "NONE_BASE")]);
    assert_eq!(
        problems(text, Some("a")),
        [missing(7, "env.a.stores.s.options.url", "NONE_A"), missing(7, "env.a.stores.s.options.timeout", "NONE_B")]
    );
    let config = resolve(text, Some("b")).unwrap();
    let opened = crate::block_on(config.stores["s"].open(OpenContext::new("s"))).unwrap_err();
    assert_eq!(opened.message(), "opened with label ${x} from the environment!");
}

#[test]
fn e7_descriptions_hide_secrets_and_keep_variables() {
    let text = r#"
[stores.a]
backend = "memory"
default_ttl = "90m"
options = { label = "${LABEL}", nested = { token = "hunter2" } }
[stores.b]
backend = "remote"
options = { url = "remote://user:hunter2@host" }
[stores.c]
backend = "remote"
options = { url = "${URL}" }
"#;
    let config = resolve(text, None).unwrap();
    assert_eq!(
        config.stores["a"].describe(),
        "backend = \"memory\"\ndefault_ttl = \"90m\"\nmax_ttl = \"never\"\nttl_jitter = 0.0\nmax_value_size = \"8 MiB\"\n\
         max_depth = 100\nscan_timeout = \"30s\"\noptions = { label = \"${LABEL}\", nested = { token = \"***\" } }\n"
    );
    assert!(config.stores["b"].describe().contains("url = \"remote://***@host\""));
    assert!(config.stores["c"].describe().contains("url = \"${URL}\""));
    assert!(!format!("{config:?}").contains("hunter2"));
    let document = Document::parse(text, "x.toml").unwrap();
    assert!(!format!("{document:?}").contains("hunter2"));
    let descriptions = document.describe(None, &backends()).unwrap();
    for (id, store) in &config.stores {
        assert_eq!(descriptions[&**id], store.describe());
    }
}

#[test]
fn describe_needs_no_variables_and_is_checked() {
    let text = "[stores.s]\nbackend = \"remote\"\noptions.url = \"${NONE}\"\n[env.a.stores.t]\nbackend = \"memory\"\n";
    let document = Document::parse(text, "x.toml").unwrap();
    assert!(document.describe(None, &backends()).unwrap()["s"].contains("url = \"${NONE}\""));
    assert_eq!(document.describe(Some("a"), &backends()).unwrap().keys().collect::<Vec<_>>(), ["s", "t"]);
    assert!(document.describe(Some("b"), &backends()).is_err());
}

#[test]
fn stores_are_the_same_when_files_say_the_same() {
    let store = |text: &str| resolve(text, None).unwrap().stores["s"].clone();
    let a = store("[stores.s]\nbackend = \"memory\"\noptions = { label = \"from the environment\", list = [1] }");
    let b = store("# moved\n[stores.s]\noptions.list = [1]\nbackend = \"memory\"\noptions.label = \"${LABEL}\"");
    let c = store("[stores.s]\nbackend = \"memory\"\noptions = { label = \"other\", list = [1] }");
    assert!(a.is_same(&b) && !a.is_same(&c));
    let a = store("[stores.s]\nbackend = \"remote\"\noptions.url = \"remote://a:b@c\"");
    let b = store("[stores.s]\nbackend = \"remote\"\noptions.url = \"remote://a:d@c\"");
    assert!(!a.is_same(&b), "secrets count");
    let plain = Arc::new(Plain);
    let made = StoreConfig::new("s", &plain, PlainOptions::default(), Settings::default()).unwrap();
    assert!(made.is_same(&made.clone()) && !made.is_same(&c));
}

#[test]
fn programs_configure_without_a_file() {
    let plain = Arc::new(Plain);
    let options = || PlainOptions { label: "mine".into(), ..PlainOptions::default() };
    let store = StoreConfig::new("app:cache", &plain, options(), Settings::default()).unwrap();
    let config = Config::new([store]);
    let opened = crate::block_on(config.stores["app:cache"].open(OpenContext::new("app:cache"))).unwrap_err();
    assert_eq!(opened.message(), "opened with label mine");
    assert_eq!(StoreConfig::new("", &plain, options(), Settings::default()).unwrap_err().kind(), Kind::Invalid);
    let bad = PlainOptions { label: "bad".into(), ..PlainOptions::default() };
    assert_eq!(StoreConfig::new("s", &plain, bad, Settings::default()).unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn e5_registering_twice_and_backends_left_out() {
    let mut backends = Backends::new();
    backends.not_compiled("memory", "memory").register(Plain).unwrap();
    assert_eq!(backends.register(Plain).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(backends.not_compiled("memory", "memory").names().collect::<Vec<_>>(), ["memory"]);
}

#[test]
fn the_default_is_one_store_in_memory() {
    let config = Document::default_memory().resolve(Some("any"), &backends(), &|_| None).unwrap();
    assert_eq!(
        config.stores.values().map(|store| (&*store.id, store.backend)).collect::<Vec<_>>(),
        [("app:cache", "memory")]
    );
}

#[test]
fn files_are_read_and_relative_paths_belong_to_their_folder() {
    let folder = std::env::temp_dir().join(format!("store-config-{}-{:x}", std::process::id(), crate::random_u64()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("store.toml");
    std::fs::write(&path, "\u{feff}[stores.s]\r\nbackend = \"memory\"\r\nmax_depth = 0\r\n").unwrap();
    let error = Document::read(&path).unwrap().resolve(None, &backends(), &variables).unwrap_err();
    assert!(error.message().starts_with(&format!("{}:3: stores.s.max_depth: ", path.display())), "{error}");
    std::fs::write(&path, "").unwrap();
    let config = Document::read(&path).unwrap().resolve(None, &backends(), &variables).unwrap();
    assert!(config.stores.is_empty());
    assert_eq!(config.base_dir, folder);
    std::fs::write(&path, b"# ok\n# \xff\n").unwrap();
    let error = Document::read(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{}:2: not UTF-8", path.display()));
    let error = Document::read(folder.join("none.toml")).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.message().ends_with("none.toml: the configuration cannot be read"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Pieces of which configurations are made, so that random ones get far.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "[stores.s]\n", "[stores.\"a b\"]\n", "[env.a.stores.s]\n", "[[security.policies]]\n", "[security]\n", "[stores.s.options]\n",
            "backend = \"memory\"\n", "backend = \"remote\"\n", "options.url = \"${URL}\"\n", "options.label = \"$${a}${LABEL}\"\n",
            "default_ttl = \"1h\"\n", "max_ttl = 5\n", "options = { nested = { port = 7 } }\n", "options.list = [1, [2]]\n",
            "id = \"x\"\n", "actions = [\"*\"]\n", "resources = [\"\\\\\"]\n", "effect = \"deny\"\n", "ttl_jitter = 0.5\n",
            "[[stores.s.options.list]]\n", "max_value_size = \"1 KiB\"\n", "stores.s.options.nested.port = 0x10\n", "{", "}", "[", "]", "\"", "=", "${",
        ]).prop_map(str::to_owned),
        1 => "[a-z]{1,8} = \\PC{0,12}\n",
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn h2_no_text_panics(text in prop::collection::vec(fragment(), 0..16).prop_map(|parts| parts.concat()), environment in prop::option::of("[ab]?")) {
        match Document::parse(&text, "x.toml") {
            Err(error) => prop_assert_eq!(error.kind(), Kind::Invalid),
            Ok(document) => {
                let _ = document.describe(environment.as_deref(), &backends());
                if let Err(error) = document.resolve(environment.as_deref(), &backends(), &variables) {
                    prop_assert_eq!(error.kind(), Kind::Invalid);
                    prop_assert!(error.message().lines().all(|line| line.starts_with("x.toml:")), "{}", error);
                    prop_assert!(!error.message().contains("hunter2"), "{}", error);
                }
            }
        }
    }

    #[test]
    fn t10_no_duration_or_size_panics_and_what_is_printed_reads_back(text in "[0-9]{0,22}[a-zA-Zµ ]{0,4}[0-9]{0,4}[a-z]{0,3}", number in any::<u64>()) {
        for text in [text, format!("{number}ms")] {
            if let Ok(duration) = HumanDuration::parse(&text) {
                prop_assert_eq!(HumanDuration::parse(&duration.to_string()), Ok(duration));
            }
        }
        prop_assert_eq!(Size::parse(&Size(number).to_string()), Ok(Size(number)));
    }
}

#[test]
fn deep_and_long_texts_do_not_overflow_the_stack() {
    let n = 100_000;
    for text in [
        format!("{}a = 1", "a.".repeat(n)),
        format!("[{}a]", "a.".repeat(n)),
        format!("a = {}", "[".repeat(n)),
        format!("a = {}1{}", "[".repeat(n), "]".repeat(n)),
        format!("stores.s.options = {}", "{a=".repeat(n)),
    ] {
        let result =
            Document::parse(&text, "x.toml").and_then(|document| document.resolve(None, &backends(), &variables));
        assert_eq!(result.unwrap_err().kind(), Kind::Invalid);
    }
}
