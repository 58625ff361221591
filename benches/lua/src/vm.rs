//! Our side: a VM with a store in memory.

use store_benches::Contender;
use store_lua::mlua::{self, Function, Lua};
use store_lua::store_core::{Actor, Context, block_on};
use store_lua::{Configuration, Options};

const PLAIN: &str = "[stores.'app:cache']\nbackend = 'memory'\n";

/// As services have them: a caller may do everything with keys of his own.
const POLICIES: &str = r#"
[[security.policies]]
id = "own-keys"
actions = ["store.key.*"]
resources = ["app:cache"]
keys = ["user:${actor.id}:*", "absent", "n"]
effect = "allow"
groups = ["users"]
[[security.policies]]
id = "acquire"
actions = ["store.get"]
resources = ["app:cache"]
effect = "allow"
groups = ["users"]
"#;

/// What both sides work on: a thousand strings of 100 bytes (all alike, and each another), a thousand small tables, all with a TTL.
pub(crate) const FILL: &str = "
for i = 0, 999 do
  set('user:alice:' .. i, string.rep('x', 100), 3600)
  set('user:alice:o' .. i, i .. string.rep('x', 100 - #tostring(i)), 3600)
  set_table('user:alice:t' .. i, {user_id = i, role = 'admin'}, 3600)
end
keys, tables, others, seen = {}, {}, {}, {}
for i = 0, 999 do keys[i] = 'user:alice:' .. i tables[i] = 'user:alice:t' .. i others[i] = 'user:alice:o' .. i end
text = string.rep('y', 100)
row = {user_id = 123, role = 'admin'}
";

/// A VM, with policies or without.
pub(crate) fn vm(policies: bool) -> Result<Lua, Box<dyn std::error::Error>> {
    let lua = Lua::new();
    let (toml, context) = if policies {
        let alice = Context::new(Some(Actor::new("alice")), Some(vec!["users".to_owned()]));
        (format!("{PLAIN}{POLICIES}"), alice)
    } else {
        (PLAIN.to_owned(), Context::none())
    };
    store_lua::open_with(&lua, Configuration::text(toml), None, Options::new().context(context))?;
    lua.globals().set("empty", lua.create_function(|_, ()| Ok(()))?)?;
    lua.load(format!(
        "cache = require('store').get('app:cache')
         local function set(...) assert(cache:set(...)) end
         local set_table = set
         {FILL}"
    ))
    .exec()?;
    Ok(lua)
}

/// A loop over a body, timed from outside.
pub(crate) fn contender(name: String, lua: &Lua, body: &str, calls: usize) -> mlua::Result<Contender<'static>> {
    let source = format!(
        "local cache, keys, tables, others, text, row, seen, empty, n = cache, keys, tables, others, text, row, seen, empty, ...
         for i = 1, n do local k, t = keys[i % 1000], tables[i % 1000] {body} end"
    );
    let function: Function = lua.load(source).into_function()?;
    Ok(Contender::timed(name, calls, move || {
        // A body that fails returns its error, which nobody looks at: so it is tried before, once.
        if let Err(error) = block_on(function.call_async::<()>(calls)) {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }))
}
