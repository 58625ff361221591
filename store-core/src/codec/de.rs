//! serde's data model, read with a [`Decoder`].

use serde::de::{self, DeserializeOwned, DeserializeSeed, Expected, Unexpected, Visitor};

use super::decoder::{Decoder, Token};
use super::fault::{Fault, settle};
use crate::Result;

pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut decoder = Decoder::new(bytes);
    let value = T::deserialize(Deserializer(&mut decoder));
    if matches!(&value, Err(fault) if !fault.is_plain()) {
        // Of malformed bytes nobody can say that they are of another type, so they are judged first.
        let mut whole = Decoder::new(bytes);
        whole.skip()?;
        whole.finish()?;
    }
    let value = settle(value)?;
    decoder.finish()?;
    Ok(value)
}

struct Deserializer<'d, 'de>(&'d mut Decoder<'de>);

impl<'de> Deserializer<'_, 'de> {
    #[inline]
    fn visit<V: Visitor<'de>>(self, token: Token<'de>, visitor: V) -> Result<V::Value, Fault> {
        match token {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Int(n) => match u64::try_from(n) {
                Ok(n) => visitor.visit_u64(n),
                Err(_) => visitor.visit_i64(n),
            },
            Token::UInt(n) => visitor.visit_u64(n),
            Token::Float(n) => visitor.visit_f64(n),
            Token::Str(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => visitor.visit_borrowed_bytes(bytes),
            },
            Token::Array(count) => self.items(count, visitor),
            Token::Map(count) => self.entries(count, visitor),
        }
    }

    #[inline]
    fn items<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Fault> {
        self.0.enter()?;
        let mut items = Items { decoder: &mut *self.0, left: count, index: 0 };
        let value = visitor.visit_seq(&mut items)?;
        if items.left > 0 {
            return Err(Fault::new(format!("expected {} items, found {count}", items.index)));
        }
        self.0.leave();
        Ok(value)
    }

    fn entries<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Fault> {
        self.0.enter()?;
        let mut entries = Entries { decoder: &mut *self.0, left: count, key: (0, 0) };
        let value = visitor.visit_map(&mut entries)?;
        if entries.left > 0 {
            return Err(Fault::new(format!("expected {} entries, found {count}", count - entries.left)));
        }
        self.0.leave();
        Ok(value)
    }

    /// A sequence; an empty table of Lua has no type and passes for one.
    #[inline]
    fn sequence<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.token()? {
            Token::Map(0) => self.items(0, visitor),
            Token::Array(count) => self.items(count, visitor),
            token => Err(mismatch(&token, &visitor)),
        }
    }

    /// A map; an empty table of Lua has no type and passes for one.
    #[inline]
    fn mapping<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.token()? {
            Token::Array(0) => self.entries(0, visitor),
            Token::Map(count) => self.entries(count, visitor),
            token => Err(mismatch(&token, &visitor)),
        }
    }

    /// A float. Integers pass where nothing is lost.
    fn float<V: Visitor<'de>>(self, exact: u32, visitor: V) -> Result<V::Value, Fault> {
        match self.0.token()? {
            Token::Int(n) => match exact_float(n, exact) {
                Some(n) => visitor.visit_f64(n),
                None => Err(Fault::new("an integer that no float of this size equals")),
            },
            Token::UInt(_) => Err(Fault::new("an integer that no float of this size equals")),
            token => self.visit(token, visitor),
        }
    }
}

/// The float equal to this integer, if its binary digits apart from trailing zeros are at most so many.
#[expect(clippy::cast_precision_loss, reason = "nothing is lost: the digits were counted")]
fn exact_float(n: i64, digits: u32) -> Option<f64> {
    let magnitude = n.unsigned_abs();
    let odd = magnitude >> magnitude.trailing_zeros().min(63);
    if u64::BITS - odd.leading_zeros() <= digits { Some(n as f64) } else { None }
}

#[cold]
fn mismatch(found: &Token<'_>, expected: &dyn Expected) -> Fault {
    let found = match found {
        Token::Nil => Unexpected::Unit,
        Token::Bool(value) => Unexpected::Bool(*value),
        Token::Int(n) => Unexpected::Signed(*n),
        Token::UInt(n) => Unexpected::Unsigned(*n),
        Token::Float(n) => Unexpected::Float(*n),
        Token::Str(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Unexpected::Str(text),
            Err(_) => Unexpected::Bytes(bytes),
        },
        Token::Array(_) => Unexpected::Seq,
        Token::Map(_) => Unexpected::Map,
    };
    de::Error::invalid_type(found, expected)
}

impl<'de> de::Deserializer<'de> for Deserializer<'_, 'de> {
    type Error = Fault;

    fn is_human_readable(&self) -> bool {
        true
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let token = self.0.token()?;
        self.visit(token, visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.float(f32::MANTISSA_DIGITS, visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.float(f64::MANTISSA_DIGITS, visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.token()? {
            Token::Str(bytes) => visitor.visit_borrowed_bytes(bytes),
            Token::Map(0) => self.items(0, visitor),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.peek_nil() {
            self.0.token()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.sequence(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.sequence(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.sequence(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.mapping(visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.token()? {
            Token::Str(name) => visitor.visit_enum(Variant { decoder: None, name }),
            Token::Map(1) => {
                self.0.enter()?;
                let start = self.0.position();
                let Token::Str(name) = self.0.token()? else {
                    return Err(Fault::new("expected a map with the name of a variant as its key"));
                };
                let key = self.0.between(start, self.0.position());
                let content = Variant { decoder: Some(&mut *self.0), name };
                let value = visitor.visit_enum(content).map_err(|fault| fault.at_key(key))?;
                self.0.leave();
                Ok(value)
            }
            token => Err(mismatch(&token, &visitor)),
        }
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.token()? {
            // serde takes unsigned integers for the position of a field. A key 0 of a table is no such thing.
            Token::Int(n) => visitor.visit_i64(n),
            Token::UInt(n) => Err(mismatch(&Token::UInt(n), &visitor)),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.0.skip()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string unit unit_struct
    }
}

struct Items<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    left: usize,
    index: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        let index = self.index;
        self.left -= 1;
        self.index += 1;
        seed.deserialize(Deserializer(self.decoder)).map(Some).map_err(|fault| fault.at_index(index))
    }

    /// At most as many as there are bytes left, whatever a header says.
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Entries<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    left: usize,
    /// Where the last key begins and ends.
    key: (usize, usize),
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let start = self.decoder.position();
        let key = seed.deserialize(Deserializer(self.decoder))?;
        self.key = (start, self.decoder.position());
        Ok(Some(key))
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(Deserializer(self.decoder))
            .map_err(|fault| fault.at_key(self.decoder.between(self.key.0, self.key.1)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant: its name, and where its content follows, if there is any.
struct Variant<'d, 'de> {
    decoder: Option<&'d mut Decoder<'de>>,
    name: &'de [u8],
}

impl<'d, 'de> de::EnumAccess<'de> for Variant<'d, 'de> {
    type Error = Fault;
    type Variant = Content<'d, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'d, 'de>), Fault> {
        let variant = match std::str::from_utf8(self.name) {
            Ok(name) => seed.deserialize(de::value::BorrowedStrDeserializer::<Fault>::new(name)),
            Err(_) => seed.deserialize(de::value::BorrowedBytesDeserializer::<Fault>::new(self.name)),
        }?;
        Ok((variant, Content(self.decoder)))
    }
}

struct Content<'d, 'de>(Option<&'d mut Decoder<'de>>);

impl<'d, 'de> Content<'d, 'de> {
    fn required(self) -> Result<Deserializer<'d, 'de>, Fault> {
        self.0
            .map(Deserializer)
            .ok_or_else(|| Fault::new("expected a map with a variant and its content, found a string"))
    }
}

impl<'de> de::VariantAccess<'de> for Content<'_, 'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.0 {
            Some(decoder) => de::Deserialize::deserialize(Deserializer(decoder)),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self.required()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.required()?.sequence(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.required()?.mapping(visitor)
    }
}
