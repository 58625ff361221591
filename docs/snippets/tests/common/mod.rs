//! Stores for snippets: an empty one on each backend for every snippet.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it; a test fails by panicking")]

use store::Registry;
use store_testkit::RedisServer;
use tempfile::TempDir;

/// An empty store `app:cache` on one backend.
pub(crate) struct Fresh {
    pub(crate) backend: &'static str,
    pub(crate) registry: Registry,
    _folder: TempDir,
}

/// An empty store `app:cache` on each backend, with the stores and policies that the pages speak of.
pub(crate) fn each_backend(name: &str) -> impl Iterator<Item = Fresh> {
    ["memory", "sled", "redis"].into_iter().map(move |backend| {
        let folder = TempDir::new().unwrap();
        let options = match backend {
            "sled" => "path = \"data\"".to_owned(),
            "redis" => format!("url = \"{}\", prefix = \"{name}-{}\"", RedisServer::shared().url(), std::process::id()),
            _ => String::new(),
        };
        let text = format!(
            "[stores.\"app:cache\"]\nbackend = \"{backend}\"\noptions = {{ {options} }}\n\
             [[security.policies]]\nid = \"users\"\nactions = [\"store.get\", \"store.key.*\"]\nresources = [\"app:cache\"]\n\
             keys = [\"user:${{actor.id}}:*\"]\neffect = \"allow\"\ngroups = [\"users\"]\n\
             [[security.policies]]\nid = \"users-acquire\"\nactions = [\"store.get\"]\nresources = [\"app:cache\"]\n\
             effect = \"allow\"\ngroups = [\"users\"]\n"
        );
        let path = folder.path().join("store.toml");
        std::fs::write(&path, text).unwrap();
        let registry = store::open(&path, None).unwrap();
        Fresh { backend, registry, _folder: folder }
    })
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
