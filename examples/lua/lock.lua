-- A lock with an owner, a lease and renewal: whoever crashes loses it by itself, and nobody releases what is not his.
local store = require("store")
local cache = assert(store.get("app:cache"))

local Lock = {}
Lock.__index = Lock

-- A lock that is held, or nil and an error: CONFLICT if somebody else holds it.
local function acquire(name, owner, lease)
    local entry, err = cache:put("lock:" .. name, { owner = owner }, { only_if_absent = true, ttl = lease })
    if entry then
        return setmetatable({ key = entry.key, version = entry.version, lease = lease }, Lock)
    end
    if errors.is(err, errors.ALREADY_EXISTS) then
        return nil, errors.new("CONFLICT", "the lock is held", { details = { name = name }, cause = err })
    end
    return nil, errors.wrap(err, "acquiring lock " .. name)
end

-- True while the lock is still ours; its lease then starts anew.
function Lock:renew()
    -- touch leaves the version as it is, so it stays the proof of ownership.
    local held, err = cache:touch(self.key, self.lease, { if_version = self.version })
    if errors.is(err, errors.CONFLICT) then
        return false -- it ran out, and somebody else has it
    end
    return held, err
end

-- True if it was still ours.
function Lock:release()
    local deleted, err = cache:delete(self.key, { if_version = self.version })
    if errors.is(err, errors.CONFLICT) then
        return false
    end
    return deleted, err
end

local lock = assert(acquire("report", "worker-1", 30))
local other, err = acquire("report", "worker-2", 30)
assert(other == nil and err:kind() == errors.CONFLICT and err:retryable())
assert(lock:renew() == true)
assert(lock:release() == true)
assert(lock:release() == false) -- once is enough

-- Whoever was too slow finds out, and disturbs nobody.
local slow = assert(acquire("report", "worker-1", 30))
cache:delete("lock:report") -- as the end of the lease does
local quick = assert(acquire("report", "worker-2", 30))
assert(slow:renew() == false)
assert(slow:release() == false)
assert(quick:release() == true)
cache:release()
