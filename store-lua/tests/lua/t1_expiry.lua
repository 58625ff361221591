-- T1 to T4, T6, T9, T10 as Lua sees them.
local cache, small = open(), open("app:small")

-- Omitted, nil, 0 and math.huge.
assert(cache:set("a", 1))
assert(cache:set("b", 1, nil))
assert(cache:set("c", 1, 0))
assert(cache:set("d", 1, math.huge))
for _, key in ipairs({ "a", "b", "c", "d" }) do
  equal(cache:ttl(key), math.huge, key)
  equal(cache:entry(key).ttl, math.huge, key)
end
assert(cache:set("e", 1, 100))
local left = cache:ttl("e")
assert(left > 99 and left <= 100, left)
equal(cache:ttl("missing"), nil)

-- The store's default and cap.
assert(small:set("default", 1))
left = small:ttl("default")
assert(left > 0 and left <= 0.1, left)
assert(small:set("never", 1, 0))
left = small:ttl("never")
assert(left > 3590 and left <= 3600, left)
assert(small:set("long", 1, 1e9))
assert(small:ttl("long") <= 3600)

-- Fractions: readable until the deadline, absent from then on.
assert(cache:set("f", 1, 0.6))
sleep(0.05)
equal(cache:get("f"), 1)
assert(cache:has("f"))
sleep(0.6)
equal(cache:get("f"), nil)
equal(cache:has("f"), false)
equal(cache:ttl("f"), nil)
equal(cache:delete("f"), false)
equal(#cache:list({ prefix = "f" }).items, 0)

-- Tiny ones are rounded up to 1 ms, huge ones clamped to 100 years.
assert(cache:set("tiny", 1, 1e-12))
sleep(0.01)
equal(cache:get("tiny"), nil)
assert(cache:set("huge", 1, 1e300))
left = cache:ttl("huge")
assert(left > 99 * 365 * 86400 and left < 101 * 366 * 86400, left)

-- touch and get_and_touch.
assert(cache:set("t", "v", 100))
equal(cache:touch("t", 0), true)
equal(cache:ttl("t"), math.huge)
equal(cache:touch("t", 50), true)
assert(cache:ttl("t") <= 50)
equal(cache:get_and_touch("t", 500), "v")
assert(cache:ttl("t") > 400)
equal(cache:get_and_touch("t", 0), "v")
equal(cache:ttl("t"), math.huge)
