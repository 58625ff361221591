//! The list of all cases: the one place that says which there are.

use super::run::Case;

/// Hands the list of cases to another macro: `module::name [rules]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($then:path, $context:tt) => {
        $then! { $context
            expiry::t1_never_does_not_expire ["T1"]
            expiry::t1_default_is_what_the_store_is_configured_with ["T1"]
            expiry::t1_a_ttl_of_zero_is_invalid ["T1"]
            expiry::t2_an_invalid_ttl_writes_nothing_and_the_old_value_stays ["T2"]
            expiry::t3_precision_is_a_millisecond ["T3"]
            expiry::t3_a_fraction_of_a_millisecond_is_one ["T3"]
            expiry::t4_the_longest_ttl_is_a_hundred_years ["T4"]
            expiry::t5_overwrite_never_inherits_ttl ["T5"]
            expiry::t5_conditional_writes_never_inherit_ttl ["T5"]
            expiry::t5_batch_writes_never_inherit_ttl ["T5"]
            expiry::t5_a_shorter_ttl_replaces_a_longer_one_and_the_reverse ["T5"]
            expiry::t5_keep_ttl_keeps_the_deadline ["T5"]
            expiry::t5_keep_ttl_of_an_entry_without_deadline_keeps_none ["T5"]
            expiry::t5_keep_ttl_without_a_live_entry_uses_the_ttl_of_the_call ["T5"]
            expiry::t5_increment_keeps_the_ttl_of_a_live_counter ["T5"]
            expiry::t5_increment_sets_its_ttl_when_it_creates_the_counter ["T5"]
            expiry::t5_touch_replaces_the_ttl ["T5"]
            expiry::t5_get_and_touch_replaces_the_ttl ["T5"]
            expiry::t9_ttl_has_three_outcomes ["T9"]
            expiry::t9_every_read_tells_the_same_time_left ["T9"]
            expiry::t9_time_left_goes_down_with_time ["T9"]
            expiry::t10_max_ttl_caps_longer_ones_and_never ["T10"]
            expiry::t10_jitter_only_shortens ["T10"]
            deadline::t6_readable_until_its_deadline_and_absent_from_it_on ["T6"]
            deadline::t6_a_live_entry_is_readable_shortly_before_its_deadline ["T6"]
            deadline::t6_expired_is_absent_for_reads ["T6"]
            deadline::t6_touch_revives_nothing ["T6"]
            deadline::t6_expired_is_not_deleted ["T6"]
            deadline::t6_expired_is_absent_for_conditional_writes ["T6"]
            deadline::t6_increment_starts_anew ["T6"]
            deadline::t6_expired_is_absent_for_batches ["T6"]
            deadline::t6_expired_is_not_listed ["T6"]
            deadline::t6_expired_is_not_scanned ["T6"]
            deadline::t6_expired_is_not_counted_by_clear ["T6"]
            deadline::t6_a_new_value_after_expiry_owes_nothing_to_the_old ["T6"]
            deadline::t6_what_was_touched_lives_beyond_its_old_deadline ["T6"]
            deadline::t6_what_expired_stays_absent ["T6"]
            deadline::t7_purge_frees_only_what_expired_and_no_more_than_asked ["T7"]
            deadline::t8_entries_expire_one_after_another ["T8"]
            key::k1_any_bytes_are_a_key ["K1"]
            key::k1_keys_come_back_as_they_went_in ["K1"]
            key::k1_keys_that_extend_each_other_are_apart ["K1"]
            key::k1_prefixes_are_plain_bytes ["K1"]
            key::k1_prefixes_longer_than_any_key_match_nothing ["K1"]
            key::k1_empty_and_too_long_keys_are_invalid ["K1"]
            key::k1_the_longest_key_works_everywhere ["K1"]
            key::k2_ids_and_keys_cannot_be_confused ["K2"]
            key::k2_stores_do_not_see_each_other ["K2"]
            key::k2_clear_leaves_other_stores_alone ["K2"]
            key::k2_any_text_is_an_id ["K2"]
            value::v1_nothing_is_not_a_value ["V1"]
            value::v1_false_zero_and_empty_are_values ["V1"]
            value::v2_what_comes_back_is_what_went_in ["V2"]
            value::v2_every_operation_gives_the_same_bytes ["V2"]
            value::v2_values_of_all_sizes ["V2"]
            value::v2_rust_types_come_back ["V2"]
            value::v4_values_are_copies ["V4"]
            value::v5_max_value_size_is_enforced_before_anything_is_written ["V5"]
            value::v5_the_largest_value_is_stored ["V5"]
            value::v6_bytes_that_are_no_value_are_internal_and_foreign ["V6"]
            error::e1_absence_is_not_an_error ["E1"]
            error::e1_a_failure_is_never_a_miss ["E1"]
            error::e5_a_closed_store_refuses_everything ["E5"]
            error::e5_closing_one_store_leaves_others_open ["E5"]
            error::e6_a_full_store_refuses_new_entries ["E6"]
            error::e6_overwriting_is_not_refused_for_count ["E6"]
            error::e6_expired_entries_never_count ["E6"]
            error::e7_errors_say_where_they_happened ["E7"]
            error::e7_the_outcome_of_a_failed_write_is_told ["E7"]
            error::e2_checks_come_in_order ["E2"]
            error::info_says_what_the_store_is ["info"]
            version::c2_every_write_has_a_new_version ["C2"]
            version::c2_touch_and_reads_keep_the_version ["C2"]
            version::c2_versions_are_not_reused_after_delete ["C2"]
            version::c2_versions_are_not_reused_after_expiry ["C2"]
            version::c2_versions_do_not_tell_their_order ["C2"]
            version::c2_every_read_tells_the_same_version ["C2"]
            concurrency::c1_no_increment_is_lost ["C1"]
            concurrency::c1_increments_and_puts_do_not_undo_each_other ["C1"]
            concurrency::c1_one_of_many_only_if_absent_puts_wins ["C1"]
            concurrency::c1_one_of_many_puts_with_the_same_version_wins ["C1"]
            concurrency::c1_read_modify_write_by_version_loses_nothing ["C1"]
            concurrency::c1_one_of_many_takes_gets_the_value ["C1"]
            concurrency::c1_one_of_many_deletes_is_true ["C1"]
            concurrency::c1_no_reader_sees_half_a_value ["C1"]
            concurrency::c3_dropped_operations_leave_the_store_usable ["C3"]
            concurrency::c3_a_dropped_write_never_overtakes_a_later_one ["C3"]
            concurrency::c3_a_dropped_write_is_whole_or_absent ["C3"]
            single::get_gives_what_was_put ["get"]
            single::has_tells_without_reading ["has"]
            single::delete_is_true_once ["delete"]
            single::delete_with_a_version_deletes_only_that ["delete"]
            single::entry_gives_value_version_and_ttl ["entry"]
            single::touch_is_true_iff_live_and_keeps_the_value ["touch"]
            single::touch_with_a_version_touches_only_that ["touch"]
            single::get_and_touch_reads_and_creates_nothing ["get_and_touch"]
            single::take_reads_and_deletes ["take"]
            put::put_says_version_and_ttl ["put"]
            put::put_only_if_absent ["put"]
            put::put_only_if_present ["put"]
            put::put_if_version ["put"]
            put::put_if_version_with_a_strange_version_conflicts ["put"]
            put::put_conflicts_are_worth_retrying_and_refusals_are_not ["put"]
            put::put_conditions_go_with_ttl_and_keep_ttl ["put"]
            put::put_options_that_exclude_each_other_are_invalid ["put"]
            put::put_through_a_handle_answers_as_the_contract_says ["put"]
            counter::increment_counts_from_the_start_value ["increment"]
            counter::increment_writes_what_get_reads_and_the_reverse ["increment"]
            counter::increment_takes_any_integer_form ["increment"]
            counter::increment_overflow_is_invalid_and_changes_nothing ["increment"]
            counter::increment_of_what_is_no_integer_is_invalid_and_changes_nothing ["increment"]
            counter::increment_through_a_handle_has_its_defaults ["increment"]
            batch::get_many_is_positional ["get_many"]
            batch::set_many_writes_all_and_the_last_of_equal_keys_stays ["set_many"]
            batch::set_many_has_a_ttl_per_item ["set_many"]
            batch::delete_many_is_positional_and_true_once ["delete_many"]
            batch::batches_of_nothing_do_nothing ["get_many", "set_many", "delete_many"]
            batch::batches_take_a_thousand_and_no_more ["get_many", "set_many", "delete_many"]
            batch::batches_are_refused_whole_for_one_invalid_item ["get_many", "set_many", "delete_many"]
            batch::batches_with_large_values ["get_many", "set_many", "delete_many"]
            list::list_is_in_byte_order ["list"]
            list::list_brings_what_was_asked_for ["list"]
            list::list_of_nothing_is_empty ["list"]
            list::list_respects_its_prefix ["list"]
            list::list_says_exactly_whether_more_follows ["list"]
            list::list_goes_on_after_any_key ["list"]
            list::list_sees_every_write_and_delete ["list"]
            list::list_of_many_entries_brings_each_once ["list"]
            list::list_is_stable_under_concurrent_change ["list"]
            list::list_through_a_handle_pages_by_cursor ["list"]
            list::list_limits_outside_1_to_1000_are_invalid ["list"]
            list::list_refuses_bad_cursors ["list"]
            list::list_cursors_outlive_the_handle_and_the_entry ["list"]
            list::each_brings_every_entry_once ["each"]
            list::list_leaves_entries_alone ["list"]
            scan::scan_brings_every_entry ["scan"]
            scan::scan_respects_its_prefix ["scan"]
            scan::scan_of_nothing_ends ["scan"]
            scan::scan_brings_what_was_asked_for ["scan"]
            scan::scan_brings_what_stays_while_other_entries_change ["scan"]
            clear::clear_deletes_and_counts_everything ["clear"]
            clear::clear_takes_only_its_prefix ["clear"]
            clear::clear_of_many_entries_leaves_the_others ["clear"]
            clear::clear_that_is_cut_short_says_how_many_it_deleted ["clear"]
            load::get_or_set_loads_once_and_reads_after ["get_or_set"]
            load::get_or_set_stores_with_a_ttl ["get_or_set"]
            load::get_or_set_runs_one_loader_for_all_who_wait ["get_or_set"]
            load::get_or_set_loads_different_keys_at_the_same_time ["get_or_set"]
            load::get_or_set_failures_are_shared_and_cache_nothing ["get_or_set"]
            load::get_or_set_of_nothing_is_remembered_only_if_asked ["get_or_set"]
            load::get_or_set_recursion_on_one_key_conflicts ["get_or_set"]
            load::get_or_set_waits_have_a_deadline ["get_or_set"]
            load::get_or_set_passes_on_when_the_loading_caller_gives_up ["get_or_set"]
            load::get_or_set_may_serve_stale_values_on_error ["get_or_set"]
            handle::h1_a_released_handle_refuses_everything ["H1"]
            handle::h1_the_synchronous_path_is_refused_alike ["H1"]
            handle::h1_release_is_idempotent_and_leaves_other_handles_alone ["H1"]
            handle::h1_the_synchronous_path_answers_like_the_waiting_one ["H1"]
            handle::h2_a_closed_store_refuses_its_handles ["H2"]
            handle::h2_closing_waits_for_what_is_in_flight ["H2"]
            handle::h2_closing_cancels_what_does_not_end ["H2"]
            handle::h2_a_whole_list_and_a_whole_clear_have_a_deadline ["H2"]
            durable::h2_a_durable_store_keeps_its_entries ["H2"]
            durable::t8_deadlines_run_on_while_a_store_is_closed ["T8"]
            durable::c2_versions_are_not_reused_after_a_restart ["C2"]
            security::s1_each_operation_needs_its_actions ["S1"]
            security::s1_a_denied_operation_does_not_reach_the_backend ["S1"]
            security::s1_batches_are_refused_whole_for_one_denied_key ["S1"]
            security::s1_listing_shows_only_what_may_be_read ["S1"]
            security::s1_listing_needs_its_prefix ["S1"]
            security::s1_clear_deletes_only_what_may_be_deleted ["S1"]
            security::s2_deny_wins_and_no_match_is_a_denial ["S2"]
            security::s2_without_a_scope_everything_is_allowed_unless_strict ["S2"]
            security::s3_actors_are_kept_to_their_own_keys ["S3"]
            security::s3_conditions_decide_by_actor_and_key ["S3"]
            security::s2_a_condition_that_cannot_be_told_counts_against_access ["S2"]
            security::s4_a_denial_is_the_same_whether_or_not_the_key_exists ["S4"]
            security::s4_a_host_can_observe_denials ["S4"]
        }
    };
}

macro_rules! registry {
    ([] $($module:ident :: $name:ident $rules:tt)*) => {
        /// Every case of the suite, in the order of the contract.
        #[must_use]
        pub fn cases() -> &'static [Case] {
            const CASES: &[Case] = &[$(Case {
                name: stringify!($name),
                rules: &$rules,
                run: |cx| Box::pin(super::cases::$module::$name(cx)),
            },)*];
            CASES
        }
    };
}

__conformance_cases!(registry, []);

/// Proves a backend: one `#[test]` per case, in the modules `bare`, `dynamic`, `immediate` and `wrapped`.
///
/// Takes an expression that makes a [`Harness`](crate::conformance::Harness); every test evaluates it anew.
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        $crate::__conformance_cases!($crate::__conformance_tests, [$harness]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$harness:expr] $($module:ident :: $name:ident $rules:tt)*) => {
        mod bare {
            #[allow(unused_imports)]
            use super::*;
            $(#[test] fn $name() { $crate::conformance::run(stringify!($name), $crate::conformance::Shape::Bare, || $harness); })*
        }
        mod dynamic {
            #[allow(unused_imports)]
            use super::*;
            $(#[test] fn $name() { $crate::conformance::run(stringify!($name), $crate::conformance::Shape::Dynamic, || $harness); })*
        }
        mod immediate {
            #[allow(unused_imports)]
            use super::*;
            $(#[test] fn $name() { $crate::conformance::run(stringify!($name), $crate::conformance::Shape::Immediate, || $harness); })*
        }
        mod wrapped {
            #[allow(unused_imports)]
            use super::*;
            $(#[test] fn $name() { $crate::conformance::run(stringify!($name), $crate::conformance::Shape::Wrapped, || $harness); })*
        }
    };
}
