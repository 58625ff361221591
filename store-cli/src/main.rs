//! The `store` command.
fn main() {}
