//! The calls that are made most, as C functions: `get`, `has`, `set`, `delete`, `touch` and `increment` with a string for a key, on a store that
//! answers at once. Everything else they leave to the functions that go through mlua, before anything is done.
//!
//! Their results are a value and a state: `nil`, the value is the answer; `true`, nothing was done; a number, the ticket of an error.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::Arc;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Table};
use store_core::codec::{Decoder, Encoder, Raw, Token};
use store_core::{Error, Expiry, IncrementOptions, Payload};

use super::stack::{Number, bytes, number};
use super::{Live, SLOTS, decode, encode, guarded};
use crate::module::Current;
use crate::ops::with_buffer;
use crate::reply::Site;
use crate::value::{ArrayMark, is_integer_here};

/// Values up to this many bytes are copied into the frame of the call, larger ones are decoded in a protected call.
const SMALL: usize = 1024;

/// The arguments of a call, by their indices.
const SELF: c_int = 1;
const KEY: c_int = 2;

/// How an operation ended, without a destructor.
#[derive(Clone, Copy)]
enum Verdict {
    /// It was not begun.
    Slow,
    /// It was not begun for want of so many stack slots.
    Slots(c_int),
    /// An error waits to be fetched.
    Ticket(i64),
    Nil,
    Bool(bool),
    Integer(i64),
    /// A string of so many bytes, in the frame of the call.
    Text(usize),
    /// An encoded value of so many bytes, in the frame of the call.
    Small(usize),
    /// A value of the caller's, who has to free it.
    Large(*mut Payload),
}

/// What an operation gets.
struct Call<'a> {
    state: *mut lua_State,
    live: &'a Live,
    key: &'a [u8],
    slots: c_int,
    small: &'a mut [MaybeUninit<u8>; SMALL],
}

/// The functions, by the names of their methods.
pub(crate) fn functions(lua: &Lua, mark: &ArrayMark, live: &Arc<Live>) -> mlua::Result<Table> {
    let functions = lua.create_table()?;
    let named: [(&str, ffi::lua_CFunction); 6] =
        [("get", get), ("has", has), ("set", set), ("delete", delete), ("touch", touch), ("increment", increment)];
    let owner = Arc::into_raw(Arc::clone(live));
    let mut taken = false;
    let owned = &mut taken;
    // SAFETY: the closure is a plain frame. It takes the owner when nothing can fail any more.
    let made = unsafe {
        lua.exec_raw::<()>((&functions, mark.table()), |state| {
            // 3: the box with the pointer, which frees it at the end.
            let slot: *mut *const Live = ffi::lua_newuserdata(state, size_of::<*const Live>()).cast();
            slot.write(std::ptr::null());
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushlstring(state, c"__gc".as_ptr(), 4);
            ffi::lua_pushcfunction(state, forget);
            ffi::lua_rawset(state, -3);
            ffi::lua_setmetatable(state, 3);
            slot.write(owner);
            *owned = true;
            for (name, function) in named {
                ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
                ffi::lua_pushvalue(state, 3);
                ffi::lua_pushvalue(state, 2);
                ffi::lua_pushcfunction(state, push_protected);
                ffi::lua_pushcclosure(state, function, 3);
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
unsafe extern "C-unwind" fn forget(state: *mut lua_State) -> c_int {
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
    unsafe { run(state, |call, handle| call.get(handle)) }
}

unsafe extern "C-unwind" fn has(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, |call, handle| call.has(handle)) }
}

unsafe extern "C-unwind" fn set(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, |call, handle| call.set(handle)) }
}

unsafe extern "C-unwind" fn delete(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, |call, handle| call.delete(handle)) }
}

unsafe extern "C-unwind" fn touch(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, |call, handle| call.touch(handle)) }
}

unsafe extern "C-unwind" fn increment(state: *mut lua_State) -> c_int {
    // SAFETY: as `get`.
    unsafe { run(state, |call, handle| call.increment(handle)) }
}

/// One call. A plain frame.
#[inline(always)]
unsafe fn run(
    state: *mut lua_State,
    operation: impl Fn(&mut Call<'_>, &store_core::Handle) -> Verdict + Copy,
) -> c_int {
    let mut small = [const { MaybeUninit::<u8>::uninit() }; SMALL];
    let mut slots = SLOTS;
    // SAFETY: the functions have three upvalues, see `functions`.
    unsafe {
        let verdict = loop {
            match attempt(state, slots, &mut small, operation) {
                Verdict::Slots(more) if ffi::lua_checkstack(state, more) != 0 => slots = more,
                verdict => break verdict,
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
                if !decode::push(state, ffi::lua_upvalueindex(2), bytes, &mut trouble) {
                    return fail(state, trouble);
                }
            }
            Verdict::Large(payload) => return large(state, payload),
            Verdict::Ticket(ticket) => return stopped(state, Some(ticket)),
            Verdict::Slow | Verdict::Slots(_) => return stopped(state, None),
        }
    }
    1
}

/// `nil` and the state.
unsafe fn stopped(state: *mut lua_State, ticket: Option<i64>) -> c_int {
    // SAFETY: the slots are there, and nothing here allocates.
    unsafe {
        ffi::lua_settop(state, 0);
        ffi::lua_pushnil(state);
        match ticket {
            Some(ticket) => push_integer(state, ticket),
            None => ffi::lua_pushboolean(state, 1),
        }
    }
    2
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "integers of this Lua only")]
unsafe fn push_integer(state: *mut lua_State, number: i64) {
    // SAFETY: pushing a number never raises.
    unsafe {
        if crate::value::ONE_NUMBER_TYPE {
            ffi::lua_pushnumber(state, number as f64);
        } else {
            ffi::lua_pushinteger(state, number as ffi::lua_Integer);
        }
    }
}

/// The guarded half of a call.
#[inline(always)]
unsafe fn attempt(
    state: *mut lua_State,
    slots: c_int,
    small: &mut [MaybeUninit<u8>; SMALL],
    operation: impl Fn(&mut Call<'_>, &store_core::Handle) -> Verdict,
) -> Verdict {
    // SAFETY: the box is the first upvalue, the mark the second; and what is on the stack is looked at only.
    unsafe {
        let slot: *const *const Live = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast();
        let is_call = ffi::lua_type(state, SELF) == ffi::LUA_TUSERDATA && ffi::lua_type(state, KEY) == ffi::LUA_TSTRING;
        let Some(live) = (*slot).as_ref().filter(|_| is_call) else { return Verdict::Slow };
        let address = ffi::lua_touserdata(state, SELF) as usize;
        let key = bytes(state, KEY);
        let done = guarded(|| {
            let Some(inner) = live.find(address) else { return Verdict::Slow };
            let handle = Current::new(&inner.module, &inner.handle);
            operation(&mut Call { state, live, key, slots, small }, &handle)
        });
        done.unwrap_or_else(|error| Verdict::Ticket(live.keep(error)))
    }
}

impl Call<'_> {
    fn fail(&self, error: Error) -> Verdict {
        Verdict::Ticket(self.live.keep(error))
    }

    fn bool(&self, answer: Option<store_core::Result<bool>>) -> Verdict {
        match answer {
            None => Verdict::Slow,
            Some(Ok(bool)) => Verdict::Bool(bool),
            Some(Err(error)) => self.fail(error),
        }
    }

    fn get(&mut self, handle: &store_core::Handle) -> Verdict {
        match handle.try_get::<Payload>(self.key) {
            None => Verdict::Slow,
            Some(Ok(None)) => Verdict::Nil,
            Some(Ok(Some(payload))) => self.value(payload),
            Some(Err(error)) => self.fail(error),
        }
    }

    /// A stored value, ready to be pushed.
    fn value(&mut self, payload: Payload) -> Verdict {
        // What is one string or boolean or integer needs no table-making.
        let mut decoder = Decoder::new(&payload);
        let token = decoder.token();
        let (bytes, verdict): (&[u8], fn(usize) -> Verdict) = match token {
            Ok(Token::Str(text)) if decoder.remaining() == 0 => (text, Verdict::Text),
            Ok(Token::Bool(bool)) if decoder.remaining() == 0 => return Verdict::Bool(bool),
            Ok(Token::Int(number)) if decoder.remaining() == 0 && is_integer_here(number) => {
                return Verdict::Integer(number);
            }
            _ => (&payload, Verdict::Small),
        };
        match self.small.get_mut(..bytes.len()) {
            Some(small) => {
                small.write_copy_of_slice(bytes);
                verdict(bytes.len())
            }
            None => Verdict::Large(Box::into_raw(Box::new(payload))),
        }
    }

    fn has(&mut self, handle: &store_core::Handle) -> Verdict {
        self.bool(handle.try_has(self.key))
    }

    fn delete(&mut self, handle: &store_core::Handle) -> Verdict {
        if !self.is_nil(3) {
            return Verdict::Slow;
        }
        self.bool(handle.try_delete(self.key))
    }

    fn touch(&mut self, handle: &store_core::Handle) -> Verdict {
        match self.expiry(3) {
            Some(expiry) if self.is_nil(4) => self.bool(handle.try_touch(self.key, expiry)),
            _ => Verdict::Slow,
        }
    }

    fn set(&mut self, handle: &store_core::Handle) -> Verdict {
        let Some(expiry) = self.expiry(4) else { return Verdict::Slow };
        let limits = &handle.settings().limits;
        with_buffer(|buffer| {
            // SAFETY: so many slots are free. The value is an argument, the mark the second upvalue.
            let written = unsafe {
                match ffi::lua_type(self.state, 3) {
                    // What is most frequent is no table.
                    ffi::LUA_TSTRING => {
                        Encoder::new(buffer, limits).string(bytes(self.state, 3)).map_err(encode::Trouble::Value)
                    }
                    // What is no value is told of by those who go through mlua, who find the same.
                    ffi::LUA_TNIL | ffi::LUA_TNONE | ffi::LUA_TLIGHTUSERDATA => return Verdict::Slow,
                    _ => {
                        let mark = ffi::lua_topointer(self.state, ffi::lua_upvalueindex(2));
                        encode::write(self.state, 3, self.slots, mark, limits, buffer)
                    }
                }
            };
            match written {
                Ok(()) => match handle.try_set(self.key, &Raw(buffer), expiry) {
                    None => Verdict::Slow,
                    Some(Ok(())) => Verdict::Bool(true),
                    Some(Err(error)) => self.fail(error),
                },
                Err(encode::Trouble::Slots) => {
                    // SAFETY: back to the arguments.
                    unsafe { ffi::lua_settop(self.state, 4) };
                    Verdict::Slots(encode::slots(limits))
                }
                Err(encode::Trouble::Value(_) | encode::Trouble::Stack) => Verdict::Slow,
            }
        })
    }

    fn increment(&mut self, handle: &store_core::Handle) -> Verdict {
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
        if !self.is_nil(4) {
            return Verdict::Slow;
        }
        match handle.try_increment_with(self.key, &IncrementOptions::by(delta)) {
            None => Verdict::Slow,
            Some(Ok(sum)) if is_integer_here(sum) => Verdict::Integer(sum),
            Some(Ok(_)) => {
                let site = Site { handle: Some(handle), operation: "increment", key: self.key };
                self.fail(site.beyond_integers())
            }
            Some(Err(error)) => self.fail(error),
        }
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
                ffi::LUA_TNUMBER => Expiry::from_seconds(ffi::lua_tonumber(self.state, index)).ok(),
                _ => None,
            }
        }
    }
}

/// The stored bytes are no value: the error says where they are (V6).
#[cold]
unsafe fn fail(state: *mut lua_State, mut trouble: decode::Trouble) -> c_int {
    // SAFETY: called when `push` said no; the arguments are still on the stack.
    unsafe {
        let error = trouble.take();
        let slot: *const *const Live = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast();
        let address = ffi::lua_touserdata(state, SELF) as usize;
        let key = bytes(state, KEY);
        let Some(live) = (*slot).as_ref() else { return stopped(state, None) };
        let ticket = guarded(|| {
            let inner = live.find(address);
            let site = Site { handle: inner.as_ref().map(|inner| &inner.handle), operation: "get", key };
            live.keep(site.place(error))
        });
        let ticket = ticket.unwrap_or_else(|error| live.keep(error));
        stopped(state, Some(ticket))
    }
}

/// What a protected call is to push.
struct Job {
    payload: *const Payload,
    trouble: decode::Trouble,
    pushed: bool,
}

/// Pushes a large value in a protected call, so that what holds its bytes is let go also if Lua is out of memory.
unsafe fn large(state: *mut lua_State, payload: *mut Payload) -> c_int {
    // SAFETY: the payload is ours to free, the function and the mark are upvalues, and a protected call does not raise.
    let (status, job) = unsafe {
        let mut job = Job { payload, trouble: decode::Trouble::new(), pushed: false };
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(3));
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
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
            return fail(state, job.trouble);
        }
    }
    1
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
