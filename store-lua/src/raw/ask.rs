//! What the short ways ask of a store, whoever they are called by: on its synchronous path, with the answer in a form without destructors.

use std::mem::MaybeUninit;

use store_core::codec::{self, Decoder, Token};
use store_core::{Error, Expiry, Handle, IncrementOptions, Payload, Result as StoreResult, TypedEntry};

use super::Live;
use crate::reply::Site;
use crate::value::is_integer_here;

/// How an operation ended, without a destructor.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// It was not begun.
    Slow,
    /// An error waits to be fetched.
    Ticket(i64),
    Nil,
    Bool(bool),
    Integer(i64),
    /// A string of so many bytes, in the room for values.
    Text(usize),
    /// An encoded value of so many bytes, in the room for values.
    Small(usize),
    /// A value of the asker's, who has to free it.
    Large(*mut Payload),
}

/// A question about one key.
pub(super) struct Ask<'a> {
    pub(super) live: &'a Live,
    pub(super) handle: &'a Handle,
    pub(super) key: &'a [u8],
}

impl Ask<'_> {
    fn fail(&self, error: Error) -> Verdict {
        Verdict::Ticket(self.live.keep(error))
    }

    fn bool(&self, answer: Option<StoreResult<bool>>) -> Verdict {
        match answer {
            None => Verdict::Slow,
            Some(Ok(bool)) => Verdict::Bool(bool),
            Some(Err(error)) => self.fail(error),
        }
    }

    /// The value, or how else that ended.
    #[inline]
    pub(super) fn find(&self) -> Result<Payload, Verdict> {
        match self.handle.try_get::<Payload>(self.key) {
            None => Err(Verdict::Slow),
            Some(Ok(None)) => Err(Verdict::Nil),
            Some(Ok(Some(payload))) => Ok(payload),
            Some(Err(error)) => Err(self.fail(error)),
        }
    }

    /// As [`find`](Ask::find), with version and TTL.
    pub(super) fn entry(&self) -> Result<TypedEntry<Payload>, Verdict> {
        match self.handle.try_entry::<Payload>(self.key) {
            None => Err(Verdict::Slow),
            Some(Ok(None)) => Err(Verdict::Nil),
            Some(Ok(Some(entry))) => Ok(entry),
            Some(Err(error)) => Err(self.fail(error)),
        }
    }

    #[cfg(feature = "luajit")]
    #[inline]
    pub(super) fn get(&self, small: &mut [MaybeUninit<u8>]) -> Verdict {
        match self.find() {
            Ok(payload) => value(payload, small),
            Err(verdict) => verdict,
        }
    }

    pub(super) fn has(&self) -> Verdict {
        self.bool(self.handle.try_has(self.key))
    }

    pub(super) fn delete(&self) -> Verdict {
        self.bool(self.handle.try_delete(self.key))
    }

    pub(super) fn touch(&self, expiry: Expiry) -> Verdict {
        self.bool(self.handle.try_touch(self.key, expiry))
    }

    /// Stores bytes that encode a value.
    #[inline]
    pub(super) fn set(&self, encoded: &[u8], expiry: Expiry) -> Verdict {
        match self.handle.try_set_encoded(self.key, encoded, expiry) {
            None => Verdict::Slow,
            Some(Ok(())) => Verdict::Bool(true),
            Some(Err(error)) => self.fail(error),
        }
    }

    pub(super) fn increment(&self, delta: i64) -> Verdict {
        match self.handle.try_increment_with(self.key, &IncrementOptions::by(delta)) {
            None => Verdict::Slow,
            Some(Ok(sum)) if is_integer_here(sum) => Verdict::Integer(sum),
            Some(Ok(_)) => {
                let site = Site { handle: Some(self.handle), operation: "increment", key: self.key };
                self.fail(site.beyond_integers())
            }
            Some(Err(error)) => self.fail(error),
        }
    }
}

/// A stored value, ready to be pushed.
#[inline]
pub(super) fn value(payload: Payload, small: &mut [MaybeUninit<u8>]) -> Verdict {
    // What is one string or boolean or integer needs no table-making.
    if let Some(text) = codec::string(&payload)
        && let Some(small) = small.get_mut(..text.len())
    {
        small.write_copy_of_slice(text);
        return Verdict::Text(text.len());
    }
    other(payload, small)
}

#[inline(never)]
fn other(payload: Payload, small: &mut [MaybeUninit<u8>]) -> Verdict {
    let mut decoder = Decoder::new(&payload);
    match decoder.token() {
        Ok(Token::Bool(bool)) if decoder.remaining() == 0 => return Verdict::Bool(bool),
        Ok(Token::Int(number)) if decoder.remaining() == 0 && is_integer_here(number) => {
            return Verdict::Integer(number);
        }
        _ => {}
    }
    match small.get_mut(..payload.len()) {
        Some(small) => {
            small.write_copy_of_slice(&payload);
            Verdict::Small(payload.len())
        }
        None => Verdict::Large(Box::into_raw(Box::new(payload))),
    }
}
