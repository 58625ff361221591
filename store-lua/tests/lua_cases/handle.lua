-- Handles and their end, as Lua sees them.
local store = require("store")

function cases.h1_a_released_handle_refuses_everything(cache)
  local handle = open()
  local version = assert(handle:put("k", 1)).version
  equal(tostring(handle), "store.Store{}")
  equal(handle:release(), true)
  equal(tostring(handle), "store.Store{released}")
  local function refused(value, err)
    fails("INVALID", "store is released", value, err)
    equal(err:message(), "store is released")
    equal(err:retryable(), false)
  end
  refused(handle:get("k"))
  refused(handle:set("k", 2))
  refused(handle:has("k"))
  refused(handle:delete("k"))
  refused(handle:delete("k", { if_version = version }))
  refused(handle:entry("k"))
  refused(handle:put("k", 2))
  refused(handle:ttl("k"))
  refused(handle:touch("k", 0))
  refused(handle:touch("k", 0, { if_version = version }))
  refused(handle:get_and_touch("k", 0))
  refused(handle:take("k"))
  refused(handle:increment("k"))
  refused(handle:get_many({ "k" }))
  refused(handle:set_many({ { key = "k", value = 2 } }))
  refused(handle:delete_many({ "k" }))
  refused(handle:list())
  refused(handle:each())
  refused(handle:clear())
  refused(handle:info())
  local loaded = false
  refused(handle:get_or_set("k", function()
    loaded = true
    return 2
  end))
  equal(loaded, false)
  local entry = assert(cache:entry("k"))
  equal(entry.value, 1, "nothing was done")
  equal(entry.version, version)
  equal(entry.ttl, math.huge)
end

-- Calls `work` where nothing can be suspended.
local function unsuspended(work)
  local calls = 0
  string.gsub("x", "x", function()
    calls = calls + 1
    work()
  end)
  equal(calls, 1)
end

function cases.h1_the_synchronous_path_is_refused_alike()
  local handle = open()
  handle:release()
  unsuspended(function()
    fails("INVALID", "store is released", handle:get("k"))
    fails("INVALID", "store is released", handle:set("k", 2))
    fails("INVALID", "store is released", handle:has("k"))
    fails("INVALID", "store is released", handle:delete("k"))
    fails("INVALID", "store is released", handle:list())
    equal(handle:release(), true)
  end)
end

function cases.h1_the_synchronous_path_answers_like_the_waiting_one(cache)
  -- Whether there was an answer; there is none where the operation would have to wait, and then nothing is done.
  local function answered(value, err)
    if errors.is(err, errors.UNAVAILABLE) then
      equal(value, nil)
      equal(err:details().reason, "would_block")
      return false
    end
    return true
  end
  local set
  unsuspended(function()
    local value, err = cache:set("k", 1)
    set = answered(value, err)
    if set then
      equal(assert(value, err), true)
    end
  end)
  equal(cache:get("k"), set and 1 or nil, "no answer means that nothing was started")
  assert(cache:set("k", 1))
  local deleted
  unsuspended(function()
    local value, err = cache:get("k")
    if answered(value, err) then
      equal(assert(value, err), 1)
    end
    value, err = cache:put("k", 2, { only_if_absent = true })
    if answered(value, err) then
      fails("ALREADY_EXISTS", nil, value, err)
    end
    value, err = cache:get_many({ "k", "j" })
    if answered(value, err) then
      equal(assert(value, err), { 1, n = 2 })
    end
    value, err = cache:list()
    if answered(value, err) then
      equal(#assert(value, err).items, 1)
    end
    value, err = cache:delete("k")
    deleted = answered(value, err)
    if deleted then
      equal(assert(value, err), true)
    end
  end)
  equal(cache:has("k"), not deleted)
end

function cases.h1_release_is_idempotent_and_leaves_other_handles_alone(cache)
  local first, second = open(), open()
  equal(first:release(), true)
  equal(first:release(), true)
  assert(second:set("k", 1))
  equal(cache:get("k"), 1)
  -- A name is no handle of its own.
  local same = second
  same:release()
  fails("INVALID", "store is released", second:get("k"))
  -- A handle that leaves its scope, or its function, is released; also when that fails.
  local kept
  local known, scope = pcall(loadstring or load, "local handle <close> = ... return handle, handle:get('k')")
  if known and scope then
    local got
    kept, got = scope(open())
    equal(got, 1)
    equal(tostring(kept), "store.Store{released}")
  end
  equal(store.with("app:cache", function(handle, key)
    kept = handle
    return handle:get(key)
  end, "k"), 1)
  equal(tostring(kept), "store.Store{released}")
  raises("on purpose", store.with, "app:cache", function(handle)
    kept = handle
    error("on purpose")
  end)
  equal(tostring(kept), "store.Store{released}")
  -- Collecting one takes nothing from the others.
  kept, first, second, same = open(), nil, nil, nil
  assert(kept:set("k", 2))
  kept = nil
  collectgarbage()
  collectgarbage()
  equal(cache:get("k"), 2)
  equal(tostring(cache), "store.Store{}")
end
