-- Keys and ids, as Lua sees them.
local MAX_KEY_LEN = 1024

-- Keys that some store somewhere confuses, in byte order.
local function odd_keys()
  local unique, keys = {}, {}
  local function add(key)
    if not unique[key] then
      unique[key] = true
      keys[#keys + 1] = key
    end
  end
  for _, key in ipairs({
    "a", "A", "a ", " a", "a\n", "a\r\n", "a\t", "*", "?", "a*", "a?", "[a]", "[^a]", "{a}", "\\", "\\*", "a\\",
    "a/b", "a//b", "/a", "a/", "../a", "..", ".", "a:b", "a::b", ":a", "a:", ":", "a.b", "1", "01", "1.0", "-1", "0",
    "nil", "null", "true", "é", "e\204\129", "ß", "SS", "İ", "i", "\239\187\191a", "\226\128\139", "💾", "%00", "%2a", "%",
    "$", "${actor.id}", "'", '"', "`", ";", "--", "#", "@", "+", "a b", "KEYS", "\127", "\0", "\0\0", "a\0", "a\0b",
    "\0a", "\255", "\255\255", "a\255", "\195\040", "\237\160\128",
  }) do
    add(key)
  end
  for byte = 0, 255 do
    add(string.char(byte, byte))
  end
  add(("x"):rep(1023))
  for _, byte in ipairs({ "x", "\255", "\0" }) do
    add(byte:rep(MAX_KEY_LEN))
  end
  -- Not by `<`, which is up to the locale.
  table.sort(keys, function(a, b)
    for at = 1, math.min(#a, #b) do
      local x, y = a:byte(at), b:byte(at)
      if x ~= y then
        return x < y
      end
    end
    return #a < #b
  end)
  return keys
end

local function keys_of(cache, prefix)
  local keys = {}
  for key in assert(cache:each({ prefix = prefix, keys_only = true, limit = 1000 })) do
    keys[#keys + 1] = key
  end
  return keys
end

function cases.k1_any_bytes_are_a_key(cache)
  local keys = odd_keys()
  local absent, deleted, again, expected = { n = #keys }, { n = #keys }, { n = #keys }, { n = #keys }
  equal(cache:get_many(keys), absent)
  for index, key in ipairs(keys) do
    assert(cache:set(key, index))
    deleted[index], again[index], expected[index] = true, false, index
  end
  equal(cache:get_many(keys), expected)
  for index = 1, #keys, 7 do
    equal(cache:get(keys[index]), index, keys[index])
    equal(cache:has(keys[index]), true, keys[index])
  end
  equal(cache:delete_many(keys), deleted)
  equal(cache:delete_many(keys), again)
  -- An integer stands for its decimal text, and for nothing else.
  assert(cache:set(7, "seven"))
  equal(cache:get("7"), "seven")
  equal(cache:has("7.0"), false)
  equal(cache:has("07"), false)
  for _, key in ipairs({ 1.5, true, {}, print }) do
    raises("", cache.get, cache, key)
    raises("", cache.set, cache, key, 1)
  end
  raises("", cache.get, cache, nil)
end

function cases.k1_keys_come_back_as_they_went_in(cache)
  local keys = odd_keys()
  for index, key in ipairs(keys) do
    equal(assert(cache:put(key, "v")).key, key)
    if index % 7 == 0 then
      equal(assert(cache:entry(key)).key, key)
    end
  end
  equal(keys_of(cache, ""), keys, "a listing gives the bytes, in order")
end

function cases.k1_keys_that_extend_each_other_are_apart(cache)
  local keys = { "a", "a\0", "a\0\0", "aa", "a\255" }
  for index, key in ipairs(keys) do
    assert(cache:set(key, index))
  end
  equal(cache:delete("a"), true)
  equal(cache:get("a"), nil)
  for index = 2, #keys do
    equal(cache:get(keys[index]), index, keys[index])
  end
end

function cases.k1_prefixes_are_plain_bytes(cache)
  for _, key in ipairs({ "a*b", "aXb", "a?b", "[a]b", "a\0b", "a\\*b", "\255\255b", "a\255b", "\0b" }) do
    assert(cache:set(key, "v"))
  end
  for prefix, expected in pairs({
    ["a*"] = { "a*b" },
    ["a?"] = { "a?b" },
    ["[a]"] = { "[a]b" },
    ["["] = { "[a]b" },
    ["*"] = {},
    ["a\0"] = { "a\0b" },
    ["\0"] = { "\0b" },
    ["a\\"] = { "a\\*b" },
    ["\255"] = { "\255\255b" },
    ["a\255"] = { "a\255b" },
    ["\255\255\255"] = {},
    ["a*b"] = { "a*b" },
    ["a*bc"] = {},
  }) do
    equal(keys_of(cache, prefix), expected, prefix)
  end
  equal(cache:clear({ prefix = "a*" }), 1)
  equal(cache:has("aXb"), true, "a star clears only itself")
  equal(cache:has("a*b"), false)
  equal(cache:clear({ prefix = "\255" }), 1)
  equal(cache:has("a\255b"), true)
end

function cases.k1_prefixes_longer_than_any_key_match_nothing(cache)
  local key = ("x"):rep(MAX_KEY_LEN)
  assert(cache:set(key, "v"))
  equal(keys_of(cache, key .. "x"), {})
  equal(assert(cache:list({ prefix = key .. "x" })).has_more, false)
  equal(cache:clear({ prefix = key .. "x" }), 0)
  equal(keys_of(cache, key), { key })
end

function cases.k1_empty_and_too_long_keys_are_invalid(cache)
  local version = assert(cache:put("v", 1)).version
  cache:delete("v")
  for _, key in ipairs({ "", ("k"):rep(MAX_KEY_LEN + 1) }) do
    fails("INVALID", "key", cache:get(key))
    fails("INVALID", "key", cache:set(key, "v"))
    fails("INVALID", "key", cache:has(key))
    fails("INVALID", "key", cache:delete(key))
    fails("INVALID", "key", cache:delete(key, { if_version = version }))
    fails("INVALID", "key", cache:entry(key))
    fails("INVALID", "key", cache:put(key, "v"))
    fails("INVALID", "key", cache:ttl(key))
    fails("INVALID", "key", cache:touch(key, 0))
    fails("INVALID", "key", cache:touch(key, 0, { if_version = version }))
    fails("INVALID", "key", cache:get_and_touch(key, 0))
    fails("INVALID", "key", cache:take(key))
    fails("INVALID", "key", cache:increment(key))
    fails("INVALID", "key", cache:get_many({ "ok", key }))
    fails("INVALID", "key", cache:set_many({ { key = "ok", value = 1 }, { key = key, value = 1 } }))
    fails("INVALID", "key", cache:delete_many({ "ok", key }))
    local loaded = false
    fails("INVALID", "key", cache:get_or_set(key, function()
      loaded = true
      return 1
    end))
    equal(loaded, false, "refused before anything is loaded")
  end
  equal(cache:clear(), 0, "nothing may have been written")
end

function cases.k1_the_longest_key_works_everywhere(cache)
  local key = ("\254"):rep(MAX_KEY_LEN)
  assert(cache:set(key, 1))
  equal(cache:get(key), 1)
  equal(cache:touch(key, 0), true)
  equal(cache:ttl(key), math.huge)
  equal(cache:get_many({ key }), { 1, n = 1 })
  equal(cache:increment(key), 2)
  equal(cache:take(key), 2)
  equal(cache:has(key), false)
end

function cases.k2_stores_do_not_see_each_other(a)
  local b = open("app:other")
  assert(a:set("k", "a"))
  equal(b:get("k"), nil)
  equal(b:has("k"), false)
  equal(b:entry("k"), nil)
  equal(b:ttl("k"), nil)
  equal(b:delete("k"), false)
  equal(b:touch("k", 0), false)
  equal(b:take("k"), nil)
  equal(b:get_many({ "k" }), { n = 1 })
  equal(b:delete_many({ "k" }), { false, n = 1 })
  equal(keys_of(b, ""), {})
  assert(b:set("k", "b"))
  equal(a:get("k"), "a")
  equal(b:increment("n", 5), 5)
  equal(a:increment("n", 1), 1)
end

function cases.k2_clear_leaves_other_stores_alone(a)
  local b = open("app:other")
  for index = 0, 19 do
    assert(a:set("k" .. index, index))
    assert(b:set("k" .. index, index))
  end
  equal(a:clear(), 20)
  equal(keys_of(a, ""), {})
  equal(#keys_of(b, ""), 20)
  assert(a:set("k", 1))
  equal(b:clear({ prefix = "k" }), 20)
  equal(a:get("k"), 1)
end
