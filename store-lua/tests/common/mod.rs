//! A VM with the module in it, on one of the backends.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store_lua::mlua::{self, Lua};
use store_lua::store_core::Registry;
use store_lua::{Configuration, Options};
use store_testkit::{Folder, RedisServer};

/// Where the stores of a test live, and how its scripts run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    /// In memory, the script driven by an executor.
    Memory,
    /// In memory, the script called synchronously: nothing may need to wait.
    MemorySync,
    /// On disk.
    Sled,
    /// On a real server.
    Redis,
    /// On a real server, the script called synchronously by a host that chose to block.
    RedisBlocking,
}

impl Bench {
    fn options(self, folder: &Folder) -> (&'static str, String) {
        match self {
            Bench::Memory | Bench::MemorySync => ("memory", String::new()),
            Bench::Sled => ("sled", format!("path = {:?}", folder.path().join("db"))),
            Bench::Redis | Bench::RedisBlocking => {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let prefix = format!("test{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                ("redis", format!("url = {:?}, prefix = {prefix:?}", RedisServer::shared().url()))
            }
        }
    }

    pub(crate) fn is_sync(self) -> bool {
        matches!(self, Bench::MemorySync | Bench::RedisBlocking)
    }
}

/// A VM and what it needs to live.
pub(crate) struct Vm {
    pub(crate) lua: Lua,
    pub(crate) registry: Registry,
    pub(crate) bench: Bench,
    runtime: tokio::runtime::Runtime,
    _folder: Folder,
}

impl Vm {
    /// Three stores: `app:cache`, `app:other`, and `app:small` with narrow limits. `more` is TOML for the rest.
    pub(crate) fn new(bench: Bench, more: &str) -> Vm {
        Vm::with_options(bench, more, Options::new())
    }

    /// As `new`, for scripts of any kind. In Lua 5.1 nothing can be suspended inside of iterators and metamethods: there they block.
    pub(crate) fn for_scripts(bench: Bench) -> Vm {
        let options = Options::new();
        let options = if cfg!(feature = "lua51") {
            let blocking = |future: Pin<&mut dyn Future<Output = ()>>| store_lua::store_core::block_on(future);
            options.blocking(blocking).blocking_nests(true)
        } else {
            options
        };
        Vm::with_options(bench, "", options)
    }

    pub(crate) fn with_options(bench: Bench, more: &str, options: Options) -> Vm {
        let folder = Folder::new();
        let (backend, settings) = bench.options(&folder);
        let toml = format!(
            "[stores.'app:cache']\nbackend = '{backend}'\noptions = {{ {settings} }}\n\
             [stores.'app:other']\nbackend = '{backend}'\noptions = {{ {settings} }}\n\
             [stores.'app:small']\nbackend = '{backend}'\noptions = {{ {settings} }}\n\
             default_ttl = '100ms'\nmax_ttl = '1h'\nmax_value_size = '1KiB'\nmax_depth = 4\n{more}"
        );
        // Where iterators block (see `for_scripts`), connections need a thread of their own meanwhile.
        let runtime = if cfg!(feature = "lua51") {
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
        } else {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
        };
        let options = match bench {
            Bench::RedisBlocking => {
                let inner = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let inner = std::sync::Mutex::new(inner);
                options
                    .blocking(move |future: Pin<&mut dyn Future<Output = ()>>| inner.lock().unwrap().block_on(future))
            }
            _ => options,
        };
        let lua = Lua::new();
        let registry = store_lua::open_with(&lua, Configuration::text(toml), None, options).unwrap();
        let vm = Vm { lua, registry, bench, runtime, _folder: folder };
        vm.prelude();
        vm
    }

    fn prelude(&self) {
        let sleep = if self.bench.is_sync() {
            self.lua.create_function(|_, seconds: f64| {
                std::thread::sleep(Duration::from_secs_f64(seconds));
                Ok(())
            })
        } else {
            self.lua.create_async_function(|_, seconds: f64| async move {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                Ok(())
            })
        };
        self.lua.globals().set("sleep", sleep.unwrap()).unwrap();
        let prelude = std::fs::read_to_string(lua_folder().join("prelude.lua")).unwrap();
        self.lua.load(prelude).set_name("=prelude").exec().unwrap();
    }

    /// Runs a script to its end, at most a minute.
    pub(crate) fn run(&self, name: &str, source: &str) -> mlua::Result<()> {
        let chunk = self.lua.load(source).set_name(format!("@{name}"));
        if self.bench.is_sync() {
            return chunk.exec();
        }
        self.block_on(chunk.exec_async())
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(60), future).await.expect("the script took more than a minute")
        })
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let registry = self.registry.clone();
        let _ = self.runtime.block_on(async move { registry.close().await });
    }
}

pub(crate) fn lua_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lua")
}
