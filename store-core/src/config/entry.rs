//! One store's entry: its settings, and its backend's options.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::collect::Collect;
use super::describe;
use super::human::{HumanDuration, Size};
use super::problem::{Path, Problems, found, unknown};
use super::variables::{Interpolated, Variables};
use super::{Settings, StoreConfig};
use crate::backends::{Found, Options};
use crate::codec::MAX_DEPTH;
use crate::{Backends, TtlRules};

const KEYS: [&str; 8] =
    ["backend", "default_ttl", "max_ttl", "ttl_jitter", "max_value_size", "max_depth", "scan_timeout", "options"];

/// A store's entry as it stands in the file.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'d> {
    pub(crate) id: &'d str,
    pub(crate) span: Range<usize>,
    pub(crate) value: &'d Spanned<DeValue<'d>>,
    pub(crate) path: Path,
}

/// What became of an entry.
pub(crate) struct Resolved {
    /// What `store check` prints.
    pub(crate) description: String,
    /// None if there were mistakes, or variables that are not known.
    pub(crate) store: Option<StoreConfig>,
}

impl Entry<'_> {
    /// Checks the entry and makes it ready to open. Without `variables` it is only checked, as far as that goes.
    pub(crate) fn resolve(
        &self,
        backends: &Backends,
        variables: Option<Variables<'_>>,
        problems: &mut Problems,
    ) -> Resolved {
        let nothing = Resolved { description: String::new(), store: None };
        if self.id.is_empty() {
            problems.add(&self.span, &self.path, "a store id is not empty");
        }
        let DeValue::Table(written) = self.value.get_ref() else {
            let found = found(self.value.get_ref());
            problems.add(&self.span, &self.path, format!("expected a table with a backend, found {found}"));
            return nothing;
        };
        let input = Interpolated::new(self.value, &self.path, variables, problems);
        let DeValue::Table(table) = input.value.get_ref() else { return nothing };
        let mut fields = Fields { entry: self, written, table, input: &input, problems, wrong: false };
        fields.unknown_keys();
        let settings = fields.settings();
        let opener = fields.backend(backends);
        let wrong = fields.wrong;
        let description = describe(written, &settings);
        let fingerprint = describe::fingerprint(input.value.get_ref());
        let part = |key| table.get(key).map(|value| describe::fingerprint(value.get_ref())).unwrap_or_default();
        let place = format!("{} {}", part("backend"), part("options"));
        let store = match opener {
            Some((backend, options)) if !wrong && input.unresolved.is_empty() => Some(StoreConfig {
                id: self.id.into(),
                backend: backend.name(),
                settings,
                erased: backend,
                options,
                description: description.as_str().into(),
                fingerprint: Some(fingerprint.into()),
                place: Some(place.into()),
            }),
            _ => None,
        };
        Resolved { description, store }
    }
}

/// The keys of an entry, one by one.
struct Fields<'a, 'd> {
    entry: &'a Entry<'d>,
    written: &'a DeTable<'d>,
    table: &'a DeTable<'d>,
    input: &'a Interpolated<'d>,
    problems: &'a mut Problems,
    wrong: bool,
}

impl<'a, 'd> Fields<'a, 'd> {
    fn problem(&mut self, key: &str, message: impl Into<String>) {
        let span = self.written.get_key_value(key).map_or(self.entry.span.clone(), |(key, _)| key.span());
        self.problems.add(&span, &self.entry.path.key(key), message);
        self.wrong = true;
    }

    fn unknown_keys(&mut self) {
        for key in self.written.keys().map(|key| key.get_ref().as_ref()).filter(|key| !KEYS.contains(key)) {
            let mut message = unknown("key", key, &KEYS);
            if super::problem::closest(key, &KEYS).is_none() {
                message.push_str("; what is the backend's own belongs in options");
            }
            self.problem(key, message);
        }
    }

    /// The value of a key; none if it is absent, or not known yet for a variable in it.
    fn value(&self, key: &str) -> Option<&'a DeValue<'d>> {
        let value = self.table.get(key)?;
        (!self.input.is_unresolved(&value.span())).then_some(value.get_ref())
    }

    /// A value as it was written, for messages: what variables brought is not shown.
    fn written(&self, key: &str) -> String {
        self.written.get(key).map_or_else(String::new, |value| found(value.get_ref()))
    }

    fn settings(&mut self) -> Settings {
        let mut settings = Settings::default();
        let default = self.ttl("default_ttl");
        let max = self.ttl("max_ttl");
        let jitter = self.jitter();
        match TtlRules::new(default, max, jitter) {
            Ok(rules) => settings.ttl = rules,
            Err(error) => self.problem("ttl_jitter", error.message().to_owned()),
        }
        if let Some(size) = self.max_value_size() {
            settings.limits.max_value_size = size;
        }
        if let Some(depth) = self.max_depth() {
            settings.limits.max_depth = depth;
        }
        if let Some(timeout) = self.duration("scan_timeout", Never::Refused).flatten() {
            settings.scan_timeout = timeout;
        }
        settings
    }

    fn ttl(&mut self, key: &str) -> Option<Duration> {
        self.duration(key, Never::Allowed).flatten()
    }

    /// A duration above zero; `Some(None)` is "never".
    fn duration(&mut self, key: &str, never: Never) -> Option<Option<Duration>> {
        let value = self.value(key)?;
        match duration(value, &self.written(key), never) {
            Ok(Some(Duration::ZERO)) => {
                let hint = if never == Never::Allowed { "; write \"never\" for no expiry" } else { "" };
                self.problem(key, format!("must be longer than zero{hint}"));
                None
            }
            Ok(duration) => Some(duration),
            Err(message) => {
                self.problem(key, message);
                None
            }
        }
    }

    fn jitter(&mut self) -> f64 {
        const EXPECTED: &str = "expected a fraction, at least 0 and less than 1";
        let key = "ttl_jitter";
        let number = match self.value(key) {
            None => return 0.0,
            Some(DeValue::Float(number)) => number.as_str().replace('_', "").parse().ok(),
            Some(DeValue::Integer(number)) if number.as_str() == "0" => Some(0.0),
            Some(_) => None,
        };
        match number.filter(|number| (0.0..1.0).contains(number)) {
            Some(number) => number,
            None => {
                self.problem(key, format!("{EXPECTED}, found {}", self.written(key)));
                0.0
            }
        }
    }

    fn max_value_size(&mut self) -> Option<usize> {
        let key = "max_value_size";
        let size = match self.value(key)? {
            DeValue::String(text) => Size::parse(text).map_err(|why| format!("{} {why}", self.written(key))),
            DeValue::Integer(number) => integer(number).map(Size).ok_or_else(String::new),
            _ => Err(String::new()),
        };
        match size.map(|size| usize::try_from(size.0)) {
            Ok(Ok(0)) => self.problem(key, "must be at least 1 byte"),
            Ok(Ok(size)) => return Some(size),
            Ok(Err(_)) => self.problem(key, "is too large a size"),
            Err(message) if message.is_empty() => {
                let found = self.written(key);
                self.problem(key, format!("expected a number of bytes, or a string such as \"8 MiB\", found {found}"));
            }
            Err(message) => self.problem(key, message),
        }
        None
    }

    fn max_depth(&mut self) -> Option<usize> {
        let key = "max_depth";
        let depth = match self.value(key)? {
            DeValue::Integer(number) => integer(number).and_then(|number| usize::try_from(number).ok()),
            _ => None,
        };
        let depth = depth.filter(|depth| (1..=MAX_DEPTH).contains(depth));
        if depth.is_none() {
            let found = self.written(key);
            self.problem(key, format!("expected a whole number from 1 to {MAX_DEPTH}, found {found}"));
        }
        depth
    }

    /// The backend and its options.
    fn backend(&mut self, backends: &Backends) -> Option<(Arc<dyn crate::backends::ErasedBackend>, Options)> {
        let known = backends.names().collect::<Vec<_>>();
        let name = match self.table.get("backend").map(|value| (value.span(), value.get_ref())) {
            None => {
                self.problem("backend", format!("missing key; known backends: {}", known.join(", ")));
                return None;
            }
            Some((span, _)) if self.input.is_unresolved(&span) => return None,
            Some((_, DeValue::String(name))) => name,
            Some(_) => {
                let found = self.written("backend");
                self.problem("backend", format!("expected the name of a backend, found {found}"));
                return None;
            }
        };
        match backends.find(name) {
            Found::Compiled(backend) => {
                let backend = Arc::clone(backend);
                self.options(&*backend).map(|options| (backend, options))
            }
            Found::NotCompiled { feature } => {
                // The name is one of ours, so it may be shown though it came from a variable.
                self.problem(
                    "backend",
                    format!("`{name}` needs the Cargo feature `{feature}`, which this build leaves out"),
                );
                None
            }
            Found::Unknown => {
                let close = super::problem::closest(name, &known).map(|close| format!("did you mean {close}? "));
                let (close, known) = (close.unwrap_or_default(), known.join(", "));
                let written = self.written("backend");
                self.problem("backend", format!("no backend is called {written}; {close}known backends: {known}"));
                None
            }
        }
    }

    fn options(&mut self, backend: &dyn crate::backends::ErasedBackend) -> Option<Options> {
        let path = self.entry.path.key("options");
        let empty = || Spanned::new(self.entry.span.clone(), DeValue::Table(DeTable::new()));
        let written = self.written.get("options").cloned().unwrap_or_else(empty);
        let input = Interpolated {
            value: self.table.get("options").cloned().unwrap_or_else(empty),
            unresolved: self.input.unresolved.clone(),
            sensitive: self.input.sensitive.clone(),
        };
        if !matches!(input.value.get_ref(), DeValue::Table(_)) {
            self.problem("options", format!("expected a table, found {}", found(written.get_ref())));
            return None;
        }
        let collect = Collect { noun: "option", path: &path, written: &written, problems: &mut *self.problems };
        collect.run(&input, |tree| backend.parse(tree), |options| backend.check(options))
    }
}

/// Whether a duration may be "never".
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Never {
    Allowed,
    Refused,
}

/// A duration of a setting; none is "never". `written` is the value as messages may show it.
pub(crate) fn duration(value: &DeValue<'_>, written: &str, never: Never) -> Result<Option<Duration>, String> {
    match value {
        DeValue::String(text) if text.trim() == "never" => match never {
            Never::Allowed => Ok(None),
            Never::Refused => Err("\"never\" is not allowed here: nothing waits without a deadline".to_owned()),
        },
        DeValue::String(text) => {
            let parsed = HumanDuration::parse(text).map(|duration| Some(duration.0));
            parsed.map_err(|why| format!("{written} {why}"))
        }
        DeValue::Integer(number) => Err(HumanDuration::no_unit(number)),
        DeValue::Float(number) => Err(HumanDuration::no_unit(number.as_str().split('.').next().unwrap_or_default())),
        _ => Err(format!("expected a duration such as \"30s\", found {written}")),
    }
}

fn integer(number: &toml::de::DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The resolved entry as TOML: what was written, and the defaults of what was not.
fn describe(written: &DeTable<'_>, settings: &Settings) -> String {
    let default = |key: &str| -> String {
        match key {
            "default_ttl" | "max_ttl" => "\"never\"".to_owned(),
            "ttl_jitter" => "0.0".to_owned(),
            "max_value_size" => quoted(Size(settings.limits.max_value_size as u64)),
            "max_depth" => settings.limits.max_depth.to_string(),
            "scan_timeout" => quoted(HumanDuration(settings.scan_timeout)),
            "options" => "{}".to_owned(),
            _ => "\"\"".to_owned(),
        }
    };
    let line = |key: &&str| {
        let value = written.get(*key).map(|value| describe::show(value.get_ref(), None));
        format!("{key} = {}\n", value.unwrap_or_else(|| default(key)))
    };
    KEYS.iter().map(line).collect()
}

fn quoted(value: impl fmt::Display) -> String {
    format!("\"{value}\"")
}
