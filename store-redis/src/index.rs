//! The ordered index, where it is asked for: one sorted set per store, whose members are the keys, all with score 0 and hence
//! in byte order.
//!
//! It lies under the Redis key `PREFIX/ID/`, which is no entry's, since no key is empty. It is changed in the same script as
//! the entry, so that no other client sees one without the other. Entries that expire leave their member behind: listings
//! drop what they meet of these, and each write looks at two at random.

use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use crate::scripts::{self, Script};

/// What a store with an index remembers of it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Whether the server has been asked what it evicts.
    pub(crate) checked: AtomicBool,
}

/// A script, and those of the same meaning that keep the index, and that work on the raw form.
#[derive(Clone, Copy)]
pub(crate) struct Kinds {
    pub(crate) plain: &'static LazyLock<Script>,
    pub(crate) indexed: &'static LazyLock<Script>,
    pub(crate) raw: &'static LazyLock<Script>,
}

/// KEYS: the entry, the index. The member is there before the entry is written: what refuses the one refuses both.
/// A member without an entry is harmless, an entry without a member would be lost to listings.
fn keeping(creates: bool, work: &str) -> Script {
    let before = if creates { "redis.call('ZADD', index, 0, member)" } else { "redis.call('ZCARD', index)" };
    Script::new(format!(
        "local index = KEYS[2]\n\
         local member = string.sub(KEYS[1], #index + 1)\n\
         local function work()\n{work}end\n\
         {before}\n\
         local answer = work()\n\
         if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', index, member) end\n\
         for _, other in ipairs(redis.call('ZRANDMEMBER', index, 2)) do\n\
         if redis.call('EXISTS', index .. other) == 0 then redis.call('ZREM', index, other) end\n\
         end\n\
         return answer\n"
    ))
}

/// ARGV: a command that may write the entry. Reply: the command's.
pub(crate) static WRITE: LazyLock<Script> = LazyLock::new(|| keeping(true, "return redis.call(unpack(ARGV))\n"));
/// ARGV: a command that deletes the entry. Reply: the command's.
pub(crate) static DELETE: LazyLock<Script> = LazyLock::new(|| keeping(false, "return redis.call(unpack(ARGV))\n"));

static INDEXED_PUT: LazyLock<Script> = LazyLock::new(|| keeping(true, &scripts::PUT.code));
static INDEXED_INCREMENT: LazyLock<Script> = LazyLock::new(|| keeping(true, &scripts::INCREMENT.code));
static INDEXED_DELETE_IF: LazyLock<Script> = LazyLock::new(|| keeping(false, &scripts::DELETE_IF.code));
static INDEXED_TAKE: LazyLock<Script> = LazyLock::new(|| keeping(false, &scripts::TAKE.code));

pub(crate) const PUT: Kinds = Kinds { plain: &scripts::PUT, indexed: &INDEXED_PUT, raw: &scripts::RAW_PUT };
pub(crate) const INCREMENT: Kinds =
    Kinds { plain: &scripts::INCREMENT, indexed: &INDEXED_INCREMENT, raw: &scripts::RAW_INCREMENT };
pub(crate) const DELETE_IF: Kinds =
    Kinds { plain: &scripts::DELETE_IF, indexed: &INDEXED_DELETE_IF, raw: &scripts::RAW_DELETE_IF };
pub(crate) const TAKE: Kinds = Kinds { plain: &scripts::TAKE, indexed: &INDEXED_TAKE, raw: &scripts::RAW_TAKE };
/// A touch changes no membership.
pub(crate) const TOUCH_IF: Kinds =
    Kinds { plain: &scripts::TOUCH_IF, indexed: &scripts::TOUCH_IF, raw: &scripts::RAW_TOUCH_IF };

/// KEYS: the index, entries. Reply: how many entries were deleted.
pub(crate) static CLEAR: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local index, count = KEYS[1], 0\n\
         redis.call('ZCARD', index)\n\
         for at = 2, #KEYS do\n\
         count = count + redis.call('UNLINK', KEYS[at])\n\
         redis.call('ZREM', index, string.sub(KEYS[at], #index + 1))\n\
         end\n\
         return count\n"
            .to_owned(),
    )
});

/// KEYS: the index. ARGV: least, greatest, how many members to take, how many live ones will do.
/// Reply: how many were examined, the last of them or '', then the live ones.
///
/// Members without an entry are dropped, if the server takes writes; nobody can write the entry meanwhile.
pub(crate) static PAGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local index = KEYS[1]\n\
         local live = {0, ''}\n\
         for at, member in ipairs(redis.call('ZRANGEBYLEX', index, ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do\n\
         live[1], live[2] = at, member\n\
         if redis.call('EXISTS', index .. member) == 0 then redis.pcall('ZREM', index, member)\n\
         else live[#live + 1] = member end\n\
         if #live - 2 >= tonumber(ARGV[4]) then break end\n\
         end\n\
         return live\n"
            .to_owned(),
    )
});
