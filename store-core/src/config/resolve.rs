//! From a document to a configuration, for one environment.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::entry::{Entry, Never, Resolved, duration};
use super::problem::{Path, Problems, found, unknown};
use super::security::Security;
use super::variables::Variables;
use super::{CLOSE_TIMEOUT, Config, Document};
use crate::policy::PolicySet;
use crate::{Backends, Result};

const TOP_KEYS: [&str; 4] = ["stores", "env", "security", "close_timeout"];
const ENV_KEYS: [&str; 3] = ["stores", "security", "close_timeout"];

impl Document {
    /// Checks the whole configuration, every environment's part of it, and makes the one that is in force in
    /// `environment`.
    ///
    /// `variables` looks up environment variables, which only the entries in force need. An empty name of an environment
    /// means none. A name that the file does not declare is a mistake, unless the file declares none at all: then every
    /// environment is the same.
    ///
    /// # Errors
    /// INVALID: all mistakes at once, see [the module](super).
    pub fn resolve(
        &self,
        environment: Option<&str>,
        backends: &Backends,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config> {
        let (config, _) = self.resolve_with(environment, backends, Some(variables))?;
        Ok(config)
    }

    /// What each store resolves to in an environment, as TOML: with the defaults of what is not stated, with variables as
    /// they are written, and with secrets replaced by `***`. Needs no variables.
    ///
    /// # Errors
    /// As [`resolve`](Document::resolve), except that no variable is missed.
    pub fn describe(&self, environment: Option<&str>, backends: &Backends) -> Result<BTreeMap<String, String>> {
        let (_, descriptions) = self.resolve_with(environment, backends, None)?;
        Ok(descriptions)
    }

    fn resolve_with(
        &self,
        environment: Option<&str>,
        backends: &Backends,
        variables: Option<Variables<'_>>,
    ) -> Result<(Config, BTreeMap<String, String>)> {
        let environment = environment.filter(|name| !name.is_empty());
        let root = self.table();
        let mut problems = Problems::new(&self.source);
        let base = Section::read(&root, &Path::root(), &TOP_KEYS, &mut problems);
        let mut sections = environment_sections(&root, &mut problems);
        let selected = match environment {
            Some(name) if !sections.is_empty() => {
                let selected = sections.remove(name);
                if selected.is_none() {
                    let known = self.environments().join(", ");
                    problems.add_global(format!("environment {name:?} is not declared; declared are: {known}"));
                }
                selected.unwrap_or_default()
            }
            _ => Section::default(),
        };

        let mut stores = BTreeMap::new();
        let mut descriptions = BTreeMap::new();
        let replaced = |entry: &&Entry<'_>| !selected.stores.contains_key(entry.id);
        let in_force = base.stores.values().filter(replaced).chain(selected.stores.values());
        for entry in in_force {
            let Resolved { description, store } = entry.resolve(backends, variables, &mut problems);
            descriptions.insert(entry.id.to_owned(), description);
            stores.extend(store.map(|store| (store.id.clone(), store)));
        }
        let overridden = base.stores.values().filter(|entry| selected.stores.contains_key(entry.id));
        for entry in overridden.chain(sections.values().flat_map(|section| section.stores.values())) {
            entry.resolve(backends, None, &mut problems);
        }
        if let Some(error) = problems.into_error() {
            return Err(error);
        }

        let strict = selected.security.strict.or(base.security.strict).unwrap_or(false);
        let policies = selected.security.policies.or(base.security.policies).unwrap_or_default();
        let config = Config {
            stores,
            policies: PolicySet::new(strict, policies),
            base_dir: self.base_dir.clone(),
            environment: environment.map(str::to_owned),
            close_timeout: selected.close_timeout.or(base.close_timeout).unwrap_or(CLOSE_TIMEOUT),
        };
        Ok((config, descriptions))
    }
}

/// What each environment says.
fn environment_sections<'d>(root: &'d DeTable<'d>, problems: &mut Problems) -> BTreeMap<&'d str, Section<'d>> {
    let path = Path::root().key("env");
    let mut sections = BTreeMap::new();
    let Some(table) = table(root, "env", &path, problems) else { return sections };
    for (key, value) in table {
        let name = &**key.get_ref();
        let path = path.key(name);
        if name.is_empty() {
            problems.add(&key.span(), &path, "the name of an environment is not empty");
        }
        match value.get_ref() {
            DeValue::Table(table) => {
                sections.insert(name, Section::read(table, &path, &ENV_KEYS, problems));
            }
            other => {
                problems.add(&key.span(), &path, format!("expected a table, found {}", found(other)));
                sections.insert(name, Section::default());
            }
        }
    }
    sections
}

/// The base configuration, or what one environment says in its place.
#[derive(Debug, Default)]
struct Section<'d> {
    stores: BTreeMap<&'d str, Entry<'d>>,
    security: Security,
    close_timeout: Option<Duration>,
}

impl<'d> Section<'d> {
    fn read(root: &'d DeTable<'d>, path: &Path, keys: &[&str], problems: &mut Problems) -> Section<'d> {
        for key in root.keys().filter(|key| !keys.contains(&&**key.get_ref())) {
            let name = key.get_ref();
            problems.add(&key.span(), &path.key(name), unknown("key", name, keys));
        }
        let security = root.get("security").map(|value| Security::read(value, &path.key("security"), problems));
        let stores_path = path.key("stores");
        let stores = table(root, "stores", &stores_path, problems).into_iter().flatten().map(|(key, value)| {
            let id = &**key.get_ref();
            (id, Entry { id, span: key.span(), value, path: stores_path.key(id) })
        });
        Section {
            stores: stores.collect(),
            security: security.unwrap_or_default(),
            close_timeout: close_timeout(root, &path.key("close_timeout"), problems),
        }
    }
}

fn close_timeout(root: &DeTable<'_>, path: &Path, problems: &mut Problems) -> Option<Duration> {
    let (key, value) = root.get_key_value("close_timeout")?;
    match duration(value.get_ref(), &found(value.get_ref()), Never::Refused) {
        Ok(duration) => duration,
        Err(message) => {
            problems.add(&key.span(), path, message);
            None
        }
    }
}

/// The table under a key, if there is one.
fn table<'d>(root: &'d DeTable<'d>, name: &str, path: &Path, problems: &mut Problems) -> Option<&'d DeTable<'d>> {
    let (key, value) = root.get_key_value(name)?;
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        other => {
            problems.add(&key.span(), path, format!("expected a table, found {}", found(other)));
            None
        }
    }
}
