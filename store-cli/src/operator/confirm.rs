//! Asking before something is destroyed.

use super::args::{Clear, Copy};
use crate::console::{Trouble, ask};
use crate::text::escape::quoted;

pub(crate) fn clear(clear: &Clear, prefix: &[u8]) -> Result<(), Trouble> {
    if clear.yes {
        return Ok(());
    }
    ask(&format!("delete {} of {}", which(prefix), clear.id), "--yes")
}

pub(crate) fn copy(copy: &Copy, prefix: &[u8]) -> Result<(), Trouble> {
    if copy.yes || copy.keep_existing {
        return Ok(());
    }
    let place = |id: &str, environment: &Option<String>| match environment {
        Some(environment) => format!("{id} in {environment}"),
        None => id.to_owned(),
    };
    let (from, to) = (place(&copy.from, &copy.from_env), place(&copy.to, &copy.to_env));
    ask(&format!("overwrite {to} with {} of {from}", which(prefix)), "--yes or --keep-existing")
}

fn which(prefix: &[u8]) -> String {
    if prefix.is_empty() { "all entries".to_owned() } else { format!("the entries with the prefix {}", quoted(prefix)) }
}
