-- Compare-and-set: read, change, write if nobody else wrote meanwhile, else begin again.
local store = require("store")
local cache = assert(store.get("app:cache"))

-- Applies `change` to the value of a key. `change` gets the value (nil if absent) and gives the new one; it may run more than once.
local function update(key, change, attempts)
    local last
    for _ = 1, attempts or 20 do
        local entry, err = cache:entry(key)
        if err then
            return nil, err
        end
        local condition = entry and { if_version = entry.version, keep_ttl = true } or { only_if_absent = true }
        local written
        written, err = cache:put(key, change(entry and entry.value), condition)
        if written then
            return written.value
        end
        -- Somebody was faster: changed it, made it, or deleted it. Anything else is a failure.
        if not (errors.is(err, errors.CONFLICT) or errors.is(err, errors.ALREADY_EXISTS) or errors.is(err, errors.NOT_FOUND)) then
            return nil, err
        end
        last = err
    end
    return nil, errors.wrap(last, "gave up on " .. key)
end

local function deposit(amount)
    return function(account)
        account = account or { balance = 0, history = {} }
        account.balance = account.balance + amount
        account.history[#account.history + 1] = amount
        return account
    end
end

assert(update("account:1", deposit(100)).balance == 100)
assert(update("account:1", deposit(-30)).balance == 70)
assert(#cache:get("account:1").history == 2)

-- Somebody writes in between, once: the loop sees it and begins again, and nothing is lost.
local interfered = false
local account = assert(update("account:1", function(value)
    if not interfered then
        interfered = true
        assert(update("account:1", deposit(1000)))
    end
    return deposit(1)(value)
end))
assert(account.balance == 1071)
cache:release()
