//! What compiled code and Rust have to agree on, besides the [desk](super::desk).

/// Values up to this many bytes are answered, larger ones left alone. So are tables whose strings need more.
pub(super) const ROOM: usize = 16 << 10;

/// Tables of more fields than this are left alone.
pub(super) const MOST_FIELDS: usize = 16;

/// What functions answer that is not a number of bytes. `front.lua` knows these.
pub(super) const NIL: i32 = -1;
pub(super) const SLOW: i32 = -2;
pub(super) const TRUE: i32 = -3;
pub(super) const FALSE: i32 = -4;
pub(super) const NUMBER: i32 = -5;
pub(super) const ENCODED: i32 = -6;
/// From here on downwards: a table of a known shape.
pub(super) const SHAPES: i32 = -16;
