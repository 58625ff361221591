-- Sessions with sliding expiry: they live as long as they are used, and end at once on sign-out.
local store = require("store")
local sessions = assert(store.get("app:cache"))

local IDLE = 1800 -- seconds without a request

-- Your service has a better source of randomness: a session id must not be guessable.
local function new_id()
    return string.format("%08x%08x", math.random(0, 0x7fffffff), math.random(0, 0x7fffffff))
end

local function sign_in(user_id, role)
    local id = new_id()
    local entry, err = sessions:put("session:" .. id, { user_id = user_id, role = role, cart = {} }, {
        only_if_absent = true, -- never somebody else's session
        ttl = IDLE,
    })
    if not entry then
        return nil, err
    end
    return id
end

-- The session, and its time starts anew, in one step.
local function resume(id)
    local session, err = sessions:get_and_touch("session:" .. id, IDLE)
    if err then
        return nil, err
    end
    if not session then
        return nil, errors.new("NOT_FOUND", "the session has ended")
    end
    return session
end

-- Changes a session. Two requests of one user at the same time do not lose each other's change.
local function change(id, edit)
    for _ = 1, 10 do
        local entry, err = sessions:entry("session:" .. id)
        if not entry then
            return nil, err or errors.new("NOT_FOUND", "the session has ended")
        end
        edit(entry.value)
        local ok
        ok, err = sessions:put(entry.key, entry.value, { if_version = entry.version, keep_ttl = true })
        if ok or not errors.is(err, errors.CONFLICT) then
            return ok and true, err
        end
    end
    return nil, errors.new("CONFLICT", "the session is changing too fast")
end

local id = assert(sign_in(123, "admin"))
assert(resume(id).user_id == 123)
assert(change(id, function(session)
    session.cart[#session.cart + 1] = "book"
end))
assert(resume(id).cart[1] == "book")
assert(sessions:ttl("session:" .. id) <= IDLE)
assert(sessions:delete("session:" .. id) == true)
local session, err = resume(id)
assert(session == nil and err:kind() == errors.NOT_FOUND)
sessions:release()
