//! The one value codec, for Lua and Rust alike: [MessagePack](https://github.com/msgpack/msgpack/blob/master/spec.md).
//!
//! What comes back is what went in: integers and floats stay apart, strings are bytes, map keys keep their type. What a Lua
//! script stores a Rust program reads through serde, and the reverse:
//!
//! | Lua | MessagePack | Rust (serde) |
//! |---|---|---|
//! | boolean | boolean | `bool` |
//! | integer | integer, smallest form | integers up to 64 bits; floats where exact |
//! | float | float64, always | `f64`, `f32` |
//! | string | str if UTF-8, else bin | `String`, `char`, bytes (`serde_bytes`), unit variants |
//! | table with the keys 1 to n | array | sequences, tuples |
//! | any other table | map with typed keys | maps, structs, variants with content |
//! | `{}` | map of none | an empty sequence or an empty map, as the type asks |
//! | `store.null`, inside of tables | nil | `None`, `()` |
//!
//! Types are asked for their human-readable form (an IP address is a string), because scripts are to read it. Structs are maps of
//! their field names; enums look as `serde_json` writes them. `Vec<u8>` is a list of numbers to serde; for bytes take `serde_bytes`,
//! [`Value::String`](crate::Value::String), or [`Raw`] if they are encoded already.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use store_core::codec::{self, Limits};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! struct User { name: String, visits: u32 }
//!
//! let user = User { name: "Alice".to_string(), visits: 3 };
//! let mut bytes = Vec::new();
//! codec::encode(&user, &Limits::default(), &mut bytes)?;
//! assert_eq!(codec::decode::<User>(&bytes)?, user);
//! # Ok::<(), store_core::Error>(())
//! ```

mod de;
mod decoder;
mod encoder;
mod fault;
mod integer;
mod limits;
mod ser;
mod validate;

pub use decoder::{Decoder, Token, string};
pub use encoder::{Encoder, Open, encode_short_string};
pub use integer::{IntegerBuf, encode_integer, integer};
pub use limits::{Limits, MAX_DEPTH};
pub use validate::validate;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Payload, Result};
use validate::required;

/// Appends the encoding of a value to `out`. After an error `out` is as before.
///
/// # Errors
/// INVALID: nothing to store (`None`, `()`); too large or too deep (`limit` in the details); an integer outside of 64 bits; a map
/// key that is no string, number or boolean. The message names the place (`value.a.b[3]`), never the value.
pub fn encode<T: Serialize + ?Sized>(value: &T, limits: &Limits, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let encoded = ser::to_encoder(value, &mut Encoder::new(out, limits)).and_then(|()| required(&out[start..]));
    if encoded.is_err() {
        out.truncate(start);
    }
    encoded
}

/// The value that the bytes encode.
///
/// # Errors
/// INTERNAL with reason `foreign`: the bytes are not one MessagePack value. INVALID: they are, but not of this type; the message names
/// the place and what was expected, never the value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    de::from_bytes(bytes)
}

/// What can be stored: everything that serde can serialize, and what is encoded already ([`Payload`], [`Raw`]).
pub trait Encode {
    /// The encoded bytes: either those that `self` holds, or ones appended to `buf`.
    ///
    /// # Errors
    /// As [`encode`].
    fn encode<'a>(&'a self, limits: &Limits, buf: &'a mut Vec<u8>) -> Result<&'a [u8]>;
}

impl<T: Serialize + ?Sized> Encode for T {
    fn encode<'a>(&'a self, limits: &Limits, buf: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let start = buf.len();
        // Most values are small: one allocation instead of one for each doubling.
        buf.reserve(64);
        encode(self, limits, buf)?;
        Ok(&buf[start..])
    }
}

/// What stored bytes can become: everything that serde can deserialize without borrowing, and [`Payload`], which is the bytes.
pub trait Decode: Sized {
    /// Decodes.
    ///
    /// # Errors
    /// As [`decode`].
    fn decode(payload: Payload) -> Result<Self>;
}

impl<T: DeserializeOwned> Decode for T {
    fn decode(payload: Payload) -> Result<T> {
        decode(&payload)
    }
}

/// Bytes that are encoded already. They are stored as they are: only size and presence are checked, see [`validate`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(pub &'a [u8]);

/// Says how long it is and not what it holds: values do not belong in logs.
impl std::fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Raw({} bytes)", self.0.len())
    }
}

impl Encode for Raw<'_> {
    #[inline]
    fn encode<'a>(&'a self, limits: &Limits, _: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        limits.check_size(self.0.len())?;
        required(self.0)?;
        Ok(self.0)
    }
}

impl Encode for Payload {
    #[inline]
    fn encode<'a>(&'a self, limits: &Limits, _: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        limits.check_size(self.len())?;
        required(self)?;
        Ok(self)
    }
}

impl Decode for Payload {
    #[inline]
    fn decode(payload: Payload) -> Result<Payload> {
        Ok(payload)
    }
}
