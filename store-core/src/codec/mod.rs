//! The one value codec, for Lua and Rust alike: MessagePack.
