//! How scripts see an error object.

use mlua::{AnyUserData, IntoLua, Lua, MetaMethod, Table, UserData, UserDataMethods, UserDataRegistry, Value};

use super::ErrorObject;
use crate::shim::{self, Hot, Results, Stop, type_name};
use crate::value::{ArrayMark, to_lua};

impl ErrorObject {
    /// As scripts get it.
    pub(crate) fn give(self, lua: &Lua) -> mlua::Result<Value> {
        self.count(|bytes| crate::beside::take(lua, bytes))?;
        self.into_lua(lua)
    }
}

/// The methods of error objects, one table for a VM.
pub(super) struct Methods(pub(super) Table);

impl UserData for ErrorObject {
    fn register(registry: &mut UserDataRegistry<Self>) {
        use mlua::UserDataFields;
        registry.add_meta_field(MetaMethod::Type, "store.Error");
        registry.add_meta_field_with(MetaMethod::Index, |lua| {
            let methods = lua.app_data_ref::<Methods>().map(|methods| methods.0.clone());
            Ok(methods.map_or(Value::Nil, Value::Table))
        });
        registry.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.to_string()));
        registry.add_meta_function(MetaMethod::Concat, |lua, (left, right): (Value, Value)| {
            let mut text = text_of(lua, &left)?;
            text.extend_from_slice(&text_of(lua, &right)?);
            lua.create_string(text)
        });
        registry.add_meta_function(MetaMethod::Eq, |_, (left, right): (Value, Value)| {
            Ok(match (from_value(&left), from_value(&right)) {
                (Some(left), Some(right)) => left.is(&right),
                _ => false,
            })
        });
    }
}

/// The text of an operand of `..`: strings and numbers as they are, anything else through `tostring`.
fn text_of(lua: &Lua, value: &Value) -> mlua::Result<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => {
            let text = lua.coerce_string(value.clone())?;
            Ok(text.map(|text| text.as_bytes().to_vec()).unwrap_or_default())
        }
        other => match from_value(other) {
            Some(error) => Ok(error.to_string().into_bytes()),
            None => Ok(other.to_string()?.into_bytes()),
        },
    }
}

/// The error object that a value is.
pub(crate) fn from_value(value: &Value) -> Option<ErrorObject> {
    let Value::UserData(userdata) = value else { return None };
    from_userdata(userdata)
}

fn from_userdata(userdata: &AnyUserData) -> Option<ErrorObject> {
    userdata.borrow::<ErrorObject>().ok().map(|error| error.clone())
}

/// Makes the methods. Must run before the first error object is made in this VM.
pub(super) fn prepare(lua: &Lua, mark: &ArrayMark) -> mlua::Result<()> {
    type Read = fn(&Lua, &ErrorObject, &ArrayMark) -> mlua::Result<Value>;
    let methods: [(&'static str, Read); 6] = [
        ("kind", |lua, error, _| error.kind().into_lua(lua)),
        ("message", |lua, error, _| error.message().into_lua(lua)),
        ("retryable", |lua, error, _| error.retryable().into_lua(lua)),
        ("details", |lua, error, mark| match error.details() {
            Some(details) => to_lua(lua, details, mark),
            None => Ok(Value::Nil),
        }),
        ("cause", |lua, error, _| match error.cause() {
            Some(cause) => cause.clone().give(lua),
            None => Ok(Value::Nil),
        }),
        ("stack", |lua, error, _| error.stack().into_lua(lua)),
    ];
    let mut functions = Vec::new();
    for (name, read) in methods {
        let mark = mark.clone();
        let function = lua.create_function(move |lua, this: Value| -> mlua::Result<Results> {
            let ended = match from_value(&this) {
                Some(error) => read(lua, &error, &mark).map_err(Stop::Vm),
                None => Err(Stop::Raise(format!(
                    "calling '{name}' on bad self (store.Error expected, got {})",
                    type_name(&this)
                ))),
            };
            shim::results(lua, ended)
        })?;
        functions.push((name, "self", function));
    }
    let table = shim::functions(lua, &functions, &Value::Nil, Hot::None)?;
    lua.set_app_data(Methods(table));
    Ok(())
}
