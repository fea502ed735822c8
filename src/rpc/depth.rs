//! Values nested without end: why a peer's message can't overflow the stack.
//!
//! A type may contain itself (`struct List { next: Option<Box<List>> }`), and then it is the message that says how deep its reading
//! goes: serde reads a value within a value by a call within a call. postcard has no limit, and a message of 20 KB is deep enough to overflow a
//! goroutine's stack, which ends the process. serde_json has one, but it counts on larger stacks than ours.
//!
//! So the codecs read through [`Nested`]. It goes down with the reader, as deserializer, visitor, seed and access to the parts, passes
//! all on as it is, and counts: what has come to hold a value and asks for its parts has one level less for them. There is
//! no state to put right when an error is passed over; only why it failed is noted aside, for postcard's errors can't carry
//! a text.
//!
//! The count is what users can rely on. But it does not know how large a type's frames are, nor how much the caller's frames have left: a node
//! with a kilobyte in it takes 40 of them a level in unoptimised code. So each level also looks where it stands on the stack, and leaves a
//! quarter of what there was for the frames of one level. A type of which one level takes more than that can't be helped.
//!
//! Not counted is what can't be endless: a scalar, what is skipped (serde_json does that in a loop), and a `Box`, which is none of serde's
//! shapes.
#![forbid(unsafe_code)]

use super::codec::Codec;
use crate::stack;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use std::cell::Cell;
use std::fmt;

/// Reads a value that has no more levels than [`Codec::LEVELS`], and that the stack is large enough for.
pub(super) fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, String> {
    let here = standing();
    // A thread's stack is megabytes: there the count is enough.
    let floor = stack::room_below(here).map_or(0, |room| here - room / 4 * 3);
    let bounds = Bounds { floor, over: Cell::new(None) };
    T::deserialize(Nested { inner: from, left: Codec::LEVELS, bounds: &bounds }).map_err(|error| match bounds
        .over
        .get()
    {
        None => error.to_string(),
        Some(Over::Levels) => format!("it is nested deeper than {} levels", Codec::LEVELS),
        Some(Over::Stack) => String::from("it is nested too deep for the stack"),
    })
}

/// About where on the stack we are.
#[inline(always)]
fn standing() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

struct Bounds {
    /// No level begins below this address.
    floor: usize,
    /// What a level was beyond.
    over: Cell<Option<Over>>,
}

#[derive(Clone, Copy)]
enum Over {
    Levels,
    Stack,
}

/// See the head.
struct Nested<'b, T> {
    inner: T,
    /// How many levels the value to be read may have.
    left: usize,
    bounds: &'b Bounds,
}

impl<'b, T> Nested<'b, T> {
    /// The same for something else on this level.
    #[inline]
    fn with<U>(&self, inner: U) -> Nested<'b, U> {
        Nested { inner, left: self.left, bounds: self.bounds }
    }

    /// The visitor, and the parts of its value: one level down.
    #[inline]
    fn down<U, E: Error>(self, parts: U) -> Result<(T, Nested<'b, U>), E> {
        let over = if self.left == 0 {
            Over::Levels
        } else if standing() < self.bounds.floor {
            Over::Stack
        } else {
            return Ok((self.inner, Nested { inner: parts, left: self.left - 1, bounds: self.bounds }));
        };
        self.bounds.over.set(Some(over));
        Err(E::custom("nested too deep"))
    }
}

macro_rules! deserializer {
    ($($name:ident($($given:ident: $kind:ty),*))*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, $($given: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.with(visitor);
            self.inner.$name($($given,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Nested<'_, D> {
    type Error = D::Error;

    deserializer! {
        deserialize_any()
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_i128()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_u128()
        deserialize_f32()
        deserialize_f64()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_option()
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq()
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
        deserialize_ignored_any()
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! scalars {
    ($($name:ident($kind:ty))*) => {$(
        #[inline]
        fn $name<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$name(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Nested<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Expected::fmt(&self.inner, f)
    }

    scalars! {
        visit_bool(bool)
        visit_i8(i8)
        visit_i16(i16)
        visit_i32(i32)
        visit_i64(i64)
        visit_i128(i128)
        visit_u8(u8)
        visit_u16(u16)
        visit_u32(u32)
        visit_u64(u64)
        visit_u128(u128)
        visit_f32(f32)
        visit_f64(f64)
        visit_char(char)
        visit_str(&str)
        visit_borrowed_str(&'de str)
        visit_string(String)
        visit_bytes(&[u8])
        visit_borrowed_bytes(&'de [u8])
        visit_byte_buf(Vec<u8>)
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let (visitor, from) = self.down(from)?;
        visitor.visit_some(from)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let (visitor, from) = self.down(from)?;
        visitor.visit_newtype_struct(from)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        let (visitor, parts) = self.down(parts)?;
        visitor.visit_seq(parts)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        let (visitor, parts) = self.down(parts)?;
        visitor.visit_map(parts)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        let (visitor, parts) = self.down(parts)?;
        visitor.visit_enum(parts)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Nested<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        let from = self.with(from);
        self.inner.deserialize(from)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Nested<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.with(seed);
        self.inner.next_element_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Nested<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.with(seed);
        self.inner.next_key_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.next_value_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'b, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Nested<'b, A> {
    type Error = A::Error;
    type Variant = Nested<'b, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let seed = self.with(seed);
        let Nested { inner, left, bounds } = self;
        let (variant, content) = inner.variant_seed(seed)?;
        Ok((variant, Nested { inner: content, left, bounds }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Nested<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.with(seed);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
