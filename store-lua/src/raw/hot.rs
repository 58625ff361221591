//! The calls that are made most, as C functions: `get`, `entry`, `has`, `set`, `delete`, `touch` and `increment` with a string for a key, on a store that
//! answers at once. Everything else they leave to the functions that go through mlua, before anything is done.

use std::cell::Cell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::Arc;

use mlua::ffi::{self, lua_State};
use mlua::{Function, Lua, Table};
use store_core::codec::{self, Encoder, encode_short_string};
use store_core::{Expiry, Payload};

use super::ask::{Ask, Verdict, value};
use super::back::{answered, push_integer, refused, slow};
use super::stack::{Number, bytes, number};
use super::{Live, SLOTS, again, decode, encode, guarded};
use crate::module::Current;
use crate::ops::with_buffer;
use crate::reply::{Site, seconds};
use crate::value::ArrayMark;

/// Values up to this many bytes are copied into the frame of the call, larger ones are decoded in a protected call.
pub(super) const SMALL: usize = 1024;

/// Strings up to this many bytes, a few less, are encoded in the frame of the call, others in a buffer.
const SHORT: usize = 257;

/// Room for a value.
type Small = [MaybeUninit<u8>; SMALL];

/// The arguments of a call, by their indices.
const SELF: c_int = 1;
const KEY: c_int = 2;

/// The upvalues of the functions, by their indices.
const LIVE: c_int = 1;
const MARK: c_int = 2;
const PUSH: c_int = 3;
const STRINGS: c_int = 6;

/// How one attempt at a call ended.
enum Attempt {
    Ended(Verdict),
    /// The answer is on top of the stack.
    Pushed,
    /// With a string of so many bytes in the room for values, which belongs at a place of those that are kept.
    Text(usize, c_int),
    /// It was not begun for want of so many stack slots.
    Slots(c_int),
}

/// What an operation gets.
struct Call<'a> {
    state: *mut lua_State,
    ask: Ask<'a>,
    slots: c_int,
    small: &'a mut Small,
}

/// The methods that have a short way.
const NAMED: [(&str, ffi::lua_CFunction); 7] = [
    ("get", get),
    ("entry", entry),
    ("has", has),
    ("set", set),
    ("delete", delete),
    ("touch", touch),
    ("increment", increment),
];

/// The names of the methods that have a short way.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _)| *name)
}

/// The functions, by the names of their methods.
///
/// `slow` has, by the same names, the functions that go through mlua; `fetch` turns the ticket of an error into results.
/// Both are used by functions that are the methods themselves ([`DIRECT`](super::DIRECT)).
pub(crate) fn functions(
    lua: &Lua,
    mark: &ArrayMark,
    live: &Arc<Live>,
    slow: &Table,
    fetch: &Function,
) -> mlua::Result<Table> {
    let functions = lua.create_table()?;
    let owner = Arc::into_raw(Arc::clone(live));
    let mut taken = false;
    let owned = &mut taken;
    // SAFETY: the closure is a plain frame. It takes the owner when nothing can fail any more.
    let made = unsafe {
        lua.exec_raw::<()>((&functions, mark.table(), slow, fetch), |state| {
            // 5: the box with the pointer, which frees it at the end.
            let slot: *mut *const Live = ffi::lua_newuserdata(state, size_of::<*const Live>()).cast();
            slot.write(std::ptr::null());
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushlstring(state, c"__gc".as_ptr(), 4);
            ffi::lua_pushcfunction(state, forget);
            ffi::lua_rawset(state, -3);
            ffi::lua_setmetatable(state, 5);
            slot.write(owner);
            *owned = true;
            // 6: the strings that `get` keeps.
            ffi::lua_createtable(state, 0, 0);
            for (name, function) in NAMED {
                ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
                ffi::lua_pushvalue(state, 5);
                ffi::lua_pushvalue(state, 2);
                ffi::lua_pushcfunction(state, push_protected);
                ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
                ffi::lua_rawget(state, 3);
                ffi::lua_pushvalue(state, 4);
                ffi::lua_pushvalue(state, 6);
                ffi::lua_pushcclosure(state, function, 6);
                ffi::lua_rawset(state, 1);
            }
            ffi::lua_settop(state, 0);
        })
    };
    if !taken {
        // SAFETY: nobody else took it.
        drop(unsafe { Arc::from_raw(owner) });
    }
    made?;
    Ok(functions)
}

/// Frees what the box points at. A finaliser may call the functions even after that, when the VM ends: they find nothing then.
pub(super) unsafe extern "C-unwind" fn forget(state: *mut lua_State) -> c_int {
    // SAFETY: only the box has this finaliser.
    unsafe {
        let slot: *mut *const Live = ffi::lua_touserdata(state, 1).cast();
        if !slot.is_null() && !(*slot).is_null() {
            let owner = std::mem::replace(&mut *slot, std::ptr::null());
            let _ = guarded(|| drop(Arc::from_raw(owner)));
        }
    }
    0
}

unsafe extern "C-unwind" fn get(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls it, with the upvalues of `functions`. So for all of them.
    unsafe { run(state, "get", 2, |call| call.get()) }
}

/// What an entry has beside its value.
#[derive(Clone, Copy)]
struct Beside {
    version: u64,
    ttl: f64,
}

unsafe extern "C-unwind" fn entry(state: *mut lua_State) -> c_int {
    let found = Cell::new(None);
    // SAFETY: as `get`.
    let results = unsafe { run(state, "entry", 2, |call| call.entry(&found)) };
    // The value alone is what was read here: what ends in another way, or was left to another, is complete.
    let (1, Some(Beside { version, ttl })) = (results, found.get()) else { return results };
    let digits: [u8; 16] = std::array::from_fn(|at| b"0123456789abcdef"[(version >> (60 - 4 * at) & 15) as usize]);
    // SAFETY: a plain frame. The arguments are where they were, the value is on top, and there are slots for a few more.
    unsafe {
        let value = ffi::lua_gettop(state);
        ffi::lua_createtable(state, 0, 4);
        ffi::lua_pushvalue(state, KEY);
        ffi::lua_setfield(state, -2, c"key".as_ptr());
        ffi::lua_pushvalue(state, value);
        ffi::lua_setfield(state, -2, c"value".as_ptr());
        ffi::lua_pushlstring(state, digits.as_ptr().cast(), digits.len());
        ffi::lua_setfield(state, -2, c"version".as_ptr());
        ffi::lua_pushnumber(state, ttl);
        ffi::lua_setfield(state, -2, c"ttl".as_ptr());
    }
    1
}

unsafe extern "C-unwind" fn has(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, "has", 2, |call| Attempt::Ended(call.ask.has())) }
}

unsafe extern "C-unwind" fn set(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, "set", 4, |call| call.set()) }
}

unsafe extern "C-unwind" fn delete(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, "delete", 3, |call| Attempt::Ended(call.delete())) }
}

unsafe extern "C-unwind" fn touch(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, "touch", 4, |call| Attempt::Ended(call.touch())) }
}

unsafe extern "C-unwind" fn increment(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, "increment", 4, |call| Attempt::Ended(call.increment())) }
}

/// One call. A plain frame.
#[inline(always)]
unsafe fn run(
    state: *mut lua_State,
    name: &'static str,
    parameters: c_int,
    operation: impl Fn(&mut Call<'_>) -> Attempt + Copy,
) -> c_int {
    let mut small = [const { MaybeUninit::<u8>::uninit() }; SMALL];
    let mut slots = SLOTS;
    // SAFETY: the functions have the upvalues that `functions` gave them.
    unsafe {
        let verdict = loop {
            let mut ended = Attempt::Ended(Verdict::Slow);
            match attempt(state, slots, &mut small, &mut ended, operation) {
                Short::TRUE => {
                    ffi::lua_pushboolean(state, 1);
                    return 1;
                }
                Short::PUSHED => return 1,
                Short::OTHER => {}
                text => {
                    let (size, place) = text.parts();
                    ffi::lua_pushlstring(state, small.as_ptr().cast(), size);
                    if place != 0 {
                        again::keep(state, ffi::lua_upvalueindex(STRINGS), place);
                    }
                    return 1;
                }
            }
            match ended {
                Attempt::Ended(verdict) => break verdict,
                Attempt::Slots(more) if ffi::lua_checkstack(state, more) != 0 => slots = more,
                // Of the others that are none of the short ones there is none.
                _ => break Verdict::Slow,
            }
        };
        match verdict {
            Verdict::Nil => ffi::lua_pushnil(state),
            Verdict::Bool(bool) => ffi::lua_pushboolean(state, bool.into()),
            Verdict::Integer(number) => push_integer(state, number),
            Verdict::Text(size) => {
                ffi::lua_pushlstring(state, small.as_ptr().cast(), size);
            }
            Verdict::Small(size) => {
                let bytes = std::slice::from_raw_parts(small.as_ptr().cast::<u8>(), size);
                let mut trouble = decode::Trouble::new();
                if !decode::push(state, ffi::lua_upvalueindex(MARK), bytes, &mut trouble) {
                    return fail(state, name, parameters, trouble);
                }
            }
            Verdict::Large(payload) => return large(state, name, parameters, payload),
            Verdict::Ticket(ticket) => return refused(state, ticket),
            Verdict::Slow => return slow(state, parameters),
        }
        answered(state, matches!(verdict, Verdict::Nil))
    }
}

/// The most frequent ends of a call, as one word: the length of a string in the room for values, or one of these. What is wider goes through memory,
/// and is read there in other pieces than it was written in, for which the processor waits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Short(i64);

impl Short {
    const TRUE: Short = Short(-1);
    /// The answer is on top of the stack.
    const PUSHED: Short = Short(-2);
    /// None of these.
    const OTHER: Short = Short(-3);

    /// A string of so many bytes in the room for values, to be kept at this place unless that is 0.
    #[expect(clippy::cast_possible_wrap, reason = "the room is a kilobyte")]
    fn text(size: usize, place: c_int) -> Short {
        Short(i64::from(place) << 32 | size as i64)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as they were put together")]
    fn parts(self) -> (usize, c_int) {
        (self.0 as u32 as usize, (self.0 >> 32) as c_int)
    }
}

/// The guarded half of a call. If its end is none of the short ones, it is written where `ended` says.
#[inline(always)]
unsafe fn attempt(
    state: *mut lua_State,
    slots: c_int,
    small: &mut Small,
    ended: &mut Attempt,
    operation: impl Fn(&mut Call<'_>) -> Attempt,
) -> Short {
    // SAFETY: the box is an upvalue; and what is on the stack is looked at only.
    unsafe {
        let slot: *const *const Live = ffi::lua_touserdata(state, ffi::lua_upvalueindex(LIVE)).cast();
        let address = ffi::lua_touserdata(state, SELF) as usize;
        let is_call = address != 0 && ffi::lua_type(state, KEY) == ffi::LUA_TSTRING;
        let Some(live) = (*slot).as_ref().filter(|_| is_call) else { return Short::OTHER };
        let key = bytes(state, KEY);
        let mut short = Short::OTHER;
        let done = guarded(|| {
            let Some(inner) = live.find(address).filter(|inner| !inner.module.is_from_before_a_fork()) else { return };
            let handle = Current::new(&inner.module, &inner.handle);
            match operation(&mut Call { state, ask: Ask { live, handle: &handle, key }, slots, small }) {
                Attempt::Ended(Verdict::Bool(true)) => short = Short::TRUE,
                Attempt::Ended(Verdict::Text(size)) => short = Short::text(size, 0),
                Attempt::Text(size, place) => short = Short::text(size, place),
                Attempt::Pushed => short = Short::PUSHED,
                other => *ended = other,
            }
        });
        if let Err(error) = done {
            *ended = Attempt::Ended(Verdict::Ticket(live.keep(error)));
            return Short::OTHER;
        }
        short
    }
}

impl Call<'_> {
    #[inline(always)]
    fn get(&mut self) -> Attempt {
        let payload = match self.ask.find() {
            Ok(payload) => payload,
            Err(verdict) => return Attempt::Ended(verdict),
        };
        let mut place = 0;
        if let Some(text) = codec::string(&payload) {
            // SAFETY: a slot is free, and the table is an upvalue.
            match unsafe { again::find(self.state, ffi::lua_upvalueindex(STRINGS), text, &self.ask.live.luck) } {
                again::Found::Pushed => return Attempt::Pushed,
                again::Found::Missing(at) => place = at,
                again::Found::No => {}
            }
        }
        match value(payload, self.small) {
            Verdict::Text(size) => Attempt::Text(size, place),
            verdict => Attempt::Ended(verdict),
        }
    }

    fn entry(&mut self, beside: &Cell<Option<Beside>>) -> Attempt {
        let entry = match self.ask.entry() {
            Ok(entry) => entry,
            Err(verdict) => return Attempt::Ended(verdict),
        };
        // What has another kind of version is no store in this process.
        let Some(version) = entry.version.as_u64() else { return Attempt::Ended(Verdict::Slow) };
        beside.set(Some(Beside { version, ttl: seconds(entry.ttl) }));
        Attempt::Ended(value(entry.value, self.small))
    }

    fn delete(&self) -> Verdict {
        if self.is_nil(3) { self.ask.delete() } else { Verdict::Slow }
    }

    fn touch(&self) -> Verdict {
        match self.expiry(3) {
            Some(expiry) if self.is_nil(4) => self.ask.touch(expiry),
            _ => Verdict::Slow,
        }
    }

    #[inline(always)]
    fn set(&self) -> Attempt {
        let Some(expiry) = self.expiry(4) else { return Attempt::Ended(Verdict::Slow) };
        // SAFETY: looking at an argument never raises; the string stays where it is.
        let short =
            unsafe { ffi::lua_type(self.state, 3) == ffi::LUA_TSTRING }.then(|| unsafe { bytes(self.state, 3) });
        // What is most frequent is a short string.
        let mut room = [0; SHORT];
        if let Some(encoded) = short.and_then(|text| encode_short_string(text, &mut room)) {
            return Attempt::Ended(self.ask.set(encoded, expiry));
        }
        self.set_any(expiry)
    }

    #[inline(never)]
    fn set_any(&self, expiry: Expiry) -> Attempt {
        let limits = &self.ask.handle.settings().limits;
        // SAFETY: looking at the stack never raises.
        let given = unsafe { ffi::lua_gettop(self.state) };
        with_buffer(|buffer| {
            // SAFETY: so many slots are free. The value is an argument, the mark an upvalue.
            let written = unsafe {
                match ffi::lua_type(self.state, 3) {
                    ffi::LUA_TSTRING => {
                        Encoder::new(buffer, limits).string(bytes(self.state, 3)).map_err(encode::Trouble::Value)
                    }
                    // What is no value is told of by those who go through mlua, who find the same.
                    ffi::LUA_TNIL | ffi::LUA_TNONE | ffi::LUA_TLIGHTUSERDATA => return Attempt::Ended(Verdict::Slow),
                    _ => {
                        let mark = ffi::lua_topointer(self.state, ffi::lua_upvalueindex(MARK));
                        encode::write(self.state, 3, self.slots, mark, limits, buffer)
                    }
                }
            };
            match written {
                Ok(()) => Attempt::Ended(self.ask.set(buffer, expiry)),
                Err(trouble) => {
                    // SAFETY: back to the arguments.
                    unsafe { ffi::lua_settop(self.state, given) };
                    match trouble {
                        encode::Trouble::Slots => Attempt::Slots(encode::slots(limits)),
                        encode::Trouble::Value(_) | encode::Trouble::Stack => Attempt::Ended(Verdict::Slow),
                    }
                }
            }
        })
    }

    fn increment(&self) -> Verdict {
        // SAFETY: looking at an argument never raises.
        let delta = unsafe {
            match ffi::lua_type(self.state, 3) {
                ffi::LUA_TNIL | ffi::LUA_TNONE => 1,
                ffi::LUA_TNUMBER => match number(self.state, 3) {
                    Number::Integer(delta) => delta,
                    Number::Float(_) => return Verdict::Slow,
                },
                _ => return Verdict::Slow,
            }
        };
        if self.is_nil(4) { self.ask.increment(delta) } else { Verdict::Slow }
    }

    fn is_nil(&self, index: c_int) -> bool {
        // SAFETY: looking at an argument never raises.
        matches!(unsafe { ffi::lua_type(self.state, index) }, ffi::LUA_TNIL | ffi::LUA_TNONE)
    }

    /// A TTL in seconds; `None` if it is anything that those who go through mlua should look at.
    fn expiry(&self, index: c_int) -> Option<Expiry> {
        // SAFETY: looking at an argument never raises, and a number is not converted.
        unsafe {
            match ffi::lua_type(self.state, index) {
                ffi::LUA_TNIL | ffi::LUA_TNONE => Some(Expiry::default()),
                ffi::LUA_TNUMBER => match number(self.state, index) {
                    // 0 is never.
                    Number::Integer(seconds @ 1..) => Some(Expiry::seconds(seconds.unsigned_abs())),
                    Number::Integer(seconds) => Expiry::from_seconds(if seconds == 0 { 0.0 } else { -1.0 }).ok(),
                    Number::Float(seconds) => Expiry::from_seconds(seconds).ok(),
                },
                _ => None,
            }
        }
    }
}

/// The stored bytes are no value: the error says where they are (V6).
#[cold]
unsafe fn fail(state: *mut lua_State, name: &'static str, parameters: c_int, mut trouble: decode::Trouble) -> c_int {
    // SAFETY: called when `push` said no; the arguments are still on the stack.
    unsafe {
        let error = trouble.take();
        let slot: *const *const Live = ffi::lua_touserdata(state, ffi::lua_upvalueindex(LIVE)).cast();
        let address = ffi::lua_touserdata(state, SELF) as usize;
        let key = bytes(state, KEY);
        let Some(live) = (*slot).as_ref() else { return slow(state, parameters) };
        let ticket = guarded(|| {
            let inner = live.find(address);
            let site = Site { handle: inner.as_ref().map(|inner| &inner.handle), operation: name, key };
            live.keep(site.place(error))
        });
        refused(state, ticket.unwrap_or_else(|error| live.keep(error)))
    }
}

/// What a protected call is to push.
struct Job {
    payload: *const Payload,
    trouble: decode::Trouble,
    pushed: bool,
}

/// Pushes a large value in a protected call, so that what holds its bytes is let go also if Lua is out of memory.
unsafe fn large(state: *mut lua_State, name: &'static str, parameters: c_int, payload: *mut Payload) -> c_int {
    // SAFETY: the payload is ours to free, the function and the mark are upvalues, and a protected call does not raise.
    let (status, job) = unsafe {
        let mut job = Job { payload, trouble: decode::Trouble::new(), pushed: false };
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(PUSH));
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(MARK));
        ffi::lua_pushlightuserdata(state, (&raw mut job).cast());
        let status = ffi::lua_pcall(state, 2, 1, 0);
        let _ = guarded(|| drop(Box::from_raw(payload)));
        (status, job)
    };
    // SAFETY: of an error, it is on top of the stack; nothing with a destructor is left here.
    unsafe {
        if status != ffi::LUA_OK {
            ffi::lua_error(state);
        }
        if !job.pushed {
            return fail(state, name, parameters, job.trouble);
        }
        answered(state, false)
    }
}

/// The function of that call: mark, job.
unsafe extern "C-unwind" fn push_protected(state: *mut lua_State) -> c_int {
    // SAFETY: `large` calls it, and waits for its end.
    unsafe {
        let job: *mut Job = ffi::lua_touserdata(state, 2).cast();
        let bytes = (*(*job).payload).as_bytes();
        let pushed = decode::push(state, 1, bytes, &mut (*job).trouble);
        (*job).pushed = pushed;
        if !pushed {
            ffi::lua_pushnil(state);
        }
    }
    1
}
