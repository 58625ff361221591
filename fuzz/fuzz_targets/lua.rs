#![no_main]

#[path = "../bodies/lua.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::lua(bytes));
