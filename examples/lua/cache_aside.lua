-- Cache-aside: read the cache, and on a miss the source; many readers, one visit to the source.
local store = require("store")
local cache = assert(store.get("app:cache"))

-- Stands for a database.
local visits = 0
local function load_user(id)
    visits = visits + 1
    if id == "down" then
        return nil, errors.new("UNAVAILABLE", "the database is down")
    end
    if id == "nobody" then
        return nil
    end
    return { id = id, name = "User " .. id }
end

local function user(id)
    return cache:get_or_set("user:" .. id, function()
        return load_user(id)
    end, {
        ttl = 300, -- what is found lives for five minutes
        negative_ttl = 10, -- "there is no such user" is remembered for ten seconds
        stale_on_error = 3600, -- while the database is down, what was known an hour ago will do
    })
end

assert(user("1").name == "User 1")
assert(user("1").name == "User 1")
assert(visits == 1)

assert(user("nobody") == nil and user("nobody") == nil)
assert(visits == 2)

local value, err = user("down")
assert(value == nil and err:kind() == errors.UNAVAILABLE and err:retryable())

-- A change goes to the source first, and then makes the cache forget: the next reader brings the new value.
local function rename(id, name)
    -- (write to the database here)
    return cache:delete("user:" .. id)
end
assert(rename("1", "Alice") == true)
assert(not cache:has("user:1"))
cache:release()
