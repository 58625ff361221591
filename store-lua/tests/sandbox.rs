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
            local made = load and load("return 1LL") -- (Luau has no `load`.)
            if made then pcall(made) end
            for _ = 1, 200 do
              -- What such values need is still there, whatever was collected.
              local garbage = {}
              for n = 1, 100 do garbage[n] = { n } end
              assert(not made or tostring(load("return 1LL + 1LL")()) == "2LL")
            end
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

/// Each of these would run for hours or for ever, and is one call into C where there is no sandbox.
#[test]
fn no_text_makes_a_function_outlive_the_time_limit() {
    let lua = Sandbox::new().memory(256 << 20).lua().unwrap();
    for source in [
        // Polynomials of the text's length, and exponentials of the pattern's.
        "local s = ('a'):rep(30000) s:find('a*a*a*a*b')",
        "local s = ('a'):rep(30000) s:match('^(.-)(.-)(.-)(.-)b$')",
        "local s = ('a'):rep(30000) for _ in s:gmatch('.-.-.-.-b') do end",
        "local s = ('a'):rep(30000) s:gsub('a+a+a+a+b', '')",
        "local s = ('a'):rep(30) s:find(('a?'):rep(30) .. ('a'):rep(40))",
        "local s = ('a'):rep(26) s:find(('a-'):rep(25) .. 'b')",
        "local s = ('('):rep(1e6) s:find('%b()%b()')",
        "local s = ('a'):rep(1e6) s:find('(a*)%1b')",
        // Quadratic, and that of millions.
        "local s = ('a'):rep(4e6) s:find('a*b')",
        "local s = ('a'):rep(8e6) s:find(('a'):rep(4e6) .. 'b', 1, true)",
        "local s = ('a'):rep(8e6) s:find(('a'):rep(4e6) .. 'b')",
        "local s = ('a'):rep(4e6) s:gsub('%f[b]' .. ('a'):rep(100), '')",
        "local s = ('a'):rep(4e6) s:find('[' .. ('b'):rep(1e5) .. ']')",
        // Caught, they go on failing.
        "local s = ('a'):rep(30000) while true do pcall(s.find, s, 'a*a*a*a*b') end",
        // Comparisons of long texts, in C.
        "local a, b = ('a'):rep(8e6) .. 'x', ('a'):rep(8e6) .. 'y' local t = {} for i = 1, 2e5 do t[i] = i % 2 == 0 and a or b end table.sort(t)",
        "local a, b = ('a'):rep(8e6) .. 'x', ('a'):rep(8e6) .. 'y' while true do local _ = a < b end",
        // Compiling.
        "local long = ('local x = {} '):rep(50) .. ('f(1, 2) '):rep(1e5) while true do pcall(load, long) end",
    ] {
        is_ended(&lua, source);
        lua.gc_collect().unwrap();
    }
}

/// In Lua 5.1, 5.2 and LuaJIT, sorting takes the middle of three, which an order can be arranged against (McIlroy, "A killer adversary for
/// quicksort", 1999).
#[test]
fn no_order_makes_sorting_outlive_the_time_limit() {
    let lua = sandbox();
    // The adversary decides the order while it is asked; what it decided is then sorted once more, without asking anybody.
    let source = "
        local n = 20000
        local order, solid, candidate, index = {}, 0, 1, {}
        local gas = n
        for i = 1, n do order[i], index[i] = gas, i end
        pcall(table.sort, index, function(x, y)
          if order[x] == gas and order[y] == gas then
            solid = solid + 1
            if x == candidate then order[x] = solid else order[y] = solid end
          end
          if order[x] == gas then candidate = x elseif order[y] == gas then candidate = y end
          return order[x] < order[y]
        end)
        while true do
          local copy = {}
          for i = 1, n do copy[i] = order[i] end
          table.sort(copy)
        end";
    is_ended(&lua, source);
}

/// What a run that was ended leaves behind must not be in the way of the next: its coroutines, for one.
#[test]
fn a_run_that_was_ended_does_not_keep_the_next_from_waiting() {
    let lua = Sandbox::new().lua().unwrap();
    let url = store_testkit::RedisServer::shared().url();
    let prefix = format!("sandbox{}", std::process::id());
    let configuration =
        format!("[stores.'app:cache']\nbackend = 'redis'\noptions = {{ url = {url:?}, prefix = {prefix:?} }}");
    store_lua::open(&lua, Configuration::text(configuration), None).unwrap();
    let spin = "local function spin() while true do end end";
    is_ended(&lua, &format!("{spin} while true do coroutine.resume(coroutine.create(spin)) end"));
    is_ended(&lua, &format!("{spin} while true do pcall(coroutine.wrap(spin)) end"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let script = "local cache = assert(require('store').get('app:cache')) assert(cache:set('k', 7, 60)) return assert(cache:get('k'))";
    assert_eq!(runtime.block_on(lua.load(script).eval_async::<i64>()).unwrap(), 7);
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

/// The most memory that this process ever had, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// What lies beside the VM, for a script that holds on to everything: two gigabytes in most of these, if it were not counted.
#[test]
#[cfg(target_os = "linux")]
fn the_memory_that_the_module_holds_for_a_script_is_limited_too() {
    let before = peak();
    let lua = sandbox();
    for source in [
        "local text = ('x'):rep(2 ^ 20) for n = 1, 2000 do kept[n] = errors.new('INTERNAL', text) end",
        "local text = ('x'):rep(2 ^ 20) for n = 1, 2000 do kept[n] = errors.new{ message = 'm', details = { text } } end",
        "local e = errors.new(('x'):rep(2 ^ 20)) for n = 1, 2000 do e = errors.wrap(e, 'c') kept[n] = e end",
        "local cache = require('store').get('app:cache')
         local key = ('k'):rep(1024) for n = 1, 1000000 do kept[n] = select(2, cache:set(key, print)) end",
        "local cache = require('store').get('app:cache')
         local value, items = ('v'):rep(4 * 2 ^ 20), {} for n = 1, 500 do items[n] = { key = n, value = value } end
         cache:set_many(items)",
    ] {
        lua.load("kept = {}").exec().unwrap();
        let error = lua.load(source).exec().expect_err(source).to_string();
        assert!(error.contains("not enough memory"), "{source}: {error}");
        lua.load("kept = {}").exec().unwrap();
        // What is given back can be had again.
        lua.load("for n = 1, 100 do local e = errors.new(('x'):rep(2 ^ 20)) end").exec().unwrap();
    }
    assert!(peak() - before < 1 << 30, "{} MiB", (peak() - before) >> 20);
}
