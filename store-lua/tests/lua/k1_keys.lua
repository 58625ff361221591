-- K1: keys are bytes.
local cache = open()
local keys = { "a", "A", " a", "a ", "a:b", "a/b", "\0", "\0\0", "a\0b", "\255\254", "*", "?", "[a]", "{tag}", "é", "e\204\129", string.rep("k", 1024) }
for index, key in ipairs(keys) do
  assert(cache:set(key, index))
end
for index, key in ipairs(keys) do
  equal(cache:get(key), index, key)
  equal(cache:entry(key).key, key)
end
local seen = {}
for key in cache:each() do
  seen[#seen + 1] = key
end
equal(#seen, #keys)
fails("INVALID", "the key is empty", cache:get(""))
local err = fails("INVALID", "1025 bytes", cache:set(string.rep("k", 1025), 1))
equal(err:details().limit, 1024)
-- Wild cards are ordinary bytes, also in prefixes.
equal(#cache:list({ prefix = "*" }).items, 1)
equal(#cache:list({ prefix = "\0" }).items, 2)
equal(#cache:list({ prefix = "\255" }).items, 1)
