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

/// A folder with the library as `store.so`. Cargo does not build a shared library for tests by itself.
fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Tests run from target/debug/deps.
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf();
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
        std::fs::write(&folder.join(&name), body).unwrap();
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
         _, err = store.open('mine.toml', {scope = 'users'})
         assert(err:kind() == errors.INVALID)
         _, err = store.open(7)
         assert(err:kind() == errors.INVALID)",
    )
    .unwrap();
    run(&script, &folder, &[]);
}
