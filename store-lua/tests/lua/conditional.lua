-- put, versions, conditional delete and touch (C2).
local cache = open()

local first = assert(cache:put("k", "v1"))
equal(first.key, "k")
equal(first.value, "v1")
equal(first.ttl, math.huge)
equal(type(first.version), "string")
equal(cache:entry("k"), first)

local second = assert(cache:put("k", "v2", { if_version = first.version, ttl = 100 }))
assert(second.version ~= first.version)
assert(second.ttl <= 100)
local err = fails("CONFLICT", nil, cache:put("k", "v3", { if_version = first.version }))
equal(err:retryable(), true)
equal(err:details().key, "k")
equal(cache:get("k"), "v2")

fails("ALREADY_EXISTS", nil, cache:put("k", "v3", { only_if_absent = true }))
assert(cache:put("fresh", 1, { only_if_absent = true }))
fails("NOT_FOUND", nil, cache:put("none", 1, { only_if_present = true }))
assert(cache:put("k", "v4", { only_if_present = true }))
fails("NOT_FOUND", nil, cache:put("none", 1, { if_version = first.version }))
equal(cache:get("none"), nil)
fails("CONFLICT", nil, cache:put("k", 1, { if_version = "no such version" }))

fails("INVALID", "exclude each other", cache:put("k", 1, { only_if_absent = true, if_version = "x" }))
fails("INVALID", "exclude each other", cache:put("k", 1, { only_if_absent = true, only_if_present = true }))
fails("INVALID", "exclude each other", cache:put("k", 1, { ttl = 1, keep_ttl = true }))
assert(cache:put("k", 1, { only_if_absent = false, keep_ttl = false }))

-- A version changes with every value write and not with touch.
local before = cache:entry("k").version
equal(cache:touch("k", 100), true)
equal(cache:entry("k").version, before)
assert(cache:set("k", 1))
assert(cache:entry("k").version ~= before)

-- Conditional delete and touch.
local version = cache:entry("k").version
fails("CONFLICT", nil, cache:delete("k", { if_version = before }))
fails("CONFLICT", nil, cache:touch("k", 5, { if_version = before }))
equal(cache:touch("k", 5, { if_version = version }), true)
equal(cache:delete("k", { if_version = version }), true)
equal(cache:delete("k", { if_version = version }), false)

-- An expired key is absent for conditions too (T6).
assert(cache:set("gone", 1, 0.01))
sleep(0.03)
fails("NOT_FOUND", nil, cache:put("gone", 1, { only_if_present = true }))
assert(cache:put("gone", 2, { only_if_absent = true }))
