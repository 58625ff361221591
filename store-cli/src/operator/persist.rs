//! Trying again, where a step failed for a while.

use std::time::Duration;

use store::{Error, Result};
use tokio::time::sleep;

/// How often a step that failed for a while is tried again, and how long is waited before that.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Tries a step again where that may help: a long copy must not end for one slow answer. Every step may be repeated: writes say
/// the whole entry.
pub(super) async fn persist<T>(mut step: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let mut tries = Tries::default();
    loop {
        match step().await {
            Ok(done) => return Ok(done),
            Err(error) => tries.again_after(error).await?,
        }
    }
}

/// How often a step has been tried.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Waits before another try; gives the error back if there is to be none.
    pub(super) async fn again_after(&mut self, error: Error) -> Result<()> {
        self.0 += 1;
        if self.0 == TRIES || !error.is_retryable() || error.reason() == Some("capacity") {
            return Err(error);
        }
        sleep(PAUSE * self.0).await;
        Ok(())
    }
}
