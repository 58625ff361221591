//! Memory beside the VM: what the module holds for the scripts of a sandbox, whose memory limit sees Lua's own only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mlua::{Error, Lua};

/// What a sandbox may take beside its VM, and has.
#[derive(Clone)]
struct Beside {
    most: usize,
    taken: Arc<AtomicUsize>,
}

/// Bytes that count until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    of: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Limits what this VM's scripts make the module hold. In any other VM nothing is counted.
pub(crate) fn limit(lua: &Lua, most: usize) {
    lua.set_app_data(Beside { most, taken: Arc::default() });
}

/// Counts so many bytes; at the limit garbage is collected first.
///
/// # Errors
/// Not enough memory.
pub(crate) fn take(lua: &Lua, bytes: usize) -> mlua::Result<Option<Taken>> {
    // Taken out and put back, since mlua's references to such data must not be made while the VM ends: finalizers may call us even then.
    let Some(beside) = lua.remove_app_data::<Beside>() else { return Ok(None) };
    lua.set_app_data(beside.clone());
    for collects in [true, false] {
        let before = beside.taken.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= beside.most {
            return Ok(Some(Taken { of: beside.taken, bytes }));
        }
        beside.taken.fetch_sub(bytes, Ordering::Relaxed);
        if collects {
            // Twice: what is finalized by the first is freed by the second.
            lua.gc_collect()?;
            lua.gc_collect()?;
        }
    }
    Err(Error::MemoryError("not enough memory".to_owned()))
}
