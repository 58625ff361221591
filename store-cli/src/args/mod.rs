//! What command lines have in common: which configuration, who asks, how to answer, and what keys, times and sizes mean.

mod caller;
mod common;
mod source;
pub(crate) mod values;

pub(crate) use caller::Caller;
pub(crate) use common::{Common, Escaped};
pub(crate) use source::{Source, resolve};
