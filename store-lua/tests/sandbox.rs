//! Scripts that are not trusted: what they have, and that they end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::time::{Duration, Instant};

use store_lua::mlua::Lua;
use store_lua::{Configuration, Sandbox, enter_time_limit, with_time_limit};

const CONFIGURATION: &str = "[stores.'app:cache']\nbackend = 'memory'";

fn sandbox() -> Lua {
    let lua = Sandbox::new().memory(32 << 20).lua().unwrap();
    store_lua::open(&lua, Configuration::text(CONFIGURATION), None).unwrap();
    lua
}

const LIMIT: Duration = Duration::from_millis(100);

/// Runs it under the time limit; it must end by it.
#[track_caller]
fn is_ended(lua: &Lua, source: &str) {
    let started = Instant::now();
    let ended = enter_time_limit(lua, LIMIT, || lua.load(source).exec());
    let error = ended.expect_err(source).to_string();
    assert!(error.contains("the time limit has passed"), "{source}: {error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{source}: {:?}", started.elapsed());
}

#[test]
fn what_reaches_out_of_the_vm_is_not_there() {
    sandbox()
        .load(
            r#"
            for _, name in ipairs({ "io", "debug", "package", "dofile", "loadfile", "collectgarbage", "jit", "ffi", "newproxy", "getfenv", "setfenv" }) do
              assert(_G[name] == nil, name)
            end
            assert(string.dump == nil and ("").dump == nil)
            for name in pairs(os) do
              assert(name == "clock" or name == "date" or name == "difftime" or name == "time", name)
            end
            assert(type(os.time()) == "number")
            assert(not pcall(require, "os.execute"))
            local ok, err = pcall(require, "socket")
            assert(not ok and err:find("not available in the sandbox", 1, true))
            assert(require("store").get("app:cache"):set("k", 1))
            assert(errors.NOT_FOUND == "NotFound")
            "#,
        )
        .exec()
        .unwrap();
}

#[test]
fn no_library_comes_back_through_require() {
    sandbox()
        .load(
            r#"
            -- LuaJIT loads its library for C functions as soon as a script has such a literal.
            local made = load("return 1LL")
            if made then pcall(made) end
            for _, name in ipairs({
              "_G", "os", "io", "debug", "package", "ffi", "jit", "jit.opt", "jit.util", "string", "table", "coroutine", "math", "bit",
              "string.buffer", "table.new",
            }) do
              local ok, got = pcall(require, name)
              assert(not ok, name .. " is there")
              assert(tostring(got):find("not available in the sandbox", 1, true), got)
            end
            "#,
        )
        .exec()
        .unwrap();
}

#[cfg(not(feature = "luau"))]
#[test]
fn source_is_loaded_and_bytecode_is_not() {
    let whole = Lua::new();
    let bytecode: store_lua::mlua::LuaString =
        whole.load("return string.dump(function() return 42 end)").eval().unwrap();
    let lua = sandbox();
    lua.globals().set("bytecode", lua.create_string(bytecode.as_bytes()).unwrap()).unwrap();
    lua.load(
        r##"
        assert(load("return 1 + 1")() == 2)
        local pieces = { "return ", "'whole'" }
        assert(load(function() return table.remove(pieces, 1) end)() == "whole")
        assert(select("#", load("= =")) == 2 or loadstring)
        for _, chunk in ipairs({ bytecode, "\27anything" }) do
          local made, err = load(chunk)
          assert(made == nil and err:find("binary"), err)
          made, err = load(chunk, "x", "b")
          assert(made == nil and err:find("binary"), err)
          local once = { chunk }
          made, err = load(function() return table.remove(once) end, "x", "bt")
          assert(made == nil and err:find("binary"), err)
        end
        "##,
    )
    .exec()
    .unwrap();
}

#[test]
fn a_script_ends_when_its_time_is_up_however_it_clings_to_it() {
    let lua = sandbox();
    let spin = "local function spin() while true do end end ";
    for source in [
        "while true do end",
        // Where there are tail calls; else the stack ends it.
        if cfg!(feature = "luau") { "while true do end" } else { "local function f() return f() end f()" },
        "while true do pcall(spin) end",
        "while true do pcall(pcall, spin) end",
        "while true do xpcall(spin, function() spin() end) end",
        "xpcall(error, spin)",
        "while true do coroutine.resume(coroutine.create(spin)) end",
        "while true do pcall(coroutine.wrap(spin)) end",
        "while true do pcall(string.gsub, 'x', 'x', spin) end",
        "while true do pcall(table.sort, { 3, 2, 1 }, spin) end",
        "local t = setmetatable({}, { __index = spin, __tostring = spin, __lt = spin }) while true do pcall(tostring, t) end",
        "while true do local cache = require('store').get('app:cache') cache:get_or_set('k', spin) end",
        "while true do pcall(require('store').with, 'app:cache', spin) end",
        "local cache = require('store').get('app:cache') while true do cache:set('k', 1) cache:get('k') end",
        "for _ in (function() while true do end end) do end",
    ] {
        is_ended(&lua, &format!("{spin}{source}"));
    }
    if !cfg!(feature = "luau") {
        is_ended(&lua, &format!("{spin} while true do load(spin) end"));
    }
    if cfg!(any(feature = "lua54", feature = "lua55")) {
        is_ended(
            &lua,
            &format!(
                "{spin} while true do pcall(function() local x <close> = setmetatable({{}}, {{ __close = spin }}) end) end"
            ),
        );
        is_ended(
            &lua,
            &format!(
                "{spin} while true do local co = coroutine.create(function() local x <close> = setmetatable({{}}, {{ __close = spin }}) coroutine.yield() end) \
                 coroutine.resume(co) coroutine.close(co) end"
            ),
        );
    }
    // The VM is as good as before.
    assert_eq!(lua.load("return require('store').get('app:cache'):get('k')").eval::<i64>().unwrap(), 1);
    enter_time_limit(&lua, Duration::from_secs(60), || lua.load("for i = 1, 1e6 do end").exec()).unwrap();
}

#[test]
fn calls_that_numbers_alone_would_make_endless_are_refused() {
    let lua = sandbox();
    let started = Instant::now();
    lua.load(
        r#"
        assert(string.rep("", 1e15) == "" and ("x"):rep(3) == "xxx")
        -- Luau has no separator.
        assert(("x"):rep(3, "-") == "x-x-x" or ("x"):rep(3, "-") == "xxx")
        assert(not pcall(string.rep, "x", 2 ^ 30))
        local long = setmetatable({}, { __len = function() return 2^52 end })
        for _, name in ipairs({ "insert", "remove", "sort", "concat" }) do
          local ok, err = pcall(table[name], long, 1)
          assert(not ok and err:find("__len"), err)
        end
        assert(table.concat({ 1, 2 }, ",") == "1,2")
        if table.move then
          assert(not pcall(table.move, {}, 1, 2^53, 2))
          assert(table.move({ 1, 2 }, 1, 2, 2)[3] == 2)
        end
        "#,
    )
    .exec()
    .unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[cfg(any(feature = "lua54", feature = "lua53", feature = "lua52", feature = "lua55"))]
#[test]
fn finalizers_are_refused() {
    let lua = sandbox();
    let error = lua.load("setmetatable({}, { __gc = function() while true do end end })").exec().unwrap_err();
    assert!(error.to_string().contains("__gc is not available"), "{error}");
    lua.load(
        "local mt = {} local t = setmetatable({}, mt) mt.__gc = function() while true do end end t = nil
         for i = 1, 1e5 do local _ = {} end",
    )
    .exec()
    .unwrap();
    lua.gc_collect().unwrap();
}

#[test]
fn memory_is_limited_and_the_vm_goes_on() {
    let lua = Sandbox::new().memory(8 << 20).lua().unwrap();
    store_lua::open(&lua, Configuration::text(CONFIGURATION), None).unwrap();
    for source in [
        "('x'):rep(64 * 1024 * 1024)",
        "local t = {} while true do t[#t + 1] = { 1 } end",
        "local s = 'x' while true do s = s .. s end",
    ] {
        let ended = enter_time_limit(&lua, Duration::from_secs(60), || lua.load(source).exec());
        assert!(ended.unwrap_err().to_string().contains("memory"), "{source}");
    }
    lua.gc_collect().unwrap();
    lua.load("assert(require('store').get('app:cache'):set('k', ('x'):rep(1000)))").exec().unwrap();
}

#[test]
fn runs_on_one_vm_have_each_their_own_time() {
    let lua = sandbox();
    let pause = lua
        .create_async_function(|_, ()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(())
        })
        .unwrap();
    lua.globals().set("pause", pause).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let short = with_time_limit(&lua, LIMIT, lua.load("while true do pause() end").exec_async());
        let long = with_time_limit(
            &lua,
            Duration::from_secs(60),
            lua.load("for i = 1, 60 do pause() for j = 1, 2e4 do end end return 'done'").eval_async::<String>(),
        );
        let (short, long) = tokio::join!(short, long);
        assert!(short.unwrap_err().to_string().contains("the time limit has passed"));
        assert_eq!(long.unwrap(), "done");
    });
    // Outside of a run there is none.
    lua.load("for i = 1, 1e6 do end").exec().unwrap();
}
