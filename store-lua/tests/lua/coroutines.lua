-- Operations work inside of coroutines that a script makes, and in callbacks.
local cache = open()
assert(cache:set("k", 1))

local co = coroutine.create(function(a)
  local got = coroutine.yield(a + cache:get("k"))
  assert(cache:set("k", got))
  return cache:get("k"), "end"
end)
local ok, value = coroutine.resume(co, 10)
assert(ok and value == 11, describe(value))
local last
ok, value, last = coroutine.resume(co, 5)
assert(ok and value == 5 and last == "end")
equal(coroutine.status(co), "dead")
ok, value = coroutine.resume(co)
equal(ok, false)

local generate = coroutine.wrap(function()
  for i = 1, 3 do
    assert(cache:set("g" .. i, i))
    coroutine.yield(cache:get("g" .. i))
  end
end)
equal(generate(), 1)
equal(generate(), 2)
equal(generate(), 3)

-- Nested, and with errors.
local outer = coroutine.wrap(function()
  local inner = coroutine.wrap(function()
    coroutine.yield(cache:get("g1"))
    error(errors.new("CONFLICT", "inside"))
  end)
  coroutine.yield(inner())
  inner()
end)
equal(outer(), 1)
local err
ok, err = pcall(outer)
assert(not ok and errors.is(err, errors.CONFLICT))

-- pcall, metamethods and iterators.
ok, value = pcall(cache.get, cache, "g2")
assert(ok and value == 2)
-- (Not on Luau, whose metamethods cannot be suspended.)
if _VERSION ~= "Lua 5.1" and not _VERSION:find("Luau") then
  local proxy = setmetatable({}, { __index = function(_, key) return (cache:get(key)) end })
  equal(proxy.g3, 3)
end
for i, v in (function()
  local n = 0
  return function()
    n = n + 1
    local got = cache:get("g" .. n)
    if got then return n, got end
  end
end)() do
  equal(v, i)
end

-- Where a coroutine cannot be suspended, an operation answers at once, blocks, or says so.
local info = cache:info()
local results = {}
table.sort({ 2, 1 }, function(a, b)
  local got, got_err = cache:get("g1")
  results[#results + 1] = got or got_err
  return a < b
end)
for _, result in ipairs(results) do
  if type(result) == "userdata" then
    equal(info.backend, "redis")
    fails("UNAVAILABLE", "cannot yield", nil, result)
    equal(result:details().reason, "would_block")
    equal(result:retryable(), false)
  else
    equal(result, 1)
  end
end
results = {}
table.sort({ 2, 1 }, function(a, b)
  local inner = coroutine.wrap(function()
    local got, got_err = cache:get("g1")
    coroutine.yield(got or got_err)
  end)
  results[#results + 1] = inner()
  return a < b
end)
assert(#results > 0)
for _, result in ipairs(results) do
  assert(result == 1 or errors.is(result, errors.UNAVAILABLE), describe(result))
end
equal(cache:get("g1"), 1)
