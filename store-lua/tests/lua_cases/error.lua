-- Absence and failure, as Lua sees them.
local store = require("store")

function cases.e1_absence_is_not_an_error(cache)
  -- What there is, and no error with it.
  local function answers(expected, got, ...)
    equal(got, expected)
    equal((...), nil)
  end
  answers(nil, cache:get("k"))
  answers(false, cache:has("k"))
  answers(nil, cache:entry("k"))
  answers(nil, cache:ttl("k"))
  answers(false, cache:delete("k"))
  answers(false, cache:touch("k", 0))
  answers(nil, cache:get_and_touch("k", 0))
  answers(nil, cache:take("k"))
  answers({ n = 2 }, cache:get_many({ "k", "j" }))
  answers({ false, false, n = 2 }, cache:delete_many({ "k", "j" }))
  answers({ items = {}, has_more = false }, cache:list({ prefix = "k" }))
  answers(0, cache:clear({ prefix = "k" }))
  answers(nil, cache:get_or_set("k", function() return nil end))
  for _ in assert(cache:each()) do
    error("there is nothing")
  end
end

function cases.e2_checks_come_in_order(cache)
  -- Arguments before the backend: there is no such entry, and the argument is the complaint.
  fails("INVALID", nil, cache:put("k", 1, { if_version = "v", only_if_absent = true }))
  fails("INVALID", nil, cache:put("", 1, { only_if_present = true }))
  fails("INVALID", "only_if_presnt", cache:put("k", 1, { only_if_presnt = true }))
  fails("INVALID", nil, cache:touch("k", -1))
  fails("NOT_FOUND", nil, cache:put("k", 1, { only_if_present = true }))
  -- The empty id before the unknown one.
  fails("INVALID", nil, store.get(""))
  fails("NOT_FOUND", nil, store.get("app:none"))
  -- Released before arguments.
  local handle = open()
  handle:release()
  fails("INVALID", "store is released", handle:get(""))
  fails("INVALID", "store is released", handle:set("", nil, -1))
  fails("INVALID", "store is released", handle:put("k", 1, { only_if_presnt = true }))
  fails("INVALID", "store is released", handle:list({ limit = 0 }))
  -- What is no key at all raises.
  raises("", cache.get, cache, {})
  raises("", cache.get, "cache", "k")
end

function cases.e7_errors_say_where_they_happened(cache)
  local backend = cache:info().backend
  assert(cache:set("k", "secret"))
  local early
  local function says(operation, kind, value, err)
    local details = fails(kind, nil, value, err):details()
    equal(details.operation, operation)
    equal(details.store, "app:cache")
    if not early then
      equal(details.backend, backend)
      equal(details.key, "k")
    end
    equal((tostring(err) .. err:message() .. err:stack()):find("secret", 1, true), nil, "no value in an error")
    equal(err:retryable(), kind == "CONFLICT")
  end
  says("put", "ALREADY_EXISTS", cache:put("k", "new", { only_if_absent = true }))
  says("put", "CONFLICT", cache:put("k", "new", { if_version = "other" }))
  says("delete", "CONFLICT", cache:delete("k", { if_version = "other" }))
  says("increment", "INVALID", cache:increment("k"))
  -- An argument that is refused before the store is asked.
  early = true
  says("touch", "INVALID", cache:touch("k", -1))
  says("set", "INVALID", cache:set("k", "new", -1))
  equal(cache:get("k"), "secret")
  -- Details are a fresh table.
  local _, err = cache:increment("k")
  err:details().key = "changed"
  equal(err:details().key, "k")
end

function cases.info_says_what_the_store_is(cache)
  for index = 0, 9 do
    assert(cache:set("k" .. index, index))
  end
  local info = assert(cache:info())
  equal(info.id, "app:cache")
  equal(info.backend ~= "", true)
  equal(({ linearizable = true, failover = true, bounded = true })[info.consistency], true)
  equal(type(info.durable), "boolean")
  if info.entries then
    equal(info.entries >= 5, true, info.entries .. " is not about ten")
  end
  for _, name in ipairs({ "ttl", "versions", "increment", "ordered_list", "exact_values", "unique_versions", "injected_clock", "purge" }) do
    equal(type(info.capabilities[name]), "boolean", name)
  end
  equal(info.limits, { max_key_size = 1024, max_value_size = 8388608, max_depth = 100, max_batch = 1000 })
  local small = open("app:small"):info()
  equal(small.id, "app:small")
  equal(small.backend, info.backend)
  equal(small.capabilities, info.capabilities)
  equal(small.limits.max_value_size, 1024)
  equal(small.limits.max_depth, 4)
  -- It is a copy.
  info.limits.max_depth = 1
  equal(cache:info().limits.max_depth, 100)
  equal(cache:has("k0"), true)
end
