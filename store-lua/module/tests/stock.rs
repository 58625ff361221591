//! The library in stock interpreters: built for Lua 5.4 it is loaded by `lua5.4`, and so on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The interpreter that this build is for. Debian: `apt-get install lua5.4 luajit`.
const INTERPRETER: &str = if cfg!(feature = "luajit") {
    "luajit"
} else if cfg!(feature = "lua51") {
    "lua5.1"
} else if cfg!(feature = "lua52") {
    "lua5.2"
} else if cfg!(feature = "lua53") {
    "lua5.3"
} else if cfg!(feature = "lua55") {
    "lua5.5"
} else {
    "lua5.4"
};

/// The feature that this build has.
const FEATURE: &str = if cfg!(feature = "luajit") {
    "luajit"
} else if cfg!(feature = "lua51") {
    "lua51"
} else if cfg!(feature = "lua52") {
    "lua52"
} else if cfg!(feature = "lua53") {
    "lua53"
} else if cfg!(feature = "lua55") {
    "lua55"
} else {
    "lua54"
};

/// Where this build goes: tests run from target/debug/deps.
fn library_target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf()
}

/// A folder with the library as `store.so`. Cargo does not build a shared library for tests by itself.
fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = library_target();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--lib", "--features", FEATURE]).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.env("CARGO_TARGET_DIR", &target).status().unwrap().success());
        let folder = folder("library");
        let built = if cfg!(target_os = "macos") { "libstore.dylib" } else { "libstore.so" };
        std::fs::copy(target.join("debug").join(built), folder.join("store.so")).unwrap();
        folder
    })
}

/// Runs a script; gives what it printed, or panics with what it said.
fn run(script: &Path, folder: &Path, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(INTERPRETER);
    command.arg(script).current_dir(folder).env_remove("STORE_CONFIG").env_remove("STORE_ENV");
    command.env("LUA_CPATH", format!("{}/?.so;;", library().display()));
    command.envs(environment.iter().copied());
    let output = command.output().unwrap_or_else(|error| panic!("{INTERPRETER}: {error}; install it"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{INTERPRETER} {}: {out}{err}", script.display());
    out.into_owned()
}

fn folder(name: &str) -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{INTERPRETER}-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

const THREE_STORES: &str = "
[stores.'app:cache']
backend = 'memory'
[stores.'app:other']
backend = 'memory'
[stores.'app:small']
backend = 'memory'
default_ttl = '100ms'
max_ttl = '1h'
max_value_size = '1KiB'
max_depth = 4
";

/// The scripts of the embedded module, as they are.
#[test]
fn the_contract_holds_in_the_stock_interpreter() {
    let folder = folder("contract");
    let config = folder.join("three.toml");
    std::fs::write(&config, THREE_STORES).unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lua");
    let prelude = std::fs::read_to_string(scripts.join("prelude.lua")).unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(&scripts).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "prelude.lua" {
            continue;
        }
        let body = std::fs::read_to_string(&path).unwrap();
        let whole = folder.join("whole.lua");
        std::fs::write(folder.join(&name), body).unwrap();
        std::fs::write(
            &whole,
            format!(
                "function sleep(seconds) os.execute('sleep ' .. seconds) end\n{prelude}\nassert(loadfile('{name}'))()"
            ),
        )
        .unwrap();
        run(&whole, &folder, &[("STORE_CONFIG", config.to_str().unwrap())]);
        count += 1;
    }
    assert!(count > 15, "{count}");
}

/// As they are: a copy of one is where a program begins.
#[test]
fn the_examples_run_in_the_stock_interpreter() {
    let (folder, mut count) = (folder("examples"), 0);
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/lua")).unwrap() {
        run(&entry.unwrap().path(), &folder, &[]);
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

#[test]
fn configuration_comes_from_the_environment_or_a_file_or_is_one_store_in_memory() {
    let folder = folder("configuration");
    let script = folder.join("script.lua");
    std::fs::write(
        &script,
        "local store = require('store') local cache = assert(store.get('app:cache')) print(cache:info().backend)",
    )
    .unwrap();
    assert_eq!(run(&script, &folder, &[]), "memory\n");
    let text = "[stores.'app:cache']\nbackend = 'sled'\noptions = { path = 'db' }\n[env.ram.stores.'app:cache']\nbackend = 'memory'\n";
    std::fs::write(folder.join("store.toml"), text).unwrap();
    assert_eq!(run(&script, &folder, &[]), "sled\n");
    assert_eq!(run(&script, &folder, &[("STORE_ENV", "ram")]), "memory\n");
    std::fs::rename(folder.join("store.toml"), folder.join("mine.toml")).unwrap();
    assert_eq!(run(&script, &folder, &[("STORE_CONFIG", "mine.toml")]), "sled\n");
    // A mistake is returned by the first `get`, and loading the module does not fail.
    std::fs::write(
        &script,
        "local store = require('store')
         for _ = 1, 2 do
           local cache, err = store.get('app:cache')
           assert(cache == nil and err:kind() == errors.INVALID and tostring(err):find('nowhere.toml', 1, true))
         end",
    )
    .unwrap();
    run(&script, &folder, &[("STORE_CONFIG", "nowhere.toml")]);
}

#[test]
fn what_is_durable_is_there_in_the_next_process() {
    let folder = folder("durable");
    std::fs::write(folder.join("store.toml"), "[stores.'app:cache']\nbackend = 'sled'\noptions = { path = 'db' }\n")
        .unwrap();
    let script = folder.join("script.lua");
    std::fs::write(
        &script,
        "local cache = assert(require('store').get('app:cache'))
         print((assert(cache:increment('runs'))))",
    )
    .unwrap();
    for runs in 1..=3 {
        assert_eq!(run(&script, &folder, &[]), format!("{runs}\n"));
    }
}

#[test]
fn open_takes_a_file_an_environment_and_a_caller() {
    let folder = folder("open");
    let text = "[stores.'app:cache']\nbackend = 'memory'\n\
        [[security.policies]]\nid = 'own'\nactions = ['store.*']\nresources = ['app:cache']\nkeys = ['user:${actor.id}:*']\neffect = 'allow'\ngroups = ['users']\n\
        [[security.policies]]\nid = 'get'\nactions = ['store.get']\nresources = ['app:cache']\neffect = 'allow'\ngroups = ['users']\n\
        [env.test.stores.'app:test']\nbackend = 'memory'\n";
    std::fs::write(folder.join("mine.toml"), text).unwrap();
    let script = folder.join("script.lua");
    std::fs::write(
        &script,
        "local store = require('store')
         assert(store.errors == errors)
         local alice = assert(store.open('mine.toml', {actor = 'alice', meta = {role = 'admin'}, scope = {'users'}}))
         local cache = assert(alice.get('app:cache'))
         assert(cache:set('user:alice:k', 1))
         local _, err = cache:set('user:bob:k', 1)
         assert(err:kind() == errors.PERMISSION_DENIED)
         local test = assert(store.open('mine.toml', {env = 'test'}))
         assert(test.get('app:test'))
         _, err = store.open('mine.toml', {env = 'none'})
         assert(err:kind() == errors.INVALID, tostring(err))
         _, err = store.open('none.toml')
         assert(err:kind() == errors.INVALID)
         _, err = store.open('mine.toml', {actro = 'x'})
         assert(tostring(err):find('unknown option', 1, true))
         for _, scope in ipairs({ 'users', { users = true }, { 'users', nil, 'admins' }, { 'users', x = 'admins' }, { 1 } }) do
           _, err = store.open('mine.toml', {scope = scope})
           assert(err:kind() == errors.INVALID and tostring(err):find('scope', 1, true))
         end
         _, err = store.open('mine.toml', {env = 5})
         assert(tostring(err):find('got number', 1, true))
         assert(alice.open == store.open and alice.errors == errors and not pcall(function() alice.x = 1 end))
         _, err = store.open(7)
         assert(err:kind() == errors.INVALID)",
    )
    .unwrap();
    run(&script, &folder, &[]);
}

/// `store.open` is not in the embedded module, whose tests look at the rest of the definitions.
#[test]
fn open_is_defined_for_editors_as_it_is() {
    let folder = folder("defined");
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../types/store.d.lua");
    let definitions = std::fs::read_to_string(definitions).unwrap();
    let (_, class) = definitions.split_once("---@class store.OpenOptions\n").unwrap();
    let fields = class.lines().map_while(|line| line.strip_prefix("---@field "));
    let fields: Vec<&str> = fields.map(|field| field.split('?').next().unwrap()).collect();
    let script = folder.join("script.lua");
    std::fs::write(
        &script,
        "local _, err = require('store').open(nil, { mispelt = 1 }) print(tostring(err):match('there is (.*)'))",
    )
    .unwrap();
    assert_eq!(run(&script, &folder, &[]).trim(), fields.join(", "));
    assert!(definitions.contains("function store.open(file, options) end"));
}

/// `fork` and `wait` for scripts, in C: no Lua has them by itself.
const FORK: &str = r#"
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
typedef struct lua_State lua_State;
void lua_pushnumber(lua_State *, double);
void lua_pushcclosure(lua_State *, int (*)(lua_State *), int);
void lua_createtable(lua_State *, int, int);
void lua_setfield(lua_State *, int, const char *);
double luaL_checknumber(lua_State *, int);
static int forked(lua_State *L) { lua_pushnumber(L, fork()); return 1; }
static int quit(lua_State *L) { _exit((int)luaL_checknumber(L, 1)); }
static int alarmed(lua_State *L) { alarm((unsigned)luaL_checknumber(L, 1)); return 0; }
static int waited(lua_State *L) {
  int status = -1;
  waitpid((pid_t)luaL_checknumber(L, 1), &status, 0);
  lua_pushnumber(L, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
  return 1;
}
int luaopen_process(lua_State *L) {
  lua_createtable(L, 0, 4);
  lua_pushcclosure(L, alarmed, 0); lua_setfield(L, -2, "alarm");
  lua_pushcclosure(L, forked, 0); lua_setfield(L, -2, "fork");
  lua_pushcclosure(L, quit, 0); lua_setfield(L, -2, "exit");
  lua_pushcclosure(L, waited, 0); lua_setfield(L, -2, "wait");
  return 1;
}
"#;

/// A Redis server of this test's own, ended with it.
struct Server(std::process::Child, u16);

impl Server {
    fn start(folder: &Path) -> Server {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .current_dir(folder)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("redis-server: install it");
        let server = Server(child, port);
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("redis-server does not answer");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes the module `process` in a folder.
fn processes(folder: &Path) {
    let source = folder.join("process.c");
    std::fs::write(&source, FORK).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(folder.join("process.so")).arg(&source);
    if cfg!(target_os = "macos") {
        cc.args(["-undefined", "dynamic_lookup"]);
    }
    assert!(cc.status().expect("cc: install a C compiler").success());
}

#[test]
fn a_child_of_fork_works_on_connections_of_its_own() {
    let folder = folder("fork");
    processes(&folder);
    let server = Server::start(&folder);
    let text = format!(
        "[stores.'app:shared']\nbackend = 'redis'\noptions = {{ url = 'redis://127.0.0.1:{}' }}\n\
         [stores.'app:cache']\nbackend = 'memory'\n",
        server.1
    );
    std::fs::write(folder.join("store.toml"), text).unwrap();
    let script = folder.join("script.lua");
    std::fs::write(
        &script,
        "package.cpath = './?.so;' .. package.cpath
         local process, store = require('process'), require('store')
         -- The parent has connections, and a runtime, before it forks.
         local shared = assert(store.get('app:shared'))
         assert(shared:set('parent', {from = 'parent'}, 60))
         local own = assert(store.get('app:cache'))
         assert(own:set('k', 1))
         local children = {}
         for index = 1, 3 do
           local child = process.fork()
           if child == 0 then
             local ok, err = pcall(function()
               local mine = assert(store.get('app:shared'))
               assert(assert(mine:get('parent')).from == 'parent')
               assert(mine:set('child' .. index, index, 60))
               assert(mine:increment('children') > 0)
               -- What was in memory is the parent's: the child opens its stores anew.
               assert(store.get('app:cache'):get('k') == nil)
             end)
             if not ok then io.stderr:write(tostring(err), '\\n') end
             process.exit(ok and 0 or 1)
           end
           children[index] = child
         end
         for index, child in ipairs(children) do
           assert(process.wait(child) == 0, 'child ' .. index)
           assert(shared:get('child' .. index) == index)
         end
         assert(shared:get('children') == 3)
         assert(own:get('k') == 1)
         print('done')",
    )
    .unwrap();
    assert_eq!(run(&script, &folder, &[]), "done\n");
}

/// The parent's connections, threads and files are not the child's: what it has from its parent says so, at once.
#[test]
fn a_child_of_fork_is_told_of_handles_that_are_its_parents() {
    let folder = folder("forked");
    processes(&folder);
    let server = Server::start(&folder);
    let text = format!(
        "[stores.'app:shared']\nbackend = 'redis'\noptions = {{ url = 'redis://127.0.0.1:{}' }}\n\
         [stores.'app:disk']\nbackend = 'sled'\noptions = {{ path = 'db' }}\n\
         [stores.'app:cache']\nbackend = 'memory'\n",
        server.1
    );
    std::fs::write(folder.join("store.toml"), text).unwrap();
    let script = folder.join("script.lua");
    std::fs::write(
        &script,
        "package.cpath = './?.so;' .. package.cpath
         local process, store = require('process'), require('store')
         local opened = assert(store.open('store.toml', { actor = 'alice' }))
         local handles = { assert(opened.get('app:shared')) }
         for _, id in ipairs({ 'app:cache', 'app:disk', 'app:shared' }) do
           local handle = assert(store.get(id))
           assert(handle:set('k', 1) and handle:set('t', {}))
           handles[#handles + 1] = handle
         end
         local function in_child(work)
           local child = process.fork()
           if child == 0 then
             process.alarm(20)
             local ok, err = pcall(work)
             if not ok then io.stderr:write(tostring(err), '\\n') end
             process.exit(ok and 0 or 1)
           end
           assert(process.wait(child) == 0)
         end
         local function is_forked(ok, err)
           assert(ok == nil and err:kind() == errors.INVALID and err:details().reason == 'forked', tostring(err or ok))
         end
         in_child(function()
           for _, handle in ipairs(handles) do
             is_forked(handle:get('k')) is_forked(handle:set('k', 2)) is_forked(handle:set('k', {})) is_forked(handle:has('k'))
             is_forked(handle:delete('k')) is_forked(handle:touch('k', 9)) is_forked(handle:increment('k'))
             is_forked(handle:entry('k')) is_forked(handle:list()) is_forked(handle:clear()) is_forked(handle:info())
             is_forked(handle:get_or_set('new', function() return 1 end)) is_forked(handle:each())
             is_forked(handle:get_many({ 'k' }))
             assert(handle:release() == true)
           end
           -- Acquired anew it works, from a module that was opened before, too.
           assert(assert(opened.get('app:shared')):get('k') == 1)
           assert(assert(store.get('app:shared')):set('child', 1))
           assert(assert(store.get('app:cache')):get('k') == nil)
           -- A folder is one process's.
           local disk, err = store.get('app:disk')
           assert(disk == nil and err:kind() == errors.UNAVAILABLE, tostring(err))
           -- A child of the child.
           local own = assert(store.get('app:cache'))
           assert(own:set('k', 1))
           in_child(function() is_forked(own:get('k')) end)
           assert(own:get('k') == 1)
         end)
         for _, handle in ipairs(handles) do
           assert(handle:get('k') and handle:set('k', 2) and handle:get('k') == 2)
         end
         assert(handles[1]:get('child') == 1)
         print('done')",
    )
    .unwrap();
    assert_eq!(run(&script, &folder, &[]), "done\n");
}

/// Whatever has to wait blocks, wherever it is called: in coroutines, in loaders, in coroutines in loaders, in C.
#[test]
fn what_has_to_wait_blocks_everywhere() {
    let folder = folder("blocks");
    let server = Server::start(&folder);
    let text =
        format!("[stores.'app:cache']\nbackend = 'redis'\noptions = {{ url = 'redis://127.0.0.1:{}' }}\n", server.1);
    std::fs::write(folder.join("store.toml"), text).unwrap();
    let script = folder.join("script.lua");
    std::fs::write(
        &script,
        "local cache = assert(require('store').get('app:cache'))
         local function places(depth)
           local name = 'd' .. depth .. ':'
           local co = coroutine.wrap(function()
             assert(cache:set(name .. 'q', 7))
             coroutine.yield(cache:get(name .. 'q'))
             coroutine.yield('second')
           end)
           assert(co() == 7) assert(co() == 'second')
           local t = { 3, 1, 2 }
           table.sort(t, function(a, b) assert(cache:set(name .. 'compared', a)) return a < b end)
           assert((('abc'):gsub('.', function(c) assert(cache:set(name .. c, c)) return cache:get(name .. c) .. '!' end)) == 'a!b!c!')
           local keys = coroutine.wrap(function() for key in cache:each{ prefix = name, limit = 1 } do coroutine.yield(key) end end)
           local count = 0
           while keys() do count = count + 1 end
           assert(count == 5, count)
           if depth < 3 then
             local function load() places(depth + 1) return depth end
             assert(cache:get_or_set('plain' .. depth, load) == depth)
             assert(cache:clear{ prefix = 'd' .. depth + 1 })
             local wrapped = coroutine.wrap(function() return cache:get_or_set('wrapped' .. depth, load) end)
             assert(wrapped() == depth)
             assert(cache:clear{ prefix = 'd' .. depth + 1 })
             local sorted
             table.sort({ 2, 1 }, function(a, b) sorted = cache:get_or_set('sorted' .. depth, load) return a < b end)
             assert(sorted == depth)
             assert(cache:clear{ prefix = 'd' .. depth + 1 })
           end
         end
         places(1)
         print('done')",
    )
    .unwrap();
    assert_eq!(run(&script, &folder, &[]), "done\n");
}

/// Where luarocks does not work for the interpreter (Debian's does not for LuaJIT), `build.lua` is all there is.
#[test]
fn luarocks_make_installs_a_module_that_loads() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = library_target();
    let build = |mut command: Command| {
        let command = command.current_dir(here).env("STORE_PROFILE", "dev").env("CARGO_TARGET_DIR", &target);
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; install it"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    };
    let tree = folder("tree");
    let script = tree.join("script.lua");
    std::fs::write(
        &script,
        "assert(require('store').get('app:cache'):set('k', {1})) print(package.loaded.store ~= nil)",
    )
    .unwrap();
    let path = if FEATURE == "luajit" {
        let mut command = Command::new(INTERPRETER);
        command.arg("build.lua");
        build(command);
        here.to_path_buf()
    } else {
        let version = INTERPRETER.trim_start_matches("lua");
        // luarocks wants to see Lua's headers, which come in another package and which nothing is compiled with here.
        let number = format!("50{}", version.trim_start_matches("5."));
        std::fs::write(tree.join("lua.h"), format!("#define LUA_VERSION_NUM {number}\n")).unwrap();
        let mut command = Command::new("luarocks");
        command.args(["make", "--lua-version", version, "--tree"]).arg(&tree).arg("store-scm-1.rockspec");
        command.arg(format!("LUA_INCDIR={}", tree.display()));
        build(command);
        tree.join("lib/lua").join(version)
    };
    let output = Command::new(INTERPRETER)
        .arg(&script)
        .current_dir(&tree)
        .env("LUA_CPATH", format!("{}/?.so", path.display()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "true\n", "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(here.join("store.so")).unwrap();
}
