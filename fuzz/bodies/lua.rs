//! What must hold of the Lua module whatever a script calls.

use std::time::Duration;

use store_core::codec::Raw;
use store_core::{Expiry, block_on};
use store_lua::mlua::LuaString;
use store_lua::{Configuration, Sandbox, enter_time_limit};

const CONFIGURATION: &str = "[stores.'app:cache']\nbackend = 'memory'\n[stores.'app:other']\nbackend = 'memory'\n\
    [stores.'app:small']\nbackend = 'memory'\nmax_value_size = '1KiB'\nmax_depth = 4\n";

/// Makes the calls that the bytes spell, `lua.lua` says how, in a sandbox.
///
/// # Panics
/// If something else than a script's own mistake goes wrong, or a handle is not given back.
pub(crate) fn lua(bytes: &[u8]) {
    let lua = Sandbox::new().memory(64 << 20).lua().expect("memory for a VM");
    let registry = store_lua::open(&lua, Configuration::text(CONFIGURATION), None).expect("a configuration");
    let handle = block_on(registry.get("app:cache")).expect("a store");
    let put_raw = lua
        .create_function(move |_, (key, bytes): (LuaString, LuaString)| {
            Ok(block_on(handle.set(&*key.as_bytes(), &Raw(&bytes.as_bytes()), Expiry::Never)).is_ok())
        })
        .expect("memory for a function");
    let input = lua.create_string(bytes).expect("memory for the input");
    let script = lua.load(include_str!("lua.lua")).set_name("@lua.lua");
    let ended = enter_time_limit(&lua, Duration::from_millis(200), || script.call::<()>((input, put_raw)));
    if let Err(error) = ended {
        let text = error.to_string();
        // A program of the input's own may run in circles, or use up what there is.
        let is_its_own = ["the time limit has passed", "not enough memory"].iter().any(|own| text.contains(own));
        assert!(is_its_own, "{text}");
    }
    drop(lua);
    // The one that `put_raw` has goes with the VM, too.
    assert_eq!(registry.handles_out(None), 0, "handles that were not given back");
}
