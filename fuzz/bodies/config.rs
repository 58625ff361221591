//! What must hold of configurations for any text.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use store_core::config::{Document, HumanDuration, Secret, Size};
use store_core::{Backend, Backends, Error, Kind, OpenContext, Result, Store, async_trait};

/// What the variables hold. It must not come out again.
const HIDDEN: &str = "h1dd3n-fr0m-th3-3nv1r0nm3nt";

#[derive(Debug)]
struct Memory;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    max_entries: Option<u64>,
    size: Option<Size>,
    idle: Option<HumanDuration>,
    url: Secret,
    flags: Vec<bool>,
    ratio: f64,
    nested: BTreeMap<String, Nested>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Nested {
    port: u16,
    mode: Mode,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Plain,
    Limited(u8),
}

#[async_trait]
impl Backend for Memory {
    type Options = Options;
    const NAME: &'static str = "memory";

    fn check(&self, options: &Options) -> Result<()> {
        let busy = options.nested.values().any(|nested| nested.port == 1 && !matches!(nested.mode, Mode::Limited(0)));
        if busy { Err(Error::invalid("port 1 is taken").with_detail("key", "nested")) } else { Ok(()) }
    }

    async fn open(&self, _: &Options, _: OpenContext) -> Result<Arc<dyn Store>> {
        Err(Error::unavailable("never opened"))
    }
}

/// Parses the text and resolves it for every environment that it declares.
///
/// # Panics
/// If a mistake has no line, or a secret comes out.
pub(crate) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut backends = Backends::new();
    assert!(backends.register(Memory).is_ok());
    backends.not_compiled("redis", "redis");
    let variables = |name: &str| (!name.starts_with('X')).then(|| HIDDEN.to_owned());

    let document = match Document::parse(text, "fuzz.toml") {
        Ok(document) => document,
        Err(error) => return mistake(&error, text),
    };
    let environments = document.environments().iter().map(|name| Some(name.as_str()));
    for environment in environments.chain([None, Some("no such environment")]) {
        match document.resolve(environment, &backends, &variables) {
            Ok(config) => {
                for (id, store) in &config.stores {
                    assert!(!id.is_empty());
                    assert!(store.is_same(store));
                }
                hides(&format!("{config:?}"), text);
            }
            Err(error) => mistake(&error, text),
        }
        match document.describe(environment, &backends) {
            Ok(stores) => stores.values().for_each(|store| hides(store, text)),
            Err(error) => mistake(&error, text),
        }
    }
}

fn mistake(error: &Error, text: &str) {
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    let message = error.to_string();
    assert!(!message.trim().is_empty());
    hides(&message, text);
    hides(&format!("{error:?}"), text);
}

fn hides(shown: &str, text: &str) {
    assert!(!shown.contains(HIDDEN) || text.contains(HIDDEN), "{shown}");
}
