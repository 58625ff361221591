//! The contract, case by case, on the synchronous path and on the waiting one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod interval {
    use store_core::conformance::BackendHarness;
    use store_sled::{Durability, Options, SledBackend};

    fn harness() -> BackendHarness<SledBackend> {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new("db").with_durability(Durability::Interval);
        BackendHarness::new(SledBackend::new(), options).in_dir(folder.path().to_owned(), folder)
    }

    store_core::conformance!(harness());
}

/// Every write waits for the device.
mod sync {
    use store_core::conformance::BackendHarness;
    use store_sled::{Options, SledBackend};

    fn harness() -> BackendHarness<SledBackend> {
        let folder = tempfile::tempdir().unwrap();
        BackendHarness::new(SledBackend::new(), Options::new("db")).in_dir(folder.path().to_owned(), folder)
    }

    store_core::conformance!(harness());
}
