-- The everyday work of a store: sessions, a lock, a cached computation, a counter.
-- Without a configuration it runs in memory; see examples/store.toml for disk and Redis.
local store = require("store")

local cache, err = store.get("app:cache")
if err then
    return nil, err -- says why, and exits with 1
end

local function say(...) print(string.format(...)) end

say("Store app:cache on %s", cache:info().backend)

-- Sessions: written with a time to live, kept alive by use, gone by themselves. ------------------------------------------------
say("\nSessions")

local SESSION_TTL = 30 * 60

local function sign_in(user, role)
    local id = string.format("%08x%08x", math.random(0, 0x7fffffff), math.random(0, 0x7fffffff))
    assert(cache:set("session:" .. id, { user = user, role = role, cart = {} }, SESSION_TTL))
    return id
end

local function session_of(id)
    -- Reads it and starts its time anew, in one step: who comes back in time stays signed in.
    return cache:get_and_touch("session:" .. id, SESSION_TTL)
end

local id = sign_in("Alice", "admin")
local session = assert(session_of(id))
session.cart[#session.cart + 1] = { article = "lamp", price = 24.5 }
assert(cache:put("session:" .. id, session, { keep_ttl = true }))

session = session_of(id)
say("  %s (%s) has %d article in the cart: %s", session.user, session.role, #session.cart, session.cart[1].article)
say("  her session ends in about %d minutes unless she comes back", math.floor(cache:ttl("session:" .. id) / 60 + 0.5))

cache:delete("session:" .. id)
say("  signed out; the session is %s", session_of(id) == nil and "gone" or "still there")

cache:set("session:brief", { user = "Bob" }, 0.1)
local seen = cache:has("session:brief")
while cache:has("session:brief") do end -- a script of its own would sleep here
say("  a session of 100 ms was there: %s; after that: %s", seen, cache:has("session:brief"))

-- A lock: one holder at a time, and no lock outlives a holder that crashed. -----------------------------------------------------
say("\nA lock")

local function lock(name, owner, seconds)
    local held, busy = cache:put("lock:" .. name, owner, { only_if_absent = true, ttl = seconds })
    if held then
        return held.version
    end
    if busy:kind() == errors.ALREADY_EXISTS then
        return nil, cache:get("lock:" .. name)
    end
    error(busy) -- anything else is not "somebody holds it"
end

local function unlock(name, version)
    return cache:delete("lock:" .. name, { if_version = version }) -- only our own
end

local mine = assert(lock("report", "worker 1", 10))
local _, holder = lock("report", "worker 2", 10)
say("  worker 1 has it; worker 2 is told that %s does", holder)
unlock("report", mine)
local theirs = lock("report", "worker 2", 10)
say("  worker 1 let go; worker 2 %s", theirs and "has it now" or "does not get it")
unlock("report", theirs)

-- A cached computation: whoever asks first computes, everyone else reads. -------------------------------------------------------
say("\nA cached computation")

local computed = 0

local function primes_below(limit)
    return cache:get_or_set("primes:" .. limit, function()
        computed = computed + 1
        local count, composite = 0, {}
        for n = 2, limit - 1 do
            if not composite[n] then
                count = count + 1
                for multiple = n * n, limit - 1, n do composite[multiple] = true end
            end
        end
        return { limit = limit, count = count }
    end, { ttl = 3600 })
end

for _ = 1, 3 do
    local primes = assert(primes_below(100000))
    say("  there are %d primes below %d", primes.count, primes.limit)
end
say("  computed %s", computed == 1 and "once" or computed == 0 and "in an earlier run" or computed .. " times")

-- A counter: atomic, exact, and the one thing here that a durable store still has when you run this again. ----------------------
say("\nA counter")
local runs = assert(cache:increment("quickstart:runs"))
say("  this script ran %d time%s on this store", runs, runs == 1 and "" or "s")

-- Errors are values: what went wrong, and whether to try again. -----------------------------------------------------------------
say("\nAn error")
local _, mistake = cache:set("quickstart:mistake", "value", -1)
say("  %s: %s (retry: %s)", mistake:kind(), mistake:message(), mistake:retryable())

cache:release()
