-- The snippets of the store's own specification, in its order, each with what it promises. Runs on any backend.
local store = require("store")
local RUN = arg[1] or "run"

-- Acquiring a store
do
    local cache, err = store.get("app:cache")
    if err then
        return nil, err
    end
    cache:set("user:123", { name = "Alice" }, 3600)
    local user = cache:get("user:123")
    assert(user.name == "Alice")
    assert(cache:release() == true)

    -- Store released
    local value, released = cache:get("user:123")
    assert(value == nil and released:kind() == errors.INVALID and released:retryable() == false)
    assert(released:message() == "store is released")
    assert(cache:release() == true, "again")
end

local cache = store.get("app:cache")

-- Storing values
assert(cache:set("user:123:name", "Alice") == true)
assert(cache:set("session:abc", { user_id = 123, role = "admin" }, 300) == true)
assert(cache:set("forever", true, 0) == true)
assert(cache:ttl("forever") == math.huge)
local left = cache:ttl("session:abc")
assert(left > 290 and left <= 300, left)

-- Values: tables, strings, numbers, booleans
for name, value in pairs({ string = "text\0\xff", integer = 2 ^ 53 | 1, float = 0.1, yes = true, no = false }) do
    assert(cache:set("value:" .. name, value))
    local back = cache:get("value:" .. name)
    assert(back == value and math.type(back) == math.type(value), name)
end
assert(cache:set("value:table", { 1, 2, { deep = { "x" } }, [10] = "ten", ["key"] = false }))
local back = cache:get("value:table")
assert(back[1] == 1 and back[2] == 2 and back[3].deep[1] == "x" and back[10] == "ten" and back.key == false)

-- Retrieving values
local user = cache:get("user:123")
assert(user.name == "Alice")
local nobody, err = cache:get("user:nobody")
assert(nobody == nil and err == nil, "a missing key is not an error")

-- Checking existence
local resource_id = "printer:" .. RUN
local function lock(id)
    if cache:has("lock:" .. id) then
        return nil, errors.new("CONFLICT", "Resource is locked")
    end
    cache:set("lock:" .. id, true, 60)
    return true
end
assert(lock(resource_id))
local locked, conflict = lock(resource_id)
assert(locked == nil and conflict:kind() == errors.CONFLICT and tostring(conflict) == "Resource is locked")

-- Deleting keys
local session_id = "abc"
assert(cache:delete("session:" .. session_id) == true)
assert(cache:delete("session:" .. session_id) == false)
assert(cache:has("session:" .. session_id) == false)
assert(cache:delete("lock:" .. resource_id) == true)

-- Errors
local none, empty = store.get("")
assert(none == nil and empty:kind() == errors.INVALID and not empty:retryable())
local none, unknown = store.get("app:nowhere")
assert(none == nil and unknown:kind() == errors.NOT_FOUND and not unknown:retryable())

-- Time to live
assert(cache:set("brief", "gone soon", 0.15))
assert(cache:get("brief") == "gone soon")
local start = cache:ttl("brief")
assert(start > 0 and start <= 0.15)
repeat until not cache:has("brief")
assert(cache:get("brief") == nil and cache:ttl("brief") == nil)

print("every promise held on " .. cache:info().backend)
