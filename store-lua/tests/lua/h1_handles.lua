-- H1: handles.
local store = require("store")
local first, second = open(), open()
assert(not rawequal(first, second))
equal(tostring(first), "store.Store{}")
equal(first:release(), true)
equal(first:release(), true)
equal(tostring(first), "store.Store{released}")
for name, arguments in pairs({
  get = { "k" }, set = { "k", 1 }, has = { "k" }, delete = { "k" }, entry = { "k" }, put = { "k", 1 }, touch = { "k", 1 },
  ttl = { "k" }, take = { "k" }, get_and_touch = { "k", 1 }, increment = { "k" }, get_many = { { "k" } },
  set_many = { { { key = "k", value = 1 } } }, delete_many = { { "k" } }, list = {}, each = {}, clear = {}, info = {},
  get_or_set = { "k", function() error("not called") end },
}) do
  local err = fails("INVALID", "store is released", first[name](first, (table.unpack or unpack)(arguments)))
  equal(err:message(), "store is released", name)
  equal(err:retryable(), false, name)
  equal(err:details().store, "app:cache", name)
end
-- Others are unaffected.
assert(second:set("k", 1))
equal(second:get("k"), 1)
equal(getmetatable(second), false)
assert(not pcall(function() second.x = 1 end))
equal(second.no_such_method, nil)

-- with
local inside
equal(store.with("app:cache", function(cache, a, b)
  inside = cache
  assert(cache:set("w", a))
  return cache:get("w") + b
end, 3, 4), 7)
equal(tostring(inside), "store.Store{released}")
local failure = errors.new("CONFLICT", "m")
local ok, err = pcall(store.with, "app:cache", function(cache)
  inside = cache
  error(failure)
end)
assert(not ok and err == failure)
equal(tostring(inside), "store.Store{released}")
fails("INVALID", "work must be a function, got nil", store.with("app:cache"))
fails("INVALID", "work must be a function, got string", store.with("app:cache", "work"))
equal(store.with("app:cache", setmetatable({}, { __call = function(_, cache) return tostring(cache) end })), "store.Store{}")
fails("NOT_FOUND", nil, store.with("app:unknown", function() error("not called") end))
