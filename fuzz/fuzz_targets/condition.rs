#![no_main]

#[path = "../bodies/condition.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::condition(bytes));
