//! What a policy says, and what comes of all of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a matching policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It allows, unless another one denies.
    Allow,
    /// It denies, whatever others say.
    Deny,
}

/// What was decided, and by which policy: what an audit hook is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub allowed: bool,
    /// The policy that gave it; `None` when there was no scope to evaluate, or nothing matched.
    pub policy: Option<Arc<str>>,
}
