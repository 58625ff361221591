//! The Rust blocks of the pages, each on every backend. Written by `build.rs`.
#![allow(unused_variables, unused_imports, clippy::unwrap_used, reason = "snippets show one thing each")]

mod common;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{
    Actor, Context, Error, Expiry, Handle, IncrementOptions, Kind, ListOptions, LoadOptions, Loaded, Outcome,
    PutOptions, Registry, Result, Ttl,
};

/// What the pages store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

impl User {
    fn new(name: &str) -> User {
        User { name: name.to_owned() }
    }
}

#[track_caller]
fn on_each_backend(name: &str, snippet: impl AsyncFn(&Registry, &Handle) -> Result<()>) {
    let runtime = common::runtime();
    for fresh in common::each_backend(&format!("rust-{name}")) {
        let done = runtime.block_on(async {
            let cache = fresh.registry.get("app:cache").await?;
            snippet(&fresh.registry, &cache).await?;
            drop(cache);
            fresh.registry.close().await
        });
        assert!(done.is_ok(), "{name} on {}: {done:?}", fresh.backend);
    }
}

include!(concat!(env!("OUT_DIR"), "/snippets.rs"));
