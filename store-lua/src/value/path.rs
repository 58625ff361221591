//! The place of a mistake inside a value: `value.user.tags[3]`.

use store_core::Error;

/// The longest path that a message shows in full.
const MAX_PATH: usize = 160;

/// Steps from the outside in, collected innermost first while an error travels outwards.
#[derive(Debug, Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn at_key(&mut self, key: &[u8]) {
        let step = match std::str::from_utf8(key) {
            Ok(name) if is_name(name) => format!(".{name}"),
            // Anything may be in there, a secret too.
            _ => "[...]".to_owned(),
        };
        self.0.push(step);
    }

    pub(crate) fn at_index(&mut self, index: i64) {
        self.0.push(format!("[{index}]"));
    }

    pub(crate) fn at(&mut self, step: &str) {
        self.0.push(format!("[{step}]"));
    }

    /// The error with its place before the message.
    pub(crate) fn place(&self, error: Error) -> Error {
        let path = self.render();
        let placed = Error::invalid(format!("{path}: {}", error.message())).with_retryable(error.retryable());
        let placed =
            error.details().fold(placed, |placed, (name, value)| placed.with_detail(name.to_owned(), value.clone()));
        placed.with_detail("path", path)
    }

    fn render(&self) -> String {
        let mut text = String::from("value");
        for step in self.0.iter().rev() {
            text.push_str(step);
        }
        if text.len() <= MAX_PATH {
            return text;
        }
        let head = text.floor_char_boundary(MAX_PATH / 2);
        let tail = text.ceil_char_boundary(text.len() - MAX_PATH / 2);
        format!("{}...{}", &text[..head], &text[tail..])
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
}
