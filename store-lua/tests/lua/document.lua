-- The document's own snippets.
local store = require("store")

-- Acquiring a store
local function acquire()
  local cache, err = store.get("app:cache")
  if err then
    return nil, err
  end
  cache:set("user:123", {name = "Alice"}, 3600)
  local user = cache:get("user:123")
  assert(user.name == "Alice")
  return cache:release()
end
assert(acquire() == true)

-- Storing values
local cache = store.get("app:cache")
-- Simple set
local ok, err = cache:set("user:123:name", "Alice")
assert(ok == true and err == nil)
-- Set with TTL (expires in 300 seconds)
ok, err = cache:set("session:abc", {user_id = 123, role = "admin"}, 300)
assert(ok == true and err == nil)

-- Retrieving values
local user = cache:get("user:123")
if not user then
  error("not found")
end
local missing, missing_err = cache:get("user:456")
assert(missing == nil and missing_err == nil)

-- Checking existence
local resource_id = "r1"
local function guarded()
  if cache:has("lock:" .. resource_id) then
    return nil, errors.new("CONFLICT", "Resource is locked")
  end
  return true
end
assert(guarded() == true)
cache:set("lock:" .. resource_id, true)
local value, conflict = guarded()
assert(value == nil)
assert(conflict:kind() == errors.CONFLICT and conflict:message() == "Resource is locked")
assert(conflict:retryable() == true)

-- Deleting keys
local session_id = "abc"
assert(cache:delete("session:" .. session_id) == true)
assert(cache:delete("session:" .. session_id) == false)

-- Values: tables, strings, numbers, booleans
for key, stored in pairs({ t = { 1, 2, { x = "y" } }, s = "text", n = 1.5, i = 7, b = false }) do
  assert(cache:set(key, stored))
  equal(cache:get(key), stored, key)
end

-- 0 is no expiry
assert(cache:set("forever", 1, 0))
assert(cache:ttl("forever") == math.huge)

-- Errors
local nothing
nothing, err = store.get("")
assert(nothing == nil and err:kind() == errors.INVALID and err:retryable() == false)
nothing, err = store.get("app:unknown")
assert(nothing == nil and err:kind() == errors.NOT_FOUND and err:retryable() == false)
assert(cache:release() == true)
nothing, err = cache:get("user:123")
assert(nothing == nil and err:kind() == errors.INVALID and err:retryable() == false)
assert(err:message() == "store is released")
