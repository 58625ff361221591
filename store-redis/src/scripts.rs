//! What needs a script on the server: writes under a condition, and counting.
//!
//! Scripts are sent by their hash (`EVALSHA`) and in full (`EVAL`) when a server does not know them: `SCRIPT LOAD` would be
//! one more permission, and scripts are not replicated, so a new primary does not know them either.
//!
//! No script works on its 64-bit numbers in Lua, whose numbers are doubles, beyond 15 digits; none reads the clock, and all
//! deadlines are relative (`PX`).

use std::sync::LazyLock;

/// A script and the hash that servers know it by.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) code: Box<str>,
    pub(crate) hash: String,
}

impl Script {
    pub(crate) fn new(code: impl Into<Box<str>>) -> Script {
        let code = code.into();
        Script { hash: redis::Script::new(&code).get_hash().to_owned(), code }
    }
}

/// Replies of the scripts below that are not results.
pub(crate) const ABSENT: i64 = -1;
pub(crate) const CONFLICT: i64 = -2;
pub(crate) const FOREIGN: i64 = -3;
pub(crate) const NOT_TEXT: i64 = -4;
pub(crate) const OVERFLOW: i64 = -5;

macro_rules! script {
    ($($line:literal)*) => {
        LazyLock::new(|| Script::new(concat!("local key = KEYS[1]\n", $($line, "\n"),*)))
    };
}

/// ARGV: condition (`always`, `present`, `version`), expected version, stored form, PX or '', keep TTL ('1' or '').
/// Reply: PTTL after the write, or ABSENT, CONFLICT, FOREIGN (as {code}).
///
/// A version that is already the one to be written means that this very call was executed before: it says so again.
pub(crate) static PUT: LazyLock<Script> = script! {
    "local held = redis.call('GETRANGE', key, 0, 9)"
    "local condition, expected, new, px, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]"
    "if condition ~= 'always' and held == '' and redis.call('EXISTS', key) == 0 then return {-1} end"
    "if condition == 'version' then"
    "  if string.sub(held, 1, 1) ~= '\\165' or #held < 10 then return {-3} end"
    "  local version = string.sub(held, 3, 10)"
    "  if version == string.sub(new, 3, 10) then return redis.call('PTTL', key) end"
    "  if version ~= expected then return {-2} end"
    "end"
    "if keep == '1' and redis.call('EXISTS', key) == 1 then redis.call('SET', key, new, 'KEEPTTL')"
    "elseif px == '' then redis.call('SET', key, new)"
    "else redis.call('SET', key, new, 'PX', px) end"
    "return redis.call('PTTL', key)"
};

/// ARGV: expected version. Reply: 1, ABSENT, CONFLICT or FOREIGN.
pub(crate) static DELETE_IF: LazyLock<Script> = script! {
    "local held = redis.call('GETRANGE', key, 0, 9)"
    "if held == '' and redis.call('EXISTS', key) == 0 then return -1 end"
    "if string.sub(held, 1, 1) ~= '\\165' or #held < 10 then return -3 end"
    "if string.sub(held, 3, 10) ~= ARGV[1] then return -2 end"
    "redis.call('DEL', key)"
    "return 1"
};

/// ARGV: expected version, PX or ''. Reply: 1, ABSENT, CONFLICT or FOREIGN.
pub(crate) static TOUCH_IF: LazyLock<Script> = script! {
    "local held = redis.call('GETRANGE', key, 0, 9)"
    "if held == '' and redis.call('EXISTS', key) == 0 then return -1 end"
    "if string.sub(held, 1, 1) ~= '\\165' or #held < 10 then return -3 end"
    "if string.sub(held, 3, 10) ~= ARGV[1] then return -2 end"
    "if ARGV[2] == '' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[2]) end"
    "return 1"
};

/// [`PUT`] in the raw form, where a version is the digest of the value.
pub(crate) static RAW_PUT: LazyLock<Script> = script! {
    "local condition, expected, new, px, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]"
    "local there = redis.call('EXISTS', key) == 1"
    "if condition ~= 'always' and not there then return {-1} end"
    "if condition == 'version' and redis.sha1hex(redis.call('GET', key)) ~= expected then return {-2} end"
    "if keep == '1' and there then redis.call('SET', key, new, 'KEEPTTL')"
    "elseif px == '' then redis.call('SET', key, new)"
    "else redis.call('SET', key, new, 'PX', px) end"
    "return redis.call('PTTL', key)"
};

/// [`DELETE_IF`] in the raw form.
pub(crate) static RAW_DELETE_IF: LazyLock<Script> = script! {
    "local held = redis.call('GET', key)"
    "if not held then return -1 end"
    "if redis.sha1hex(held) ~= ARGV[1] then return -2 end"
    "redis.call('DEL', key)"
    "return 1"
};

/// [`TOUCH_IF`] in the raw form.
pub(crate) static RAW_TOUCH_IF: LazyLock<Script> = script! {
    "local held = redis.call('GET', key)"
    "if not held then return -1 end"
    "if redis.sha1hex(held) ~= ARGV[1] then return -2 end"
    "if ARGV[2] == '' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[2]) end"
    "return 1"
};

/// [`TAKE`] in the raw form, where nothing is foreign but what is no string.
pub(crate) static RAW_TAKE: LazyLock<Script> = script! {
    "local held = redis.call('GET', key)"
    "if held then redis.call('DEL', key) end"
    "return held"
};

/// [`INCREMENT`] in the raw form. The header is not used: what is written is the bare number.
pub(crate) static RAW_INCREMENT: LazyLock<Script> = script! {
    "local delta, first, px = ARGV[1], ARGV[3], ARGV[4]"
    "if redis.call('EXISTS', key) == 0 then"
    "  if first == '' then return -5 end"
    "  if px == '' then redis.call('SET', key, first) else redis.call('SET', key, first, 'PX', px) end"
    "  return first"
    "end"
    "local done = redis.pcall('INCRBY', key, delta)"
    "if type(done) == 'table' and done.err then"
    "  if string.find(done.err, 'WRONGTYPE', 1, true) then return -3 end"
    "  if string.find(done.err, 'overflow', 1, true) then return -5 end"
    "  return -4"
    "end"
    "return redis.call('GET', key)"
};

/// No ARGV. Reply: the stored form, which is gone then; nil; or what is not ours, which stays.
pub(crate) static TAKE: LazyLock<Script> = script! {
    "local held = redis.call('GET', key)"
    "if held and string.sub(held, 1, 1) == '\\165' and #held >= 10 then redis.call('DEL', key) end"
    "return held"
};

/// ARGV: delta, header of the new version, first value or '', PX or ''.
/// Reply: the sum in decimal; or FOREIGN, NOT_TEXT (another value than an integer in text form), OVERFLOW.
///
/// Beyond 15 digits the work is done by `INCRBY` on the bare number, which is exact; the TTL stays throughout.
pub(crate) static INCREMENT: LazyLock<Script> = script! {
    "local held = redis.call('GET', key)"
    "local delta, header, first, px = ARGV[1], ARGV[2], ARGV[3], ARGV[4]"
    "if not held then"
    "  if first == '' then return -5 end"
    "  if px == '' then redis.call('SET', key, header .. first)"
    "  else redis.call('SET', key, header .. first, 'PX', px) end"
    "  return first"
    "end"
    "if string.sub(held, 1, 1) ~= '\\165' or #held < 10 then return -3 end"
    "local format = string.byte(held, 2)"
    "if format == 1 then return -4 elseif format ~= 2 then return -3 end"
    "local text = string.sub(held, 11)"
    "if #text <= 15 and #delta <= 15 then"
    "  local a, b = tonumber(text), tonumber(delta)"
    "  if not a or not b then return -3 end"
    "  local sum = string.format('%.0f', a + b)"
    "  if sum == '-0' then sum = '0' end"
    "  redis.call('SET', key, header .. sum, 'KEEPTTL')"
    "  return sum"
    "end"
    "redis.call('SET', key, text, 'KEEPTTL')"
    "local done = redis.pcall('INCRBY', key, delta)"
    "if type(done) == 'table' and done.err then"
    "  redis.call('SET', key, held, 'KEEPTTL')"
    "  return -5"
    "end"
    "local sum = redis.call('GET', key)"
    "redis.call('SET', key, header .. sum, 'KEEPTTL')"
    "return sum"
};
