//! Values, bytes, times and numbers as text: for people, and for programs.

pub(crate) mod escape;
pub(crate) mod json;
pub(crate) mod readable;
pub(crate) mod units;
