//! What threads of the store share without a lock, run in every order that the memory model allows, stale reads included:
//! [loom](https://docs.rs/loom/0.7) (after Norris and Demsky, "CDSChecker", OOPSLA 2013). `cargo xtask models [NAME]`.
//!
//! The code is the crates' own, included by its path; only what it takes from their `sync` module is loom's here. Each model says what it would find.
//! `docs/adr/0013-shared-without-locks.md` lists what there is, and what is tested in other ways.

mod block_on;
mod gate;
mod kept;
mod lanes;
mod numbers;
mod pair;
mod sweeper;
mod sync;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// A file of models, a model, and the function that runs it in every order.
type Model = (&'static str, &'static str, fn());

const MODELS: &[Model] = &[
    ("pair", "who_reads_a_tag_reads_at_least_its_value", pair::who_reads_a_tag_reads_at_least_its_value),
    ("pair", "the_value_never_falls", pair::the_value_never_falls),
    ("lanes", "threads_count_exactly", lanes::threads_count_exactly),
    ("lanes", "a_lane_of_a_thread_that_has_ended_goes_on", lanes::a_lane_of_a_thread_that_has_ended_goes_on),
    ("lanes", "those_without_a_lane_count_exactly", lanes::those_without_a_lane_count_exactly),
    ("gate", "closing_waits_for_who_was_let_in", gate::closing_waits_for_who_was_let_in),
    ("gate", "who_is_inside_is_told_to_give_up", gate::who_is_inside_is_told_to_give_up),
    ("kept", "who_begins_after_a_replacement_is_judged_by_it", kept::who_begins_after_a_replacement_is_judged_by_it),
    ("sweeper", "what_has_expired_is_freed", sweeper::what_has_expired_is_freed),
    ("sweeper", "what_a_pass_misses_is_news", sweeper::what_a_pass_misses_is_news),
    ("numbers", "no_number_is_given_out_twice_or_too_early", numbers::no_number_is_given_out_twice_or_too_early),
    ("block_on", "a_wake_is_not_lost", block_on::a_wake_is_not_lost),
];

/// How often a thread is interrupted in an order that is tried, where it need not wait. Faults that take more are rare (Musuvathi and Qadeer, "Iterative Context
/// Bounding", PLDI 2007: two were enough for all that they knew of), and every one more takes ten times as long.
const PREEMPTIONS: usize = 3;

/// How many orders the models have tried.
static TRIED: AtomicUsize = AtomicUsize::new(0);

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(move || {
        TRIED.fetch_add(1, Ordering::Relaxed);
        model();
    });
}

/// A model that fails panics, with the trace of what led there if `LOOM_LOG=trace` is set.
fn main() -> ExitCode {
    let wanted = std::env::args().nth(1);
    let mut run = 0;
    for (file, name, model) in MODELS {
        let name = format!("{file}::{name}");
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let start = Instant::now();
        let before = TRIED.load(Ordering::Relaxed);
        println!("model {name}");
        model();
        let tried = TRIED.load(Ordering::Relaxed) - before;
        println!("    ok: {tried} orders in {:.1} s", start.elapsed().as_secs_f64());
        run += 1;
    }
    if run == 0 {
        eprintln!("there is no model of that name");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
