//! `store check`.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::args::{Source, resolve};
use crate::console::End;

/// Checks the configuration as `store run` would, and prints what it means in every environment.
pub(crate) fn check(source: &Source) -> Result<(), End> {
    let selected = source.environment()?;
    let document = source.document()?;
    resolve(&document, selected.as_deref())?;

    let mut environments: Vec<Option<&str>> = vec![None];
    environments.extend(document.environments().iter().map(|name| Some(name.as_str())));
    let mut text = format!("# {}: no mistakes\n", document.file());
    for environment in environments {
        let stores = document.describe(environment, &store::backends()).map_err(|error| End::configuration(&error))?;
        let selected = if environment == selected.as_deref() { " (selected)" } else { "" };
        // Writing to a string does not fail.
        let _ = match environment {
            None => writeln!(text, "\n# without an environment{selected}"),
            Some(name) => writeln!(text, "\n# in the environment {}{selected}", quoted(name)),
        };
        if stores.is_empty() {
            text.push_str("# no stores\n");
        }
        for (id, description) in stores {
            let _ = match environment {
                None => writeln!(text, "[stores.{}]", quoted(&id)),
                Some(name) => writeln!(text, "[env.{}.stores.{}]", quoted(name), quoted(&id)),
            };
            text.push_str(description.trim_end());
            text.push('\n');
        }
    }
    // A reader that has gone away (`store check | head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// A key as TOML: bare where that is allowed.
fn quoted(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) {
        return name.to_owned();
    }
    let mut text = String::from("\"");
    for char in name.chars() {
        match char {
            '"' | '\\' => text.extend(['\\', char]),
            char if char.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(char));
            }
            char => text.push(char),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_toml_wants_them() {
        assert_eq!(quoted("production"), "production");
        assert_eq!(quoted("app:cache"), "\"app:cache\"");
        assert_eq!(quoted("a\"\\\n"), "\"a\\\"\\\\\\u000A\"");
        assert_eq!(quoted(""), "\"\"");
    }
}
