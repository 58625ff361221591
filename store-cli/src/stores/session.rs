//! Stores for the time of a command: closed at its end, also when it is interrupted.

use std::future::{Future, pending};

use store::Registry;
use tokio::runtime::Runtime;

use super::process::{Signals, runtime};
use crate::console::Trouble;

/// Does the work, and then closes the stores. A signal ends it early, but not without closing.
pub(crate) fn with(registries: &[Registry], work: impl Future<Output = Result<u8, Trouble>>) -> Result<u8, Trouble> {
    with_last(runtime()?, registries, work, async { Ok(()) })
}

/// As [`with`]; what comes last is done before the stores are closed, however the work ended.
pub(crate) fn with_last(
    runtime: Runtime,
    registries: &[Registry],
    work: impl Future<Output = Result<u8, Trouble>>,
    last: impl Future<Output = Result<(), Trouble>>,
) -> Result<u8, Trouble> {
    let mut signals = Signals::listen(&runtime);
    runtime.block_on(async {
        let interrupted = async {
            match &mut signals {
                Some(signals) => signals.next().await,
                None => pending().await,
            }
        };
        let mut ended = tokio::select! {
            ended = work => ended,
            code = interrupted => {
                eprintln!("store: interrupted");
                Ok(code)
            }
        };
        let tidied = last.await;
        if ended.is_ok()
            && let Err(trouble) = tidied
        {
            ended = Err(trouble);
        }
        for registry in registries {
            let closed = registry.close().await;
            if ended.is_ok() {
                ended = closed.map_err(Trouble::from).and(ended);
            }
        }
        ended
    })
}
