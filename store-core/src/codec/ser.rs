//! serde's data model, written with an [`Encoder`].

use serde::ser::{self, Serialize};

use super::encoder::{Encoder, Open, may_be_key};
use super::fault::{Fault, settle};
use super::limits::too_deep_message;
use crate::Result;

pub(super) const BAD_KEY: &str = "a key of a map must be a string, a boolean, or a number other than NaN";

/// Encodes a value; on failure the encoder holds a part of it.
pub(super) fn to_encoder<T: Serialize + ?Sized>(value: &T, encoder: &mut Encoder<'_>) -> Result<()> {
    settle(value.serialize(Serializer(encoder)))
}

struct Serializer<'e, 'a>(&'e mut Encoder<'a>);

/// An array or map being written, and perhaps a variant's map of one entry around it.
struct Compound<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    open: Open,
    count: usize,
    /// Where the key begins and ends whose value is to come.
    key: Option<(usize, usize)>,
    variant: Option<&'static str>,
}

impl<'e, 'a> Serializer<'e, 'a> {
    #[inline]
    fn begin(self, map: bool, expected: Option<usize>) -> Result<Compound<'e, 'a>, Fault> {
        let open = begin(self.0, map, expected.unwrap_or(0))?;
        Ok(Compound { encoder: self.0, open, count: 0, key: None, variant: None })
    }

    fn begin_variant(self, name: &'static str, map: bool, expected: usize) -> Result<Compound<'e, 'a>, Fault> {
        // One entry as announced: closing it is no more than leaving.
        let _ = begin(self.0, true, 1)?;
        self.0.str(name)?;
        let mut compound = self.begin(map, Some(expected)).map_err(|fault| fault.at_field(name))?;
        compound.variant = Some(name);
        Ok(compound)
    }
}

/// Opens a container. That it is too deep happens at a place; that it is too large does not.
#[inline]
fn begin(encoder: &mut Encoder<'_>, map: bool, expected: usize) -> Result<Open, Fault> {
    let limit = encoder.max_depth();
    if encoder.depth() >= limit {
        return Err(Fault::limit(too_deep_message(limit), limit));
    }
    Ok(if map { encoder.begin_map(expected)? } else { encoder.begin_array(expected)? })
}

impl Compound<'_, '_> {
    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let index = self.count;
        self.count += 1;
        value.serialize(Serializer(self.encoder)).map_err(|fault| self.locate(fault.at_index(index)))
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.encoder.str(name)?;
        self.count += 1;
        value.serialize(Serializer(self.encoder)).map_err(|fault| self.locate(fault.at_field(name)))
    }

    fn locate(&self, fault: Fault) -> Fault {
        match self.variant {
            Some(name) => fault.at_field(name),
            None => fault,
        }
    }

    #[inline]
    fn close(self) -> Result<(), Fault> {
        self.encoder.end(self.open, self.count)?;
        if self.variant.is_some() {
            self.encoder.leave();
        }
        Ok(())
    }
}

impl<'e, 'a> ser::Serializer for Serializer<'e, 'a> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Compound<'e, 'a>;
    type SerializeTuple = Compound<'e, 'a>;
    type SerializeTupleStruct = Compound<'e, 'a>;
    type SerializeTupleVariant = Compound<'e, 'a>;
    type SerializeMap = Compound<'e, 'a>;
    type SerializeStruct = Compound<'e, 'a>;
    type SerializeStructVariant = Compound<'e, 'a>;

    fn is_human_readable(&self) -> bool {
        true
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        Ok(self.0.bool(value)?)
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<(), Fault> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Result<(), Fault> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Result<(), Fault> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result<(), Fault> {
        Ok(self.0.int(value)?)
    }

    fn serialize_i128(self, value: i128) -> Result<(), Fault> {
        if let Ok(value) = i64::try_from(value) {
            return self.serialize_i64(value);
        }
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => Err(wide()),
        }
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<(), Fault> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Result<(), Fault> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Result<(), Fault> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Result<(), Fault> {
        Ok(self.0.uint(value)?)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Fault> {
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => Err(wide()),
        }
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), Fault> {
        self.serialize_f64(value.into())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), Fault> {
        Ok(self.0.float(value)?)
    }

    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Fault> {
        Ok(self.0.str(value)?)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Fault> {
        Ok(self.0.string(value)?)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Fault> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(self.0.nil()?)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Fault> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        let mut map = self.begin(true, Some(1))?;
        map.field(variant, value)?;
        map.close()
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'e, 'a>, Fault> {
        self.begin(false, len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Compound<'e, 'a>, Fault> {
        self.begin(false, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'e, 'a>, Fault> {
        self.begin(false, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'e, 'a>, Fault> {
        self.begin_variant(variant, false, len)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'e, 'a>, Fault> {
        self.begin(true, len)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Compound<'e, 'a>, Fault> {
        self.begin(true, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'e, 'a>, Fault> {
        self.begin_variant(variant, true, len)
    }
}

#[cold]
fn wide() -> Fault {
    Fault::new("an integer outside of 64 bits")
}

/// A faulty implementation of `Serialize` must not produce bytes that nobody can read.
#[cold]
fn unpaired() -> Fault {
    Fault::new("keys and values of a map do not alternate")
}

impl ser::SerializeSeq for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}

impl ser::SerializeTuple for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        let start = self.encoder.position();
        key.serialize(Serializer(self.encoder))?;
        if self.key.replace((start, self.encoder.position())).is_some() {
            return Err(unpaired());
        }
        if may_be_key(self.encoder.written(start)) { Ok(()) } else { Err(Fault::new(BAD_KEY)) }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let (start, end) = self.key.take().ok_or_else(unpaired)?;
        self.count += 1;
        value
            .serialize(Serializer(self.encoder))
            .map_err(|fault| fault.at_key(self.encoder.written(start).get(..end - start).unwrap_or_default()))
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        if self.key.is_some() { Err(unpaired()) } else { self.close() }
    }
}

impl ser::SerializeStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.field(name, value)
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.field(name, value)
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}
