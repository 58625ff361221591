//! From the Lua stack to MessagePack, in one pass.

use std::ffi::{CStr, c_int, c_void};

use mlua::ffi::{self, lua_State};
use store_core::Error;
use store_core::codec::{Encoder, Limits};

use super::stack::{Number, bytes, mark_key, number};
use crate::value::Path;

/// The stack slots that a table needs while it is walked: its key, its value, and one to look at something.
const SLOTS_PER_TABLE: c_int = 3;

/// Why a value could not be encoded.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The value is at fault.
    Value(Error),
    /// There are not enough stack slots. Nothing was written.
    Slots,
    /// Lua has no more stack.
    Stack,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Value(error)
    }
}

type Done = Result<(), Trouble>;

/// The stack slots that any value within the limits needs.
pub(super) fn slots(limits: &Limits) -> c_int {
    let depth = c_int::try_from(limits.depth()).unwrap_or(c_int::MAX / 8);
    (depth + 1) * SLOTS_PER_TABLE
}

/// Appends the encoding of what stands at an absolute index.
///
/// Tables whose keys are exactly 1 to n become arrays, all others maps with typed keys. Metatables are not looked at, except for the
/// mark of `store.array` on an empty table. Time is proportional to what is written; a shared subtable is written each time.
///
/// It never raises, and leaves things on the stack if it fails.
///
/// # Safety
/// There are so many free stack slots.
pub(super) unsafe fn write(
    state: *mut lua_State,
    index: c_int,
    slots: c_int,
    mark: *const c_void,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Done {
    let start = out.len();
    let encoder = Encoder::new(out, limits);
    let mut walk = Walk { state, slots, mark, encoder, path: Path::default(), placed: false, careful: false };
    // SAFETY: as this function's.
    let done = unsafe { walk.value(index) };
    let Err(trouble) = done else { return Ok(()) };
    walk.encoder.truncate(start);
    Err(match trouble {
        Trouble::Value(error) if walk.placed => Trouble::Value(walk.path.place(error)),
        other => other,
    })
}

struct Walk<'a> {
    state: *mut lua_State,
    /// Stack slots that are still free.
    slots: c_int,
    mark: *const c_void,
    encoder: Encoder<'a>,
    path: Path,
    /// Whether the error has a place in the value.
    placed: bool,
    /// Whether tables are counted before they are written. So it is once a guess was wrong: every table may be guessed wrongly once,
    /// not once for each way that leads to it.
    careful: bool,
}

/// Whether to go on with the next entry.
enum Next {
    Entry,
    Stop,
}

impl Walk<'_> {
    /// # Safety
    /// Of all methods: the indices are absolute and hold what is said of them; `slots` is true.
    unsafe fn value(&mut self, index: c_int) -> Done {
        // SAFETY: looking at a value never raises. `lua_tolstring` gets a string only, and so converts nothing.
        unsafe {
            match ffi::lua_type(self.state, index) {
                ffi::LUA_TSTRING => self.encoder.string(bytes(self.state, index))?,
                ffi::LUA_TNUMBER => match number(self.state, index) {
                    Number::Integer(number) => self.encoder.int(number)?,
                    Number::Float(number) => self.encoder.float(number)?,
                },
                ffi::LUA_TTABLE => return self.table(index),
                ffi::LUA_TBOOLEAN => self.encoder.bool(ffi::lua_toboolean(self.state, index) != 0)?,
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(self.state, index).is_null() => self.encoder.nil()?,
                other => return Err(self.unsupported(other, "")),
            }
        }
        Ok(())
    }

    unsafe fn key(&mut self, index: c_int) -> Done {
        // SAFETY: as `value`.
        unsafe {
            match ffi::lua_type(self.state, index) {
                ffi::LUA_TSTRING => Ok(self.encoder.string(bytes(self.state, index))?),
                ffi::LUA_TNUMBER | ffi::LUA_TBOOLEAN => self.value(index),
                other => Err(self.unsupported(other, " as a key")),
            }
        }
    }

    #[cold]
    unsafe fn unsupported(&mut self, kind: c_int, position: &str) -> Trouble {
        self.placed = true;
        // SAFETY: a valid type gives a static name.
        let name = unsafe { CStr::from_ptr(ffi::lua_typename(self.state, kind)) }.to_string_lossy();
        let role = if position.is_empty() { "value" } else { "key" };
        let error = Error::invalid(format!("{name}{position}"));
        Trouble::Value(error.with_detail("type", name.as_ref()).with_detail("position", role))
    }

    unsafe fn table(&mut self, index: c_int) -> Done {
        if self.slots < SLOTS_PER_TABLE {
            return Err(Trouble::Slots);
        }
        self.slots -= SLOTS_PER_TABLE;
        // SAFETY: the slots are there.
        let done = unsafe { self.table_within(index) };
        self.slots += SLOTS_PER_TABLE;
        done
    }

    unsafe fn table_within(&mut self, index: c_int) -> Done {
        // SAFETY: a table is at the index.
        unsafe {
            let length = ffi::lua_rawlen(self.state, index) as usize;
            // A border of a sparse table can be anything; more entries than bytes left cannot be.
            if length > 0 && !self.careful && length <= self.encoder.room() {
                if self.sequence_in_order(index, length)? {
                    return Ok(());
                }
                self.careful = true;
            }
            if length > 0 && self.is_sequence(index, length) {
                return self.sequence(index, length);
            }
            if length == 0 && self.is_marked(index) && self.is_empty(index) {
                let open = self.begin(|encoder| encoder.begin_array(0))?;
                return Ok(self.encoder.end(open, 0)?);
            }
            let open = self.begin(|encoder| encoder.begin_map(0))?;
            let mut count = 0;
            self.for_each(index, |walk, key, value| {
                count += 1;
                walk.key(key)?;
                walk.value(value)?;
                Ok(Next::Entry)
            })?;
            Ok(self.encoder.end(open, count)?)
        }
    }

    fn begin<T>(&mut self, begin: impl FnOnce(&mut Encoder<'_>) -> Result<T, Error>) -> Result<T, Trouble> {
        let depth = self.encoder.depth();
        begin(&mut self.encoder).map_err(|error| {
            // Too deep, which has a place, or too large, which has none.
            self.placed = self.encoder.depth() == depth;
            Trouble::Value(error)
        })
    }

    /// Writes an array as long as `next` gives 1, 2, 3, ... up to the length: so it does, unless the table was filled in odd ways.
    /// If not, nothing is written.
    unsafe fn sequence_in_order(&mut self, index: c_int, length: usize) -> Result<bool, Trouble> {
        let start = self.encoder.position();
        let open = self.begin(|encoder| encoder.begin_array(length))?;
        let mut seen = 0_usize;
        // SAFETY: a table is at the index.
        unsafe {
            self.for_each(index, |walk, key, value| {
                if seen == length || walk.index_at(key) != Some(seen + 1) {
                    seen = usize::MAX;
                    return Ok(Next::Stop);
                }
                walk.value(value)?;
                seen += 1;
                Ok(Next::Entry)
            })?;
        }
        if seen == length {
            self.encoder.end(open, length)?;
            return Ok(true);
        }
        self.encoder.truncate(start);
        self.encoder.leave();
        Ok(false)
    }

    unsafe fn sequence(&mut self, index: c_int, length: usize) -> Done {
        let open = self.begin(|encoder| encoder.begin_array(length))?;
        for item in 1..=length {
            // SAFETY: a table is at the index, and the items are in it, which `is_sequence` has seen.
            unsafe {
                ffi::lua_rawgeti(self.state, index, to_index(item));
                let top = ffi::lua_gettop(self.state);
                if let Err(trouble) = self.value(top) {
                    self.path.at_index(i64::try_from(item).unwrap_or(i64::MAX));
                    return Err(trouble);
                }
                ffi::lua_settop(self.state, top - 1);
            }
        }
        Ok(self.encoder.end(open, length)?)
    }

    /// Whether the keys are exactly 1 to `length`.
    unsafe fn is_sequence(&mut self, index: c_int, length: usize) -> bool {
        let mut count = 0_usize;
        // SAFETY: a table is at the index.
        let walked = unsafe {
            self.for_each(index, |walk, key, _| {
                let fits = count < length && walk.index_at(key).is_some_and(|at| at <= length);
                count = if fits { count + 1 } else { usize::MAX };
                Ok(if fits { Next::Entry } else { Next::Stop })
            })
        };
        walked.is_ok() && count == length
    }

    unsafe fn is_empty(&mut self, index: c_int) -> bool {
        // SAFETY: a table is at the index.
        unsafe {
            ffi::lua_pushnil(self.state);
            let empty = ffi::lua_next(self.state, index) == 0;
            if !empty {
                ffi::lua_pop(self.state, 2);
            }
            empty
        }
    }

    unsafe fn is_marked(&self, index: c_int) -> bool {
        // SAFETY: looking at a metatable never raises.
        unsafe {
            if ffi::lua_getmetatable(self.state, index) == 0 {
                return false;
            }
            let marked = std::ptr::eq(ffi::lua_topointer(self.state, -1), self.mark);
            ffi::lua_pop(self.state, 1);
            marked
        }
    }

    /// A key that can be an index of a sequence: an integer of 1 or more.
    unsafe fn index_at(&self, index: c_int) -> Option<usize> {
        // SAFETY: looking at a value never raises.
        unsafe {
            if ffi::lua_type(self.state, index) != ffi::LUA_TNUMBER {
                return None;
            }
            match number(self.state, index) {
                Number::Integer(number) => usize::try_from(number).ok().filter(|number| *number > 0),
                Number::Float(_) => None,
            }
        }
    }

    /// Calls `visit` with the indices of key and value of every entry until it says stop. No metamethod is run, and the stack is as before,
    /// unless it fails.
    #[inline]
    unsafe fn for_each(
        &mut self,
        index: c_int,
        mut visit: impl FnMut(&mut Self, c_int, c_int) -> Result<Next, Trouble>,
    ) -> Done {
        // SAFETY: `lua_next` raises for keys that are not in the table only; these come from it, and nobody changes it meanwhile.
        unsafe {
            let state = self.state;
            let key = ffi::lua_gettop(state) + 1;
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, index) != 0 {
                match visit(self, key, key + 1) {
                    Ok(Next::Entry) => ffi::lua_settop(state, key),
                    Ok(Next::Stop) => {
                        ffi::lua_settop(state, key - 1);
                        break;
                    }
                    Err(trouble) => {
                        self.leave_mark(key);
                        return Err(trouble);
                    }
                }
            }
        }
        Ok(())
    }

    #[cold]
    unsafe fn leave_mark(&mut self, key: c_int) {
        // SAFETY: as `value`.
        unsafe { mark_key(self.state, key, &mut self.path) }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "no table is that long")]
fn to_index(item: usize) -> ffi::lua_Integer {
    item as ffi::lua_Integer
}
