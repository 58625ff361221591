//! Where a command acts: on whose behalf, and on stores that can be reached from here.

use std::io::IsTerminal;

use store::config::Config;
use store::{Context, Handle, Kind, Registry};

use crate::args::Common;
use crate::console::Trouble;

/// Where a command acts: the stores, and who asks.
#[derive(Clone, Debug)]
pub(crate) struct At {
    pub(crate) registry: Registry,
    pub(crate) cx: Context,
}

impl At {
    pub(crate) fn new(registry: &Registry, common: &Common) -> At {
        At { registry: registry.clone(), cx: common.caller.context() }
    }

    pub(crate) async fn open(&self, id: &str) -> store::Result<Handle> {
        open_as(&self.registry, id, &self.cx).await
    }

    /// The backend of a store, if it is configured.
    fn backend(&self, id: &str) -> Option<&'static str> {
        self.registry.stats().into_iter().find(|store| &*store.id == id).map(|store| store.backend)
    }
}

/// A handle for whoever asks. Nobody has no rights where all are given: that is said.
pub(crate) async fn open_as(registry: &Registry, id: &str, cx: &Context) -> store::Result<Handle> {
    registry.get_as(id, cx).await.map_err(|error| match error.kind() {
        Kind::PermissionDenied if cx.is(&Context::none()) => {
            error.with_detail("hint", "nobody was said to ask: --actor ID, --scope GROUP")
        }
        _ => error,
    })
}

/// Tells a person what a store in memory is. Programs, which know what they call, are not told.
pub(crate) fn mind_memory(at: &At, id: &str, json: bool) {
    if !json && at.backend(id) == Some("memory") && std::io::stderr().is_terminal() {
        eprintln!(
            "store: {id} is in memory: what another process has in it cannot be seen, and what is written is gone when this command \
             ends; is it another --env?"
        );
    }
}

/// A store in memory is a new and empty one in each process: to move its entries from here would look like a success.
pub(crate) fn refuse_memory(config: &Config, id: &str) -> Result<(), Trouble> {
    if config.stores.get(id).is_none_or(|store| store.backend != "memory") {
        return Ok(());
    }
    let of = config.environment.as_ref().map_or_else(String::new, |name| format!(" in the environment {name}"));
    Err(Trouble::Usage(format!("{id}{of} is in memory: no other process can reach its entries; is it another --env?")))
}
