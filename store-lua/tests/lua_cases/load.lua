-- get_or_set, as far as one VM can show it.

local function value(v, ttl)
  return function()
    return v, ttl
  end
end

local function never()
  error("this loader must not run")
end

-- `nil` that is no error.
local function nothing(got, err)
  equal(got, nil)
  if err ~= nil then
    error("expected nothing, got the error " .. tostring(err), 2)
  end
end

function cases.get_or_set_loads_once_and_reads_after(cache)
  equal(cache:get_or_set("k", value(1)), 1)
  equal(cache:get_or_set("k", never), 1)
  equal(cache:get("k"), 1)
  equal(cache:ttl("k"), math.huge)
  assert(cache:set("k", 3))
  equal(cache:get_or_set("k", never), 3)
  equal(cache:delete("k"), true)
  equal(cache:get_or_set("k", value(5)), 5)
  -- false is a value too, and what is loaded is a copy.
  equal(cache:get_or_set("false", value(false)), false)
  equal(cache:get_or_set("false", never), false)
  local loaded = { 1, 1.0, name = "\255" }
  local got = cache:get_or_set("table", value(loaded))
  equal(got, loaded)
  loaded.name, got[1] = "changed", 2
  equal(cache:get_or_set("table", never), { 1, 1.0, name = "\255" })
end

function cases.get_or_set_stores_with_a_ttl(cache)
  equal(cache:get_or_set("k", value(1), { ttl = 0.05 }), 1)
  equal(cache:get_or_set("plain", value(1), 0.05), 1)
  equal(cache:get_or_set("own", value(1, 0.05), { ttl = 60 }), 1)
  sleep(0.1)
  equal(cache:has("k"), false)
  equal(cache:has("plain"), false)
  equal(cache:has("own"), false)
  equal(cache:get_or_set("k", value(2, 0), { ttl = 0.05 }), 2)
  equal(cache:ttl("k"), math.huge, "the loader's own time to live counts")
  equal(cache:get_or_set("own", value(2, math.huge), 0.05), 2)
  equal(cache:ttl("own"), math.huge)
  equal(cache:get_or_set("plain", value(2), 60), 2)
  local left = cache:ttl("plain")
  assert(left > 0 and left <= 60)
  -- Without one it is the store's.
  local small = open("app:small")
  equal(small:get_or_set("k", value(1)), 1)
  left = small:ttl("k")
  assert(left == nil or left <= 0.1)
  for _, bad in ipairs({ -1, 0 / 0, -math.huge, "1" }) do
    fails("INVALID", "ttl", cache:get_or_set("j", never, { ttl = bad }))
    fails("INVALID", "ttl", cache:get_or_set("j", value(1, bad)))
    equal(cache:has("j"), false)
  end
  fails("INVALID", "tll", cache:get_or_set("j", never, { tll = 1 }))
end

function cases.get_or_set_loads_different_keys_at_the_same_time(cache)
  local got = cache:get_or_set("a", function()
    return assert(cache:get_or_set("b", value(2))) + 1
  end)
  equal(got, 3)
  equal(cache:get("a"), 3)
  equal(cache:get("b"), 2)
  -- The same key of another store is another key.
  local other = open("app:other")
  got = cache:get_or_set("c", function()
    return assert(other:get_or_set("c", value(4))) + 1
  end)
  equal(got, 5)
  equal(other:get("c"), 4)
end

function cases.get_or_set_failures_are_shared_and_cache_nothing(cache)
  local mine = errors.new("RATE_LIMITED", "slow down", { details = { after = 3 } })
  for _, fail in ipairs({
    function() return nil, mine end,
    function() error(mine) end,
    function() error(mine, 0) end,
  }) do
    local err = fails("RATE_LIMITED", "slow down", cache:get_or_set("k", fail, { ttl = 60, negative_ttl = 60 }))
    equal(err:details(), { after = 3 })
    equal(err:retryable(), true)
    assert(err == mine, "the error object unchanged")
    equal(cache:has("k"), false)
  end
  for _, fail in ipairs({
    function() return nil, "plain" end,
    function() error("raised") end,
    function() error({}) end,
    function() error() end,
  }) do
    local err = fails("INTERNAL", "the loader", cache:get_or_set("k", fail, { ttl = 60, negative_ttl = 60 }))
    equal(err:details().reason, "loader")
    equal(cache:has("k"), false)
  end
  fails("INVALID", "function", cache:get_or_set("k", value({ f = print })))
  equal(cache:has("k"), false)
  equal(cache:get_or_set("k", value(7)), 7, "the key is free again")
end

function cases.get_or_set_of_nothing_is_remembered_only_if_asked(cache)
  nothing(cache:get_or_set("k", function() end))
  nothing(cache:get_or_set("k", value(nil), { ttl = 60 }))
  equal(cache:has("k"), false, "nothing is not stored")
  equal(cache:get_or_set("k", value(1)), 1)
  equal(cache:delete("k"), true)
  nothing(cache:get_or_set("k", function() end, { negative_ttl = 60 }))
  nothing(cache:get_or_set("k", never))
  equal(cache:has("k"), false)
  nothing(cache:get_or_set("short", function() end, { negative_ttl = 0.05 }))
  sleep(0.1)
  equal(cache:get_or_set("short", value(3)), 3)
  fails("INVALID", "negative_ttl", cache:get_or_set("j", never, { negative_ttl = -1 }))
end

function cases.get_or_set_recursion_on_one_key_conflicts(cache)
  local function inner(handle)
    return handle:get_or_set("k", value(1))
  end
  local second = open()
  for _, loader in ipairs({
    function() return inner(cache) end,
    function() return inner(second) end,
    function() return coroutine.wrap(inner)(cache) end,
    function() return cache:get_or_set("between", function() return inner(cache) end) end,
  }) do
    local err = fails("CONFLICT", nil, cache:get_or_set("k", loader))
    equal(err:details().reason, "recursion")
    equal(cache:has("k"), false)
    equal(cache:has("between"), false)
  end
  equal(cache:get_or_set("k", value(2)), 2)
end

function cases.get_or_set_may_serve_stale_values_on_error(cache)
  local down = errors.new("UNAVAILABLE", "origin down")
  local function fail()
    return nil, down
  end
  local options = { ttl = 0.05, stale_on_error = 60 }
  equal(cache:get_or_set("k", value(1), options), 1)
  sleep(0.1)
  equal(cache:has("k"), false)
  equal(cache:get_or_set("k", fail, options), 1, "the value of before")
  fails("UNAVAILABLE", "origin down", cache:get_or_set("k", fail, 0.05))
  fails("UNAVAILABLE", "origin down", cache:get_or_set("never loaded", fail, options))
  equal(cache:get_or_set("k", value(2), options), 2)
end
