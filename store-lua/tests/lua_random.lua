-- Calls of everything with anything, from a seed: the host must neither crash nor hang, and whatever goes wrong is a string with a position or an
-- error object, never anything else.
local seed, rounds = ...
local store = require("store")

-- Park and Miller, "Random number generators: good ones are hard to find", 1988: the same in every Lua.
local state = seed % 2147483646 + 1
local function random(n)
  state = (state * 48271) % 2147483647
  return state % n + 1
end

local function bad() error("from a metamethod") end
local deep = 1
for _ = 1, 150 do deep = { deep } end
local cycle = {}
cycle.self = cycle
local trap = setmetatable({}, {
  __index = bad, __newindex = bad, __len = bad, __pairs = bad, __eq = bad, __tostring = bad, __concat = bad, __call = bad, __lt = bad,
})
local handles = { assert(store.get("app:cache")), assert(store.get("app:other")), assert(store.get("app:small")) }
local released = assert(store.get("app:cache"))
released:release()

local pool = {
  function() return nil end,
  function() return true end,
  function() return false end,
  function() return 0 end,
  function() return -1 end,
  function() return 0.5 end,
  function() return 0 / 0 end,
  function() return math.huge end,
  function() return -math.huge end,
  function() return 2 ^ 53 end,
  function() return 1e308 end,
  function() return "" end,
  function() return "k" .. random(5) end,
  function() return "k" .. random(5) end,
  function() return "k" .. random(5) end,
  function() return "\0\255*?" end,
  function() return ("x"):rep(1100) end,
  function() return {} end,
  function() return { 1, 2, 3 } end,
  function() return { "k1", "k2", "k1" } end,
  function() return { { key = "k1", value = random(9) }, { key = "k2", value = {} } } end,
  function() return { key = "k", value = 1, ttl = -1 } end,
  function() return { ttl = random(3) - 1, keep_ttl = random(2) == 1 } end,
  function() return { only_if_absent = true } end,
  function() return { if_version = "x", only_if_absent = 3 } end,
  function() return { prefix = "k", limit = random(5) - 2, keys_only = random(2) == 1 } end,
  function() return { [cycle] = 1 } end,
  function() return { nil, nil, 3, x = { y = store.null } } end,
  function() return cycle end,
  function() return deep end,
  function() return trap end,
  function() return print end,
  function() return bad end,
  function() return function() return random(9), random(9) end end,
  function() return function() return nil, "no" end end,
  function() return function() return coroutine.yield(1) end end,
  function() return coroutine.create(bad) end,
  function() return store.null end,
  function() return store end,
  function() return errors.new("CONFLICT", "mine") end,
  function() return handles[random(#handles)] end,
  function() return released end,
}

local methods = {
  "get", "set", "has", "delete", "entry", "put", "ttl", "touch", "get_and_touch", "take", "increment", "get_many", "set_many", "delete_many",
  "list", "each", "clear", "get_or_set", "info",
}

local function anything()
  return pool[random(#pool)]()
end

local function judge(what, ok, first, second)
  if not ok then
    if type(first) ~= "string" and not errors.is(first, errors.INVALID) and type(first) ~= "userdata" then
      error(what .. " raised a " .. type(first), 0)
    end
  elseif first == nil and second ~= nil and not (type(second) == "userdata" and second:kind()) then
    error(what .. " gave nil and a " .. type(second), 0)
  end
end

for _ = 1, rounds do
  local method = methods[random(#methods)]
  local receiver = random(20) == 1 and anything() or random(12) == 1 and released or handles[random(#handles)]
  local a, b, c, d = anything(), anything(), anything(), anything()
  if random(3) > 1 then a = "k" .. random(5) end
  local handle = handles[1]
  if random(15) == 1 then
    judge("store.get", pcall(store.get, a))
    judge("store.with", pcall(store.with, a, b, c))
    pcall(errors.new, a, b, c)
    pcall(errors.wrap, a, b)
    pcall(errors.is, a, b)
    pcall(errors.call_stack, a)
    pcall(store.array, a)
  elseif random(10) == 1 then
    local co = coroutine.create(handle[method])
    judge(method, coroutine.resume(co, receiver, a, b, c, d))
    if random(2) == 1 then coroutine.resume(co, a) end
  else
    judge(method, pcall(handle[method], receiver, a, b, c, d))
  end
end
for _, handle in ipairs(handles) do
  assert(handle:set("after", { rounds }))
  assert(handle:get("after")[1] == rounds)
end
