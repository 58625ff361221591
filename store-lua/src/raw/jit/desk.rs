//! What compiled code and Rust hand each other, and how a question is asked from there.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use super::super::ask::Ask;
use super::super::{Live, guarded};
use super::codes::{MOST_FIELDS, ROOM};
use super::flat::Shapes;
use crate::module::Current;

/// Where answers lie, and the parts of tables in both directions. `front.lua` knows this layout.
#[repr(C)]
pub(super) struct Desk {
    pub(super) live: *const Live,
    pub(super) shapes: *mut Shapes,
    /// A number that is the answer comes first.
    pub(super) numbers: [f64; MOST_FIELDS],
    pub(super) ttl: f64,
    pub(super) starts: [i32; MOST_FIELDS],
    pub(super) sizes: [i32; 2 * MOST_FIELDS],
    pub(super) calls: i32,
    pub(super) size: i32,
    pub(super) version: [u8; 16],
    pub(super) bytes: [MaybeUninit<u8>; ROOM],
}

/// The longest short string, encoded.
const SCRATCH: usize = 257;

impl Desk {
    /// An empty desk that points at nothing.
    ///
    /// # Safety
    /// There is room for one.
    pub(super) unsafe fn lay_out(desk: *mut Desk) {
        // SAFETY: null and zero are good for everything.
        unsafe { desk.write_bytes(0, 1) }
    }
}

impl Desk {
    /// The bytes, whatever they are.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: they are all zero to begin with.
        unsafe { self.bytes.assume_init_ref() }
    }

    /// Room for a short string that is being encoded.
    pub(super) fn scratch(&mut self) -> &mut [u8] {
        let (room, _) = self.bytes.split_at_mut(SCRATCH);
        // SAFETY: as `bytes`.
        unsafe { room.assume_init_mut() }
    }
}

/// A string as it is passed.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) start: *const u8,
    pub(super) length: i32,
}

impl Text {
    /// # Safety
    /// It is a Lua string, which is held meanwhile.
    pub(super) unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: as this function's.
        unsafe { std::slice::from_raw_parts(self.start, usize::try_from(self.length).unwrap_or(0)) }
    }
}

/// Asks a question, without entering Lua or code of the host's. `slow`: it was not asked, or cannot be told.
///
/// # Safety
/// Of this and of all functions of the FFI: `front.lua` calls them, with its desk and strings that it holds.
#[inline(always)]
pub(super) unsafe fn answer<R>(
    desk: *mut Desk,
    address: *const c_void,
    key: Text,
    slow: R,
    question: impl FnOnce(&Ask<'_>, &mut Desk) -> Option<R>,
) -> R {
    // SAFETY: a VM is used by one thread at a time, and nobody else looks at the desk meanwhile.
    let (desk, key) = unsafe { (&mut *desk, key.bytes()) };
    desk.calls = desk.calls.wrapping_add(1);
    // SAFETY: it is shared by the desk until `forget` writes null.
    let Some(live) = (unsafe { desk.live.as_ref() }) else { return slow };
    // One word, written as it is read: what goes through memory in other pieces than it came in, the processor waits for.
    let mut answer = slow;
    let told = &mut answer;
    let _ = guarded(|| {
        live.with(address as usize, |inner| {
            let handle = Current::new(&inner.module, inner.of_ours()?);
            *told = question(&Ask { live, handle: &handle, key }, desk)?;
            Some(())
        })
    });
    answer
}
