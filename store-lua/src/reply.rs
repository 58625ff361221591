//! Answers of the store, and what they are in Lua.

use std::sync::Arc;

use mlua::{IntoLua, Lua, Table, Value};
use store_core::{Error, Handle, Item, Page, Payload, Ttl, TypedEntry, Version};

use crate::held::hand_out;
use crate::module::Module;
use crate::shim::Stop;
use crate::value::{Fault, decode, is_integer_here};

/// What an operation answered.
#[derive(Debug)]
pub(crate) enum Reply {
    Value(Option<Payload>),
    Bool(bool),
    Integer(i64),
    Count(u64),
    Ttl(Option<Ttl>),
    Entry(Option<TypedEntry<Payload>>),
    Values(Vec<Vec<u8>>, Vec<Option<Payload>>),
    Bools(Vec<bool>),
    Page(Page),
    Handle(Handle),
}

/// Where an answer comes from, for errors in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) handle: Option<&'a Handle>,
    pub(crate) operation: &'static str,
    pub(crate) key: &'a [u8],
}

impl Site<'_> {
    /// Stored bytes as a value. Bytes that are none are an error that names the key (V6).
    pub(crate) fn value(&self, lua: &Lua, module: &Arc<Module>, payload: &[u8]) -> Result<Value, Stop> {
        decode(lua, &module.shared.mark, payload).map_err(|fault| self.explain(fault))
    }

    #[cold]
    fn explain(&self, fault: Fault) -> Stop {
        match fault {
            Fault::Vm(error) => Stop::Vm(error),
            Fault::Value(error) => self.place(error).into(),
        }
    }

    /// Adds where an error happened.
    #[cold]
    pub(crate) fn place(&self, error: Error) -> Error {
        let error = error.or_detail("operation", || self.operation.into()).or_detail("key", || self.key.into());
        let Some(handle) = self.handle else { return error };
        let error = error.or_detail("store", || handle.id().into());
        match handle.info() {
            Ok(info) => error.or_detail("backend", || info.backend.backend.into()),
            Err(_) => error,
        }
    }

    /// The error of a sum that this Lua has no integer for.
    #[cold]
    pub(crate) fn beyond_integers(&self) -> Error {
        self.place(Error::invalid("the sum is stored, but is beyond the integers of this Lua").with_reason("range"))
    }

    fn entry(
        &self,
        lua: &Lua,
        module: &Arc<Module>,
        payload: &Payload,
        version: &Version,
        ttl: Ttl,
    ) -> Result<Table, Stop> {
        let table = lua.create_table_with_capacity(0, 4)?;
        table.raw_set("key", lua.create_string(self.key)?)?;
        table.raw_set("value", self.value(lua, module, payload)?)?;
        table.raw_set("version", version.to_string())?;
        table.raw_set("ttl", seconds(ttl))?;
        Ok(table)
    }

    fn item(&self, lua: &Lua, module: &Arc<Module>, item: &Item) -> Result<Table, Stop> {
        let site = Site { key: &item.key, ..*self };
        if let Some(entry) = &item.entry {
            return site.entry(lua, module, &entry.value, &entry.version, entry.ttl);
        }
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set("key", lua.create_string(&item.key)?)?;
        Ok(table)
    }
}

/// Seconds left, in whole milliseconds; infinity for never.
///
/// Deadlines are rounded up to a millisecond and read by a clock that may lag by another, so that nothing ends early. What is
/// told is rounded down by as much: a script never sees more than it asked for.
pub(crate) fn seconds(ttl: Ttl) -> f64 {
    match ttl.left() {
        None => f64::INFINITY,
        Some(left) => ((left.as_secs_f64() * 1000.0).floor() - 1.0).max(1.0) / 1000.0,
    }
}

impl Reply {
    /// The Lua value of an answer.
    pub(crate) fn into_value(self, lua: &Lua, module: &Arc<Module>, site: &Site<'_>) -> Result<Value, Stop> {
        Ok(match self {
            Reply::Value(None) | Reply::Ttl(None) | Reply::Entry(None) => Value::Nil,
            Reply::Value(Some(payload)) => site.value(lua, module, &payload)?,
            Reply::Bool(bool) => Value::Boolean(bool),
            Reply::Integer(number) if is_integer_here(number) => Value::Integer(number),
            Reply::Integer(_) => return Err(site.beyond_integers().into()),
            Reply::Count(count) => Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
            Reply::Ttl(Some(ttl)) => Value::Number(seconds(ttl)),
            Reply::Entry(Some(entry)) => {
                Value::Table(site.entry(lua, module, &entry.value, &entry.version, entry.ttl)?)
            }
            Reply::Values(keys, values) => {
                let table = lua.create_table_with_capacity(values.len(), 1)?;
                for (index, value) in values.iter().enumerate() {
                    let Some(payload) = value else { continue };
                    let key = keys.get(index).map_or(&[][..], Vec::as_slice);
                    table.raw_set(index + 1, Site { key, ..*site }.value(lua, module, payload)?)?;
                }
                table.raw_set("n", values.len())?;
                Value::Table(table)
            }
            Reply::Bools(bools) => {
                let table = lua.create_table_with_capacity(bools.len(), 1)?;
                for (index, bool) in bools.iter().enumerate() {
                    table.raw_set(index + 1, *bool)?;
                }
                table.raw_set("n", bools.len())?;
                Value::Table(table)
            }
            Reply::Page(page) => {
                let items = lua.create_table_with_capacity(page.items.len(), 0)?;
                for (index, item) in page.items.iter().enumerate() {
                    items.raw_set(index + 1, site.item(lua, module, item)?)?;
                }
                let table = lua.create_table_with_capacity(0, 3)?;
                table.raw_set("items", items)?;
                table.raw_set("cursor", page.cursor)?;
                table.raw_set("has_more", page.has_more)?;
                table.into_lua(lua)?
            }
            Reply::Handle(handle) => hand_out(lua, module, handle)?,
        })
    }
}
