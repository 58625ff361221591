//! The example backend holds every rule of the contract.

use store_core::conformance::BackendHarness;
use store_examples::custom_backend::{ShelfBackend, ShelfOptions};

store_core::conformance!(
    BackendHarness::new(ShelfBackend, ShelfOptions::default())
        .limited(|max_entries| ShelfOptions { max_entries: Some(max_entries) })
);
