-- V3, V5: what cannot be stored is refused, with its place, and nothing is written.
local store = require("store")
local cache, small = open(), open("app:small")
assert(cache:set("k", "old"))

local function refused(text, value)
  local err = fails("INVALID", text, cache:set("k", value))
  fails("INVALID", text, cache:put("k", value))
  fails("INVALID", text, cache:set_many({ { key = "k", value = value } }))
  equal(cache:get("k"), "old")
  return err
end

refused("value: function", print)
refused("value.a.b: function", { a = { b = print } })
refused("value.list[3]: thread", { list = { 1, 2, coroutine.create(function() end) } })
refused("value[1]: userdata", { cache })
refused("value[1]: userdata", { errors.new("x") })
refused("value: table as a key", { [{}] = 1 })
refused("value.a: function as a key", { a = { [print] = 1 } })
refused("value[true].x: function", { [true] = { x = print } })
refused("value[...]: function", { ["not a name"] = print })
local err = refused("value.a.b: function", { a = { b = print } })
equal(err:details().path, "value.a.b")
equal(err:details().type, "function")

-- Cycles and depth.
local cycle = {}
cycle.self = cycle
err = refused("nested deeper than 100 levels", cycle)
equal(err:details().limit, 100)
local ring = { {} }
ring[1][1] = ring
refused("nested deeper than 100 levels", ring)
local function nested(levels)
  local value = "leaf"
  for _ = 1, levels do
    value = { value }
  end
  return value
end
assert(cache:set("deep", nested(100)))
equal(cache:get("deep"), nested(100))
refused("nested deeper than 100 levels", nested(101))
refused("nested deeper", nested(100000))
assert(small:set("deep", nested(4)))
fails("INVALID", "nested deeper than 4 levels", small:set("deep", nested(5)))
assert(cache:set("maps", (function()
  local value = {}
  for _ = 1, 99 do
    value = { x = value }
  end
  return value
end)()))

-- Size, also of what would expand beyond it.
fails("INVALID", "more than 1024 bytes", small:set("big", string.rep("x", 1024)))
assert(small:set("fits", string.rep("x", 1021)))
local limit = fails("INVALID", "more than 1024 bytes", small:set("big", { string.rep("x", 2000) })):details().limit
equal(limit, 1024)
refused("more than 8388608 bytes", string.rep("x", 9 * 1024 * 1024))
local wide = {}
for i = 1, 200 do
  wide[i] = "leaf"
end
local bomb = { wide, wide, x = { wide, wide, y = { wide, wide, wide } } }
fails("INVALID", "more than 1024 bytes", small:set("bomb", bomb))
