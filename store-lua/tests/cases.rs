//! The cases of the conformance suite, by the same names, as Lua scripts on every backend; each its own test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::{Bench, Vm};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lua_cases")
}

/// The scripts: each defines cases, `function cases.NAME(cache)`.
fn scripts() -> Vec<(String, String)> {
    let mut scripts: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    scripts.sort();
    scripts
}

/// Runs one case, alone in a VM, on a store that is empty.
fn run(bench: Bench, name: &str) {
    let head = format!("function cases.{name}(");
    let (file, source) = scripts().into_iter().find(|(_, source)| source.contains(&head)).unwrap();
    let vm = Vm::for_scripts(bench);
    // In one line, so that the script's own lines keep their numbers.
    let source = format!("cases = {{}} {source}\ncases.{name}(open())\n");
    if let Err(error) = vm.run(&file, &source) {
        panic!("{error}");
    }
}

macro_rules! cases {
    ($($name:ident)*) => {
        const CASES: &[&str] = &[$(stringify!($name)),*];
        mod memory { $(#[test] fn $name() { super::run(super::Bench::Memory, stringify!($name)); })* }
        mod sled { $(#[test] fn $name() { super::run(super::Bench::Sled, stringify!($name)); })* }
        mod redis { $(#[test] fn $name() { super::run(super::Bench::Redis, stringify!($name)); })* }
    };
}

cases! {
    get_many_is_positional
    set_many_writes_all_and_the_last_of_equal_keys_stays
    set_many_has_a_ttl_per_item
    delete_many_is_positional_and_true_once
    batches_of_nothing_do_nothing
    batches_take_a_thousand_and_no_more
    batches_are_refused_whole_for_one_invalid_item
    batches_with_large_values
    clear_deletes_and_counts_everything
    clear_takes_only_its_prefix
    clear_of_many_entries_leaves_the_others
    increment_counts_from_the_start_value
    increment_writes_what_get_reads_and_the_reverse
    increment_overflow_is_invalid_and_changes_nothing
    increment_of_what_is_no_integer_is_invalid_and_changes_nothing
    increment_through_a_handle_has_its_defaults
    t6_readable_until_its_deadline_and_absent_from_it_on
    t6_a_live_entry_is_readable_shortly_before_its_deadline
    t6_expired_is_absent_for_reads
    t6_touch_revives_nothing
    t6_expired_is_not_deleted
    t6_expired_is_absent_for_conditional_writes
    t6_increment_starts_anew
    t6_expired_is_absent_for_batches
    t6_expired_is_not_listed
    t6_expired_is_not_counted_by_clear
    t6_a_new_value_after_expiry_owes_nothing_to_the_old
    t6_what_was_touched_lives_beyond_its_old_deadline
    t6_what_expired_stays_absent
    t8_entries_expire_one_after_another
    e1_absence_is_not_an_error
    e2_checks_come_in_order
    e7_errors_say_where_they_happened
    info_says_what_the_store_is
    t1_never_does_not_expire
    t1_default_is_what_the_store_is_configured_with
    t2_an_invalid_ttl_writes_nothing_and_the_old_value_stays
    t3_precision_is_a_millisecond
    t3_a_fraction_of_a_millisecond_is_one
    t4_the_longest_ttl_is_a_hundred_years
    t5_overwrite_never_inherits_ttl
    t5_conditional_writes_never_inherit_ttl
    t5_batch_writes_never_inherit_ttl
    t5_a_shorter_ttl_replaces_a_longer_one_and_the_reverse
    t5_keep_ttl_keeps_the_deadline
    t5_keep_ttl_of_an_entry_without_deadline_keeps_none
    t5_keep_ttl_without_a_live_entry_uses_the_ttl_of_the_call
    t5_increment_keeps_the_ttl_of_a_live_counter
    t5_increment_sets_its_ttl_when_it_creates_the_counter
    t5_touch_replaces_the_ttl
    t5_get_and_touch_replaces_the_ttl
    t9_ttl_has_three_outcomes
    t9_every_read_tells_the_same_time_left
    t9_time_left_goes_down_with_time
    t10_max_ttl_caps_longer_ones_and_never
    h1_a_released_handle_refuses_everything
    h1_the_synchronous_path_is_refused_alike
    h1_the_synchronous_path_answers_like_the_waiting_one
    h1_release_is_idempotent_and_leaves_other_handles_alone
    k1_any_bytes_are_a_key
    k1_keys_come_back_as_they_went_in
    k1_keys_that_extend_each_other_are_apart
    k1_prefixes_are_plain_bytes
    k1_prefixes_longer_than_any_key_match_nothing
    k1_empty_and_too_long_keys_are_invalid
    k1_the_longest_key_works_everywhere
    k2_stores_do_not_see_each_other
    k2_clear_leaves_other_stores_alone
    list_is_in_byte_order
    list_brings_what_was_asked_for
    list_of_nothing_is_empty
    list_respects_its_prefix
    list_says_exactly_whether_more_follows
    list_goes_on_after_any_key
    list_sees_every_write_and_delete
    list_of_many_entries_brings_each_once
    list_is_stable_under_concurrent_change
    list_through_a_handle_pages_by_cursor
    list_limits_outside_1_to_1000_are_invalid
    list_refuses_bad_cursors
    list_cursors_outlive_the_handle_and_the_entry
    each_brings_every_entry_once
    list_leaves_entries_alone
    get_or_set_loads_once_and_reads_after
    get_or_set_stores_with_a_ttl
    get_or_set_loads_different_keys_at_the_same_time
    get_or_set_failures_are_shared_and_cache_nothing
    get_or_set_of_nothing_is_remembered_only_if_asked
    get_or_set_recursion_on_one_key_conflicts
    get_or_set_may_serve_stale_values_on_error
    put_says_version_and_ttl
    put_only_if_absent
    put_only_if_present
    put_if_version
    put_if_version_with_a_strange_version_conflicts
    put_conflicts_are_worth_retrying_and_refusals_are_not
    put_conditions_go_with_ttl_and_keep_ttl
    put_options_that_exclude_each_other_are_invalid
    put_through_a_handle_answers_as_the_contract_says
    get_gives_what_was_put
    has_tells_without_reading
    delete_is_true_once
    delete_with_a_version_deletes_only_that
    entry_gives_value_version_and_ttl
    touch_is_true_iff_live_and_keeps_the_value
    touch_with_a_version_touches_only_that
    get_and_touch_reads_and_creates_nothing
    take_reads_and_deletes
    v1_nothing_is_not_a_value
    v1_false_zero_and_empty_are_values
    v2_what_comes_back_is_what_went_in
    v2_every_operation_gives_the_same_bytes
    v2_values_of_all_sizes
    v4_values_are_copies
    v5_max_value_size_is_enforced_before_anything_is_written
    v5_the_largest_value_is_stored
    c2_every_write_has_a_new_version
    c2_touch_and_reads_keep_the_version
    c2_versions_are_not_reused_after_delete
    c2_versions_are_not_reused_after_expiry
    c2_versions_do_not_tell_their_order
    c2_every_read_tells_the_same_version
}

/// The rest of the suite: what a script cannot see or do (the trait below handles, dropped futures, several threads, injected
/// faults and clocks, restarts, closing, callers with other rights).
const NOT_FROM_LUA: &[&str] = &[
    "c1_increments_and_puts_do_not_undo_each_other",
    "c1_no_increment_is_lost",
    "c1_no_reader_sees_half_a_value",
    "c1_one_of_many_deletes_is_true",
    "c1_one_of_many_only_if_absent_puts_wins",
    "c1_one_of_many_puts_with_the_same_version_wins",
    "c1_one_of_many_takes_gets_the_value",
    "c1_read_modify_write_by_version_loses_nothing",
    "c2_versions_are_not_reused_after_a_restart",
    "c3_a_dropped_write_is_whole_or_absent",
    "c3_a_dropped_write_never_overtakes_a_later_one",
    "c3_dropped_operations_leave_the_store_usable",
    "clear_that_is_cut_short_says_how_many_it_deleted",
    "e1_a_failure_is_never_a_miss",
    "e5_a_closed_store_refuses_everything",
    "e5_closing_one_store_leaves_others_open",
    "e6_a_full_store_refuses_new_entries",
    "e6_expired_entries_never_count",
    "e6_overwriting_is_not_refused_for_count",
    "e7_the_outcome_of_a_failed_write_is_told",
    "get_or_set_passes_on_when_the_loading_caller_gives_up",
    "get_or_set_runs_one_loader_for_all_who_wait",
    "get_or_set_waits_have_a_deadline",
    "h2_a_closed_store_refuses_its_handles",
    "h2_a_durable_store_keeps_its_entries",
    "h2_a_whole_list_and_a_whole_clear_have_a_deadline",
    "h2_closing_cancels_what_does_not_end",
    "h2_closing_waits_for_what_is_in_flight",
    "increment_takes_any_integer_form",
    "k2_any_text_is_an_id",
    "k2_ids_and_keys_cannot_be_confused",
    "s1_a_denied_operation_does_not_reach_the_backend",
    "s1_batches_are_refused_whole_for_one_denied_key",
    "s1_clear_deletes_only_what_may_be_deleted",
    "s1_each_operation_needs_its_actions",
    "s1_listing_needs_its_prefix",
    "s1_listing_shows_only_what_may_be_read",
    "s2_deny_wins_and_no_match_is_a_denial",
    "s2_without_a_scope_everything_is_allowed_unless_strict",
    "s2_a_condition_that_cannot_be_told_counts_against_access",
    "s3_actors_are_kept_to_their_own_keys",
    "s3_conditions_decide_by_actor_and_key",
    "s4_a_denial_is_the_same_whether_or_not_the_key_exists",
    "s4_a_host_can_observe_denials",
    "scan_brings_every_entry",
    "scan_brings_what_stays_while_other_entries_change",
    "scan_brings_what_was_asked_for",
    "scan_of_nothing_ends",
    "scan_respects_its_prefix",
    "t10_jitter_only_shortens",
    "t1_a_ttl_of_zero_is_invalid",
    "t6_expired_is_not_scanned",
    "t7_purge_frees_only_what_expired_and_no_more_than_asked",
    "t8_deadlines_run_on_while_a_store_is_closed",
    "v2_rust_types_come_back",
    "v6_bytes_that_are_no_value_are_internal_and_foreign",
];

#[test]
fn every_case_of_the_scripts_is_run_and_is_one_of_the_suite() {
    let scripts = scripts();
    let written: BTreeSet<&str> = scripts
        .iter()
        .flat_map(|(_, source)| source.lines())
        .filter_map(|line| line.strip_prefix("function cases.")?.split_once('(').map(|(name, _)| name))
        .collect();
    assert_eq!(written, CASES.iter().copied().collect());
    let suite: BTreeSet<&str> = store_core::conformance::cases().iter().map(|case| case.name).collect();
    let covered: BTreeSet<&str> = written.into_iter().chain(NOT_FROM_LUA.iter().copied()).collect();
    assert_eq!(covered, suite, "a case of the suite has a script of its name, or a reason to have none");
    assert_eq!(covered.len(), CASES.len() + NOT_FROM_LUA.len(), "not both");
}
