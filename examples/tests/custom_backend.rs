//! The example backend holds every rule of the contract.

use std::collections::HashSet;

use store_core::conformance::{BackendHarness, cases};
use store_examples::custom_backend::{ShelfBackend, ShelfOptions};

store_core::conformance!(
    BackendHarness::new(ShelfBackend, ShelfOptions::default())
        .limited(|max_entries| ShelfOptions { max_entries: Some(max_entries) })
);

/// All rules that a store in Rust can be held to; V3, E3 and E4 are about values, errors and Lua alone.
const RULES: &str = "T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 K1 K2 V1 V2 V4 V5 V6 E1 E2 E5 E6 E7 C1 C2 C3 H1 H2 S1 S2 S3 S4 \
    get has delete entry put touch get_and_touch take increment get_many set_many delete_many list each scan clear \
    get_or_set info";

#[test]
fn every_rule_and_operation_has_a_case() {
    let tested: HashSet<&str> = cases().iter().flat_map(|case| case.rules).copied().collect();
    let known: HashSet<&str> = RULES.split_whitespace().collect();
    assert_eq!(known.difference(&tested).collect::<Vec<_>>(), Vec::<&&str>::new(), "without a case");
    assert_eq!(tested.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "no such rule");
    let names: HashSet<&str> = cases().iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases().len(), "names are unique");
}
