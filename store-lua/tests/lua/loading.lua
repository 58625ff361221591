-- get_or_set
local cache, small = open(), open("app:small")
local calls = 0
local function load()
  calls = calls + 1
  return { n = calls }
end
equal(cache:get_or_set("k", load), { n = 1 })
equal(cache:get_or_set("k", load), { n = 1 })
equal(calls, 1)
equal(cache:get("k"), { n = 1 })
equal(cache:ttl("k"), math.huge)

-- TTL of the call, of the loader, of the store.
equal(cache:get_or_set("call", load, 100).n, 2)
assert(cache:ttl("call") <= 100)
equal(cache:get_or_set("options", load, { ttl = 200 }).n, 3)
assert(cache:ttl("options") <= 200 and cache:ttl("options") > 100)
equal(cache:get_or_set("loader", function() return "v", 300 end, 100), "v")
assert(cache:ttl("loader") > 200)
equal(small:get_or_set("store", function() return "v" end), "v")
assert(small:ttl("store") <= 0.1)

-- false is a value; nil is none and is not stored.
equal(cache:get_or_set("false", function() return false end), false)
equal(cache:get_or_set("false", function() error("not called") end), false)
local value, err = cache:get_or_set("nil", function() return nil end)
assert(value == nil and err == nil)
equal(cache:has("nil"), false)
value, err = cache:get_or_set("nil", function() end)
assert(value == nil and err == nil)

-- negative_ttl remembers that there is nothing.
calls = 0
local function nothing()
  calls = calls + 1
end
for _ = 1, 3 do
  equal(cache:get_or_set("negative", nothing, { negative_ttl = 100 }), nil)
end
equal(calls, 1)
equal(cache:get_or_set("short negative", nothing, { negative_ttl = 0.02 }), nil)
sleep(0.05)
equal(cache:get_or_set("short negative", nothing, { negative_ttl = 0.02 }), nil)
equal(calls, 3)

-- Failure: our error object unchanged, anything else INTERNAL; nothing cached, the key free.
local conflict = errors.new("CONFLICT", "mine", { details = { a = { 1, 2 } } })
value, err = cache:get_or_set("fail", function() return nil, conflict end)
assert(value == nil and err == conflict)
equal(err:details(), { a = { 1, 2 } })
value, err = cache:get_or_set("fail", function() error(conflict) end)
assert(value == nil and err == conflict)
fails("INTERNAL", "the loader failed: plain", cache:get_or_set("fail", function() return nil, "plain" end))
fails("INTERNAL", "the loader raised: ", cache:get_or_set("fail", function() error("boom") end))
fails("INTERNAL", "boom", cache:get_or_set("fail", function() error("boom") end))
fails("INTERNAL", "the loader raised a table", cache:get_or_set("fail", function() error({}) end))
fails("INVALID", "value: function", cache:get_or_set("fail", function() return print end))
fails("INVALID", "ttl", cache:get_or_set("fail", function() return 1, -1 end))
fails("INVALID", "ttl", cache:get_or_set("fail", function() return 1, "soon" end))
equal(cache:has("fail"), false)
equal(cache:get_or_set("fail", function() return "fine" end), "fine")

-- stale_on_error brings the last value of this process when the loader fails.
equal(cache:get_or_set("stale", function() return "old" end, { ttl = 0.03, stale_on_error = 100 }), "old")
sleep(0.06)
equal(cache:get("stale"), nil)
equal(cache:get_or_set("stale", function() return nil, conflict end, { ttl = 0.03, stale_on_error = 100 }), "old")

-- Recursion on the same key is refused, on another it is fine.
local inner_err
value, err = cache:get_or_set("recursive", function()
  local inner
  inner, inner_err = cache:get_or_set("recursive", function() return 1 end)
  return "outer"
end)
equal(value, "outer")
fails("CONFLICT", nil, nil, inner_err)
equal(cache:get_or_set("outer", function()
  return cache:get_or_set("inner", function() return 5 end) + 1
end), 6)

-- A loader may wait.
equal(cache:get_or_set("slow", function()
  sleep(0.02)
  return (assert(cache:get("outer")))
end), 6)
fails("INVALID", "ttl", cache:get_or_set("k", load, -1))
fails("INVALID", "negative_ttl", cache:get_or_set("k", load, { negative_ttl = -1 }))
fails("INVALID", "stale_on_error", cache:get_or_set("k", load, { stale_on_error = "x" }))
fails("INVALID", "options must be a table", cache:get_or_set("k", load, "x"))

-- Whatever a script puts in the place of Lua's functions.
local kept = pcall
pcall = nil
equal(cache:get_or_set("without pcall", function() return 5 end), 5)
fails("INTERNAL", "boom", cache:get_or_set("without pcall, failing", function() error("boom") end))
pcall = kept
