-- V1, V2, V4: what comes back is what went in.
local store = require("store")
local cache = open()

local function round(value, what)
  assert(cache:set("k", value))
  equal(cache:get("k"), value, what or describe(value))
end

for _, value in ipairs({
  true, false, 0, 1, -1, 127, 128, 255, 256, -32, -33, -128, -129, 32767, 65535, 65536, -32768, -32769, 2 ^ 31, 2 ^ 32,
  2 ^ 53, -(2 ^ 53), 1.5, -0.0, 0.1, 1e308, 5e-324, math.huge, -math.huge, "", "a", "\0", "\255\254\0x", "é",
  string.rep("x", 31), string.rep("x", 32), string.rep("x", 255), string.rep("x", 256), string.rep("x", 65535),
  string.rep("x", 65536), string.rep("\255", 300), {}, { {} }, { { {} } },
}) do
  round(value)
end
round(0 / 0, "nan")
if math.type then
  for _, value in ipairs({ 1, 1.0, 0, 0.0, math.maxinteger, math.mininteger, math.maxinteger + 0.0, 2 ^ 53, 9007199254740992, 3.0 }) do
    round(value)
  end
  assert(cache:set("k", 1.0))
  equal(math.type(cache:get("k")), "float")
  assert(cache:set("k", 1))
  equal(math.type(cache:get("k")), "integer")
end

-- Tables with any mix of keys.
round({ 1, 2, 3 })
round({ 1, 2, x = 3 })
round({ [0] = 0, 1, 2 })
round({ [1] = 1, [3] = 3 })
round({ [1] = 1, [1000000] = 2 })
round({ [-1] = 1 })
round({ [2 ^ 53] = "big" })
round({ [1.5] = "float", ["1"] = "string", [1] = "integer", [true] = "yes", [false] = "no" })
round({ ["\0"] = 1, ["\255"] = 2, [""] = 3 })
round({ a = { b = { c = { 1, { 2, { 3 } } } } }, list = { "x", { y = "z" }, false } })
local long = {}
for i = 1, 1000 do
  long[i] = i * 1.5
end
round(long)
local backwards = {}
for i = 40, 1, -1 do
  backwards[i] = i
end
round(backwards)
local sparse = {}
for i = 0, 40 do
  sparse[2 ^ i] = i
end
round(sparse)
local wide = {}
for i = 1, 300 do
  wide["key" .. i] = { i, tostring(i) }
end
round(wide)
local holes = { 1, nil, 3, nil, 5 }
round(holes)

-- Shared subtables are fine, and are copies.
local shared = { 1 }
assert(cache:set("k", { shared, shared, x = shared }))
local got = cache:get("k")
equal(got, { { 1 }, { 1 }, x = { 1 } })
assert(not rawequal(got[1], got[2]))

-- V4: copies.
local value = { n = 1 }
assert(cache:set("k", value))
value.n = 2
equal(cache:get("k").n, 1)
cache:get("k").n = 3
equal(cache:get("k").n, 1)
local entry = assert(cache:put("k", value))
assert(not rawequal(entry.value, value))

-- Metatables are ignored and no metamethod is run.
local trap = function()
  error("a metamethod ran")
end
local masked = setmetatable({ 1, 2, x = "y" }, { __index = trap, __len = trap, __pairs = trap, __newindex = trap, __eq = trap, __name = "M" })
assert(cache:set("k", masked))
equal(cache:get("k"), { 1, 2, x = "y" })

-- null stands inside of tables, and nil is no value.
round({ store.null, 1, x = store.null })
assert(cache:get("k")[1] == store.null)
fails("INVALID", "value is required", cache:set("k", nil))
fails("INVALID", "value is required", cache:set("k", store.null))
equal(cache:get("k"), { store.null, 1, x = store.null })

-- array marks an empty table; the mark comes back and disturbs nothing.
round(store.array({}))
round({ list = store.array({}), map = {} })
local list = store.array({})
assert(cache:set("k", list))
list = cache:get("k")
list[1] = "x"
list.y = "z"
equal(list, { "x", y = "z" })
raises("bad argument #1 to 'array' (table expected, got string)", store.array, "x")

-- What other operations bring is as exact.
for _, exact in ipairs({ false, 1.5, "\255", { 1, { x = false } } }) do
  assert(cache:set("k", exact))
  equal(cache:entry("k").value, exact)
  equal(cache:get_and_touch("k", 0), exact)
  equal(cache:list({ prefix = "k" }).items[1].value, exact)
  equal(cache:get_many({ "k", "none" }), { exact, n = 2 })
  equal(cache:take("k"), exact)
end
