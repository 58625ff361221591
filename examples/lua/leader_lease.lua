-- Leader lease: of many workers one leads, as long as it keeps renewing; when it stops, another takes over within a lease.
--
-- A lease is a promise about time: a leader that was paused may still believe it leads. Where that would do harm, pass `term` along with
-- what the leader writes, and let the receiver refuse terms that are older than one it has seen.
local store = require("store")
local cache = assert(store.get("app:cache"))

local LEASE = 15

local Worker = {}
Worker.__index = Worker

local function worker(name)
    return setmetatable({ name = name }, Worker)
end

-- Call it every few seconds. True while this worker leads.
function Worker:lead()
    if self.version then
        local renewed, err = cache:touch("leader", LEASE, { if_version = self.version })
        if renewed then
            return true
        end
        if err and not errors.is(err, errors.CONFLICT) then
            return nil, err -- unknown: act as if not leading
        end
        self.version = nil
    end
    if cache:has("leader") then
        return false
    end
    local term, err = cache:increment("leader:terms")
    if not term then
        return nil, err
    end
    local entry
    entry, err = cache:put("leader", { name = self.name, term = term }, { only_if_absent = true, ttl = LEASE })
    if entry then
        self.version, self.term = entry.version, term
        return true
    end
    if errors.is(err, errors.ALREADY_EXISTS) then
        return false
    end
    return nil, err
end

-- Hands over at once instead of letting the lease run out.
function Worker:resign()
    if not self.version then
        return false
    end
    local version = self.version
    self.version = nil
    local deleted, err = cache:delete("leader", { if_version = version })
    if errors.is(err, errors.CONFLICT) then
        return false
    end
    return deleted, err
end

local first, second = worker("first"), worker("second")
assert(first:lead() == true)
assert(second:lead() == false)
assert(first:lead() == true) -- renewed
assert(cache:get("leader").name == "first")

cache:delete("leader") -- as when the first was paused for longer than its lease
assert(second:lead() == true)
assert(first:lead() == false) -- and it knows
assert(second.term > first.term)
assert(second:resign() == true)
assert(first:lead() == true)
cache:release()
