#![no_main]

#[path = "../bodies/dump.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::dump(bytes));
