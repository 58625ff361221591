//! `errors.new`, `errors.is`, `errors.wrap`, `errors.call_stack`, and the constants.

use mlua::{Lua, Table, Value};
use store_core::Kind;

use super::ErrorObject;
use super::object::{Frame, Parts, Trace, canonical_kind};
use super::userdata::{from_value, prepare};
use crate::shim::{self, Hot, Results, Stop, bad_argument, type_name};
use crate::value::{ArrayMark, Fault, from_lua};

/// Frames of the call stack that an error keeps.
const MAX_FRAMES: usize = 32;

/// The read-only table `errors`.
pub(crate) fn create(lua: &Lua, mark: &ArrayMark) -> mlua::Result<Table> {
    prepare(lua, mark)?;
    let new_mark = mark.clone();
    let new = lua.create_function(move |lua, arguments: (Value, Value, Value)| -> mlua::Result<Results> {
        let made = new(lua, &arguments, &new_mark).and_then(|error| Ok(error.give(lua)?));
        shim::results(lua, made)
    })?;
    let wrap = lua.create_function(|lua, (error, context): (Value, Value)| -> mlua::Result<Results> {
        let wrapped = wrap(lua, &error, &context).and_then(|error| Ok(error.give(lua)?));
        shim::results(lua, wrapped)
    })?;
    let is = lua.create_function(|lua, (error, kind): (Value, Value)| -> mlua::Result<Results> {
        shim::results(lua, is(&error, &kind).map(Value::Boolean))
    })?;
    let call_stack = lua.create_function(|lua, error: Value| -> mlua::Result<Results> {
        let stack = match from_value(&error) {
            Some(error) => call_stack(lua, error.trace()).map_err(Stop::Vm),
            None => Ok(Value::Nil),
        };
        shim::results(lua, stack)
    })?;
    let functions = [
        ("new", "kind, message, options", new),
        ("wrap", "error, context", wrap),
        ("is", "error, kind", is),
        ("call_stack", "error", call_stack),
    ];
    let library = shim::functions(lua, &functions, &Value::Nil, Hot::None)?;
    for kind in Kind::ALL {
        library.raw_set(kind.name(), kind.as_str())?;
    }
    shim::read_only(lua, "errors", library)
}

fn new(lua: &Lua, (first, second, third): &(Value, Value, Value), mark: &ArrayMark) -> Result<ErrorObject, Stop> {
    let mut parts = match (first, second) {
        (Value::Table(table), Value::Nil) => {
            let mut parts = Parts { message: text("message", &table.raw_get("message")?)?, ..Parts::default() };
            match table.raw_get("kind")? {
                Value::Nil => {}
                kind => parts.kind = canonical_kind(&text("kind", &kind)?),
            }
            options(lua, table, &mut parts, mark, &["message", "kind", "retryable", "details", "cause"])?;
            parts
        }
        (Value::String(_) | Value::Integer(_) | Value::Number(_), Value::Nil) => {
            Parts { message: argument(1, "new", first)?, ..Parts::default() }
        }
        _ => {
            let (kind, message) = (argument(1, "new", first)?, argument(2, "new", second)?);
            Parts { kind: canonical_kind(&kind), message, ..Parts::default() }
        }
    };
    match third {
        Value::Nil => {}
        Value::Table(table) => options(lua, table, &mut parts, mark, &["retryable", "details", "cause"])?,
        other => return Err(bad_argument(3, "new", "table", other)),
    }
    parts.trace = trace(lua);
    Ok(ErrorObject::new(parts))
}

fn options(lua: &Lua, table: &Table, parts: &mut Parts, mark: &ArrayMark, known: &[&str]) -> Result<(), Stop> {
    for pair in table.pairs::<Value, Value>() {
        let (name, value) = pair?;
        let name = match &name {
            Value::String(name) => name.to_string_lossy(),
            other => type_name(other).to_owned(),
        };
        if !known.contains(&name.as_str()) {
            return Err(Stop::Raise(format!("unknown field '{name}' in 'errors.new'; known: {}", known.join(", "))));
        }
        match (name.as_str(), value) {
            ("retryable", Value::Boolean(retryable)) => parts.retryable = Some(retryable),
            ("details", value @ Value::Table(_)) => {
                let details = from_lua(lua, &value, mark).map_err(|fault| match fault {
                    Fault::Value(error) => Stop::Raise(format!("bad details in 'errors.new' ({})", error.message())),
                    Fault::Vm(error) => Stop::Vm(error),
                })?;
                parts.details = Some(details);
            }
            ("cause", value) => match from_value(&value) {
                Some(cause) => parts.cause = Some(cause),
                None => return Err(wrong_field("cause", "error", &value)),
            },
            ("retryable", other) => return Err(wrong_field("retryable", "boolean", &other)),
            ("details", other) => return Err(wrong_field("details", "table", &other)),
            _ => {}
        }
    }
    Ok(())
}

#[cold]
fn wrong_field(name: &str, expected: &str, got: &Value) -> Stop {
    Stop::Raise(format!("bad field '{name}' in 'errors.new' ({expected} expected, got {})", type_name(got)))
}

fn text(name: &str, value: &Value) -> Result<String, Stop> {
    match value {
        Value::String(text) => Ok(text.to_string_lossy()),
        other => Err(wrong_field(name, "string", other)),
    }
}

fn argument(position: usize, function: &str, value: &Value) -> Result<String, Stop> {
    match value {
        Value::String(text) => Ok(text.to_string_lossy()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(bad_argument(position, function, "string", other)),
    }
}

fn wrap(lua: &Lua, error: &Value, context: &Value) -> Result<ErrorObject, Stop> {
    let parent = match from_value(error) {
        Some(error) => error,
        None => match error {
            Value::String(message) => {
                ErrorObject::new(Parts { message: message.to_string_lossy(), ..Parts::default() })
            }
            other => return Err(bad_argument(1, "wrap", "error or string", other)),
        },
    };
    let context = match from_value(context) {
        Some(error) => error.message().to_owned(),
        None => argument(2, "wrap", context)?,
    };
    Ok(ErrorObject::wrap(parent, context, trace(lua)))
}

fn is(error: &Value, kind: &Value) -> Result<bool, Stop> {
    let Value::String(kind) = kind else { return Err(bad_argument(2, "is", "string", kind)) };
    let kind = canonical_kind(&kind.to_string_lossy());
    Ok(from_value(error).is_some_and(|error| error.kind() == kind))
}

/// The Lua functions that are running, innermost first, less those of this module.
fn trace(lua: &Lua) -> Trace {
    let mut frames = Vec::new();
    for level in 0.. {
        if frames.len() == MAX_FRAMES {
            break;
        }
        let frame = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let names = debug.names();
            let source_name = source.short_src.as_deref().unwrap_or("?");
            let internal = matches!(source_name, "[store]" | "__mlua_async_poll" | "[C]");
            (!internal).then(|| Frame {
                level: frames.len(),
                source: source_name.to_owned(),
                line: debug.current_line(),
                name: names.name.map(|name| name.into_owned()),
                what: source.what.to_owned(),
            })
        });
        match frame {
            None => break,
            Some(None) => {}
            Some(Some(frame)) => frames.push(frame),
        }
    }
    Trace { thread: format!("{:p}", lua.current_thread().to_pointer()), frames }
}

fn call_stack(lua: &Lua, trace: &Trace) -> mlua::Result<Value> {
    if trace.frames.is_empty() {
        return Ok(Value::Nil);
    }
    let frames = lua.create_table_with_capacity(trace.frames.len(), 0)?;
    for frame in &trace.frames {
        let entry = lua.create_table_with_capacity(0, 5)?;
        entry.raw_set("level", frame.level)?;
        entry.raw_set("source", frame.source.as_str())?;
        entry.raw_set("line", frame.line)?;
        entry.raw_set("name", frame.name.as_deref())?;
        entry.raw_set("type", frame.what.as_str())?;
        frames.raw_push(entry)?;
    }
    let stack = lua.create_table_with_capacity(0, 2)?;
    stack.raw_set("thread", trace.thread.as_str())?;
    stack.raw_set("frames", frames)?;
    Ok(Value::Table(stack))
}
