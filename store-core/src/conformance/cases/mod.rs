//! The cases, by chapter of the contract.

pub(super) mod expiry;
