-- E2: errors are returned; only a wrong receiver, or an id or key that is not a string, raises.
local store = require("store")
local cache = open()

-- A key that is not a string raises where the caller is.
local message = raises("bad argument #1 to 'get' (string expected, got table)", cache.get, cache, {})
local ok
ok, message = pcall(function()
  cache:get({})
end)
assert(not ok and message:find("e2_arguments.lua:9: bad argument #1 to 'get' (string expected, got table)", 1, true), message)
for name, arguments in pairs({
  get = {}, set = { 1 }, has = {}, delete = {}, entry = {}, put = { 1 }, touch = { 1 }, ttl = {}, take = {},
  get_and_touch = { 1 }, increment = {}, get_or_set = { function() end },
}) do
  for _, key in ipairs({ {}, true, 1.5, print }) do
    raises("bad argument #1 to '" .. name .. "' (string expected, got ", function()
      return cache[name](cache, key, arguments[1])
    end)
  end
  raises("bad argument #1 to '" .. name .. "' (string expected, got nil)", function()
    return cache[name](cache)
  end)
end
raises("bad argument #1 to 'get' (string expected, got table)", store.get, {})
raises("bad argument #1 to 'get' (string expected, got nil)", store.get)
raises("(string expected as key of item 2, got table)", function()
  return cache:get_many({ "a", {} })
end)

-- A wrong receiver raises.
raises("calling 'get' on bad self (store.Store expected, got string)", cache.get, "user:1")
raises("calling 'set' on bad self (store.Store expected, got table)", cache.set, {}, "k", 1)
raises("calling 'release' on bad self (store.Store expected, got nil)", cache.release)
raises("calling 'get' on bad self (store.Store expected, got userdata)", cache.get, errors.new("x"))

-- An integer is its decimal text.
assert(cache:set(42, "answer"))
equal(cache:get("42"), "answer")
equal(cache:get(42), "answer")
assert(cache:set(-7, "m"))
equal(cache:get("-7"), "m")

-- Every other bad argument is returned.
assert(cache:set("k", "old"))
for _, ttl in ipairs({ -1, -0.001, 0 / 0, -math.huge, "10", {}, true, print }) do
  fails("INVALID", "ttl", cache:set("k", "new", ttl))
  fails("INVALID", "ttl", cache:put("k", "new", { ttl = ttl }))
  fails("INVALID", "ttl", cache:touch("k", ttl))
  fails("INVALID", "ttl", cache:get_and_touch("k", ttl))
  fails("INVALID", "ttl", cache:increment("n", 1, { ttl = ttl }))
  fails("INVALID", "ttl", cache:set_many({ { key = "k", value = "new", ttl = ttl } }))
  fails("INVALID", "ttl", cache:set_many({ { key = "k", value = "new" } }, ttl))
end
equal(cache:get("k"), "old")

fails("INVALID", "unknown option 'tttl'; there is ttl", cache:put("k", "new", { tttl = 1 }))
fails("INVALID", "unknown option 'if_versoin'", cache:delete("k", { if_versoin = "x" }))
fails("INVALID", "unknown option 'ttl'", cache:touch("k", 1, { ttl = 1 }))
fails("INVALID", "unknown option 'start'", cache:increment("n", 1, { start = 1 }))
fails("INVALID", "unknown option 'prefx'", cache:list({ prefx = "a" }))
fails("INVALID", "unknown option 'prefx'", cache:each({ prefx = "a" }))
fails("INVALID", "unknown option 'limit'", cache:clear({ limit = 1 }))
fails("INVALID", "unknown option 'vlaue'", cache:set_many({ { key = "k", vlaue = 1 } }))
fails("INVALID", "unknown option [1]", cache:list({ "prefix" }))
fails("INVALID", "options must be a table", cache:put("k", "new", 5))
fails("INVALID", "options must be a table", cache:list("prefix"))
fails("INVALID", "options must be a table", cache:clear("prefix"))
fails("INVALID", "keep_ttl must be a boolean", cache:put("k", "new", { keep_ttl = 1 }))
fails("INVALID", "if_version must be a version", cache:put("k", "new", { if_version = 1 }))
fails("INVALID", "prefix must be a string", cache:list({ prefix = 1 }))
fails("INVALID", "delta must be an integer", cache:increment("n", "1"))
fails("INVALID", "initial must be an integer", cache:increment("n", 1, { initial = "1" }))
fails("INVALID", "loader must be a function", cache:get_or_set("k2", "not a function"))
fails("INVALID", "keys must be a table", cache:get_many("a"))
fails("INVALID", "an item must be a table", cache:set_many({ "a" }))
for _, limit in ipairs({ 0, -1, 1001, 1.5, "10", {}, math.huge }) do
  fails("INVALID", "limit", cache:list({ limit = limit }))
end
equal(cache:get("k"), "old")
assert(not cache:has("n"))

-- An error says where it happened.
local err = fails("INVALID", "set on app:cache: ", cache:set("k", "new", -1))
equal(err:details().operation, "set")
equal(err:details().store, "app:cache")

-- Order: released, then arguments.
cache:release()
fails("INVALID", "store is released", cache:set("k", "v", -1))
fails("INVALID", "store is released", cache:list({ limit = 0 }))
