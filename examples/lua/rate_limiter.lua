-- A rate limit over fixed windows: at most LIMIT requests per WINDOW seconds and caller, counted in one place for all processes.
local store = require("store")
local cache = assert(store.get("app:cache"))

local LIMIT, WINDOW = 5, 60

-- True, or nil and a RATE_LIMITED error that says when to come back.
local function allow(caller)
    local key = "rate:" .. caller
    -- The TTL counts only when the counter is created, in the same step: a window cannot lose its end.
    local count, err = cache:increment(key, 1, { ttl = WINDOW })
    if not count then
        return nil, err
    end
    if count <= LIMIT then
        return true
    end
    local wait = cache:ttl(key) or WINDOW
    return nil, errors.new("RATE_LIMITED", "too many requests", { details = { retry_after = wait } })
end

for _ = 1, LIMIT do
    assert(allow("alice"))
end
local ok, err = allow("alice")
assert(ok == nil and err:kind() == errors.RATE_LIMITED and err:retryable())
local wait = err:details().retry_after
assert(wait > 0 and wait <= WINDOW)
assert(allow("bob")) -- others are not affected
cache:delete("rate:alice") -- as the end of the window does
assert(allow("alice"))
cache:release()
