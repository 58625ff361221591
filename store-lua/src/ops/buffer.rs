//! The buffer that values are encoded into.

use std::cell::Cell;

/// Buffers above this are given back to the system and not kept.
const MAX_KEPT: usize = 1 << 20;

thread_local! {
    /// One buffer for all encoding on this thread, so that a write allocates nothing for it.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Works with an empty buffer.
pub(crate) fn with_buffer<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    // A thread that is ending has none any more.
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let done = work(&mut buffer);
    if buffer.capacity() <= MAX_KEPT {
        let _ = BUFFER.try_with(|kept| kept.set(buffer));
    }
    done
}
