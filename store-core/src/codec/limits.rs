//! How large and how deep values may be.

use crate::{Error, Result};

/// The deepest nesting that any limit allows, and that is ever decoded. It keeps recursion within a small stack.
pub const MAX_DEPTH: usize = 256;

/// How large and how deep a value may be (rules V3, V5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the encoded value.
    pub max_value_size: usize,
    /// Tables inside of tables: a scalar has depth 0, a flat table 1. Counts at most as [`MAX_DEPTH`].
    pub max_depth: usize,
}

impl Default for Limits {
    /// 8 MiB and 100 levels.
    fn default() -> Limits {
        Limits { max_value_size: 8 << 20, max_depth: 100 }
    }
}

impl Limits {
    /// The depth limit in force.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.max_depth.min(MAX_DEPTH)
    }

    #[inline]
    pub(super) fn check_size(&self, size: usize) -> Result<()> {
        if size > self.max_value_size { Err(too_large(self.max_value_size)) } else { Ok(()) }
    }
}

#[cold]
pub(super) fn too_large(limit: usize) -> Error {
    Error::invalid(format!("the value takes more than {limit} bytes")).with_detail("limit", limit)
}

#[cold]
pub(super) fn too_deep(limit: usize) -> Error {
    Error::invalid(too_deep_message(limit)).with_detail("limit", limit)
}

pub(super) fn too_deep_message(limit: usize) -> String {
    format!("nested deeper than {limit} levels")
}
