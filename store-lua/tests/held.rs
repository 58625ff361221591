//! Handles that scripts hold: limited, counted, and given back at the end of a run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use std::time::Duration;

use common::{Bench, Vm};
use store_lua::{Options, enter_release_after, handles_collected, release_after};

#[test]
fn h1_a_run_gives_back_what_it_leaves_behind() {
    let vm = Vm::new(Bench::MemorySync, "");
    vm.run("before.lua", "mine = open()").unwrap();
    let script = "kept = open() kept2 = open('app:other') local done = open() done:release() assert(kept:set('k', 1))";
    enter_release_after(|| vm.run("run.lua", script)).unwrap();
    assert_eq!(vm.registry.handles_out(None), 1, "only the handle from before");
    vm.run("after.lua", "fails('INVALID', 'released', kept:get('k')) equal(mine:get('k'), 1)").unwrap();
    // Also when it fails.
    assert!(enter_release_after(|| vm.run("run.lua", "kept = open() error('x')")).is_err());
    assert_eq!(vm.registry.handles_out(None), 1);
    assert_eq!(handles_collected(&vm.lua), 0);
}

#[test]
fn h1_runs_that_take_turns_give_back_their_own() {
    let vm = Vm::new(Bench::Redis, "");
    vm.run("open.lua", "shared = open() assert(shared:set('k', 1))").unwrap();
    vm.block_on(async {
        let short = release_after(vm.lua.load("short = open() sleep(0.02) equal(short:get('k'), 1)").exec_async());
        let long = release_after(
            vm.lua
                .load("long = open() sleep(0.05) equal(long:get('k'), 1) fails('INVALID', 'released', short:get('k'))")
                .exec_async(),
        );
        let (short, long) = tokio::join!(short, long);
        short.unwrap();
        long.unwrap();
    });
    assert_eq!(vm.registry.handles_out(None), 1);
    // Dropped in the middle.
    vm.block_on(async {
        let script = release_after(vm.lua.load("left = open() sleep(60)").exec_async());
        assert!(tokio::time::timeout(Duration::from_millis(200), script).await.is_err());
    });
    assert_eq!(vm.registry.handles_out(None), 1);
}

#[test]
fn h1_handles_are_limited_if_the_host_says_so() {
    let vm = Vm::with_options(Bench::MemorySync, "", Options::new().max_handles(3));
    vm.run(
        "limit.lua",
        "local store = require('store')
         local held = { open(), open(), open() }
         local err = fails('UNAVAILABLE', '3 handles are out', store.get('app:cache'))
         equal(err:retryable(), true)
         equal(err:details().reason, 'max_handles')
         held[2]:release()
         held[2] = open()
         -- What nothing holds any more is collected when it is needed.
         held[1], held[3] = nil, nil
         held[1] = open()
         fails('NOT_FOUND', nil, store.get('app:nothing'))",
    )
    .unwrap();
    assert!(handles_collected(&vm.lua) >= 1);
    for _ in 0..100 {
        vm.run("many.lua", "local cache = open() assert(cache:set('k', 1))").unwrap();
    }
    assert!(vm.registry.handles_out(None) <= 3);
    // The same where opening waits.
    let vm = Vm::with_options(Bench::Redis, "", Options::new().max_handles(1));
    vm.run("limit.lua", "held = open() fails('UNAVAILABLE', 'handles are out', require('store').get('app:other'))")
        .unwrap();
}

#[test]
fn h1_what_was_forgotten_is_counted() {
    let vm = Vm::new(Bench::MemorySync, "");
    assert_eq!(handles_collected(&vm.lua), 0);
    vm.run("forget.lua", "for _ = 1, 5 do open() end local kept = open() kept:release()").unwrap();
    vm.lua.gc_collect().unwrap();
    vm.lua.gc_collect().unwrap();
    assert_eq!((handles_collected(&vm.lua), vm.registry.handles_out(None)), (5, 0));
}
