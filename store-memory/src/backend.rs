//! How a store is made: by its builder, and by a configuration.

use std::sync::Arc;

use async_trait::async_trait;
use store_core::{Backend, OpenContext, Result, Store};

use crate::config::{Builder, MemoryOptions};
use crate::store::MemoryStore;

impl Builder {
    /// Makes the store.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        MemoryStore::from_builder(self)
    }
}

/// The backend `memory`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryBackend;

#[async_trait]
impl Backend for MemoryBackend {
    type Options = MemoryOptions;

    const NAME: &'static str = "memory";

    fn check(&self, options: &MemoryOptions) -> Result<()> {
        options.check()
    }

    async fn open(&self, options: &MemoryOptions, cx: OpenContext) -> Result<Arc<dyn Store>> {
        self.check(options)?;
        let mut builder = MemoryStore::builder().on_full(options.on_full).clock(cx.clock);
        builder.max_entries = options.max_entries;
        builder.max_bytes = options.max_bytes.map(|size| size.0);
        Ok(Arc::new(builder.build()))
    }
}
