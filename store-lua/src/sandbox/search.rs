//! `seek`, with which `strings.lua` looks for patterns.

use mlua::{Error, Function, IntoLua, IntoLuaMulti, Lua, LuaString, MultiValue, Value};

use super::Clock;
use super::pattern::{Capture, Match, Matcher, Trouble};

/// `seek(text, pattern, from, how, avoid)`: the first match from there on, as `first, last, captures...`, counted from 1 as Lua does; nil if
/// there is none, and `false, message` if the pattern is none or the time is up. `how` is `"plain"`, `"there"` (only at that place), or `"on"`; a
/// match that ends at `avoid` is none.
pub(super) fn seek(lua: &Lua, clock: &Clock) -> mlua::Result<Function> {
    let clock = clock.clone();
    lua.create_function(
        move |lua, (text, pattern, from, how, avoid): (LuaString, LuaString, usize, LuaString, Option<usize>)| {
            let (text, pattern, from) = (text.as_bytes(), pattern.as_bytes(), from.saturating_sub(1));
            let is_up = || clock.is_up();
            let found = match &*how.as_bytes() {
                b"plain" => Matcher::new(&text, &pattern, is_up)
                    .seek_plain(from)
                    .map(|start| start.map(|start| Match { start, end: start + pattern.len(), captures: Vec::new() })),
                b"there" => {
                    Matcher::new(&text, pattern.strip_prefix(b"^").unwrap_or(&pattern), is_up).seek(from, true, avoid)
                }
                _ => Matcher::new(&text, &pattern, is_up).seek(from, false, avoid),
            };
            match found {
                Ok(Some(found)) => results(lua, &found),
                Ok(None) => Value::Nil.into_lua_multi(lua),
                Err(Trouble::TimeIsUp) => Err(Error::runtime(super::TIME_IS_UP)),
                Err(Trouble::Malformed(message)) => (false, message).into_lua_multi(lua),
            }
        },
    )
}

fn results(lua: &Lua, found: &Match<'_>) -> mlua::Result<MultiValue> {
    let mut values = MultiValue::with_capacity(2 + found.captures.len());
    values.push_back((found.start + 1).into_lua(lua)?);
    values.push_back(found.end.into_lua(lua)?);
    for capture in &found.captures {
        values.push_back(match capture {
            Capture::Text(text) => Value::String(lua.create_string(text)?),
            Capture::Position(position) => position.into_lua(lua)?,
        });
    }
    Ok(values)
}
