//! The tables of the store's own specification, row by row, as a script sees them, on every backend. (Its snippets are in `lua/document.lua`.)
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use common::{Bench, Vm};
use store_lua::Options;
use store_lua::store_core::config::Document;
use store_lua::store_core::{Backends, Context};

/// What anybody may do, and one policy that takes something away.
fn policies(action: &str, resource: &str, keys: &str) -> String {
    format!(
        "[[security.policies]]\nid = 'all'\nactions = ['store.*']\nresources = ['app:*']\neffect = 'allow'\n\
         [[security.policies]]\nid = 'row'\nactions = ['{action}']\nresources = ['{resource}']\n{keys}effect = 'deny'\n"
    )
}

const CALLS: &str = "
    local denied = ...
    calls = {
      ['store.key.get'] = function(key) return cache:get(key) end,
      ['store.key.set'] = function(key) return cache:set(key, 'changed', 60) end,
      ['store.key.delete'] = function(key) return cache:delete(key) end,
      ['store.key.has'] = function(key) return cache:has(key) end,
    }
    for action, call in pairs(calls) do
      for _, key in ipairs({ 'one', 'two' }) do
        local value, err = call(key)
        if action == denied and key == 'one' then
          fails('PERMISSION_DENIED', nil, value, err)
          equal(err:retryable(), false)
        else
          equal(err, nil, action .. ' of ' .. key)
        end
      end
    end";

fn permissions(bench: Bench) {
    let options = Options::new().context(Context::new(None, Some(Vec::new())));
    let vm = Vm::with_options(bench, &policies("store.get", "app:other", ""), options);
    // `store.get`, by the store's id.
    vm.run(
        "acquire.lua",
        "cache = open()
         local other, err = require('store').get('app:other')
         fails('PERMISSION_DENIED', nil, other, err)
         equal(err:retryable(), false)",
    )
    .unwrap();
    // The four of keys, by the attribute `key`: that one is denied, other keys and other actions are not.
    for action in ["store.key.get", "store.key.set", "store.key.delete", "store.key.has"] {
        let text = policies(action, "app:cache", "keys = ['one']\n");
        let document = Document::parse(&text, "policies").unwrap();
        vm.registry.replace_policies(document.resolve(None, &Backends::new(), &|_| None).unwrap().policies);
        vm.run("calls.lua", &CALLS.replace("...", &format!("'{action}'"))).unwrap();
        // On another store the row says nothing.
        let document = Document::parse(&policies(action, "app:other", "keys = ['one']\n"), "policies").unwrap();
        vm.registry.replace_policies(document.resolve(None, &Backends::new(), &|_| None).unwrap().policies);
        vm.run("calls.lua", &CALLS.replace("...", "nil")).unwrap();
    }
}

#[test]
fn permissions_memory() {
    permissions(Bench::Memory);
}

#[test]
fn permissions_sled() {
    permissions(Bench::Sled);
}

#[test]
fn permissions_redis() {
    permissions(Bench::Redis);
}

/// What each method returns when all is well: its type, and no error beside it.
#[test]
fn returns() {
    for bench in [Bench::Memory, Bench::Sled, Bench::Redis] {
        let vm = Vm::new(bench, "");
        vm.run(
            "returns.lua",
            "local store = require('store')
             local function returned(...) return select('#', ...), ... end
             local function good(expected, n, value, err)
               assert(n == 1 or (n == 2 and err == nil), n)
               equal(value, expected)
             end
             local cache, err = store.get('app:cache')
             equal(err, nil)
             equal(tostring(cache), 'store.Store{}')
             good(true, returned(cache:set('k', 'v')))
             good(true, returned(cache:set('k', 'v', 0)))
             good(true, returned(cache:set('k', 'v', nil)))
             good(true, returned(cache:set('k', 'v', 300)))
             good('v', returned(cache:get('k')))
             good(nil, returned(cache:get('missing')))
             good(true, returned(cache:has('k')))
             good(false, returned(cache:has('missing')))
             good(true, returned(cache:delete('k')))
             good(false, returned(cache:delete('k')))
             local n, released = returned(cache:release())
             equal(n, 1)
             equal(released, true)",
        )
        .unwrap();
    }
}
