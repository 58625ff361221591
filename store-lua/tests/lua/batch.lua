-- get_many, set_many, delete_many
local cache = open()
equal(cache:set_many({ { key = "a", value = 1 }, { key = "b", value = false, ttl = 100 }, { key = "c", value = { 1 } } }, 200), { true, true, true, n = 3 })
assert(cache:ttl("a") > 100 and cache:ttl("a") <= 200)
assert(cache:ttl("b") <= 100)
equal(cache:get_many({ "a", "none", "b", "a", "c" }), { 1, nil, false, 1, { 1 }, n = 5 })
equal(cache:get_many({}), { n = 0 })
equal(cache:set_many({}), { n = 0 })
equal(cache:delete_many({}), { n = 0 })
equal(cache:get_many({ "a", "b", n = 1 }), { 1, n = 1 })
assert(cache:set_many({ { key = "d", value = 1 }, { key = "d", value = 2 } }))
equal(cache:get("d"), 2)
equal(cache:delete_many({ "a", "none", "a", "b" }), { true, false, false, true, n = 4 })
equal(cache:has("a"), false)

-- One invalid item refuses the whole batch before anything is done.
local err = fails("INVALID", nil, cache:set_many({ { key = "x", value = 1 }, { key = "y", value = print } }))
equal(err:details().index, 2)
equal(cache:has("x"), false)
err = fails("INVALID", "the key is empty", cache:set_many({ { key = "x", value = 1 }, { key = "", value = 1 } }))
equal(err:details().index, 2)
equal(cache:has("x"), false)
fails("INVALID", "the key is empty", cache:get_many({ "c", "" }))
fails("INVALID", "the key is empty", cache:delete_many({ "c", "" }))
assert(cache:has("c"))
fails("INVALID", "value is required", cache:set_many({ { key = "x" } }))

local many = {}
for i = 1, 1000 do
  many[i] = { key = "m" .. i, value = i }
end
equal(cache:set_many(many).n, 1000)
local keys = {}
for i = 1, 1000 do
  keys[i] = "m" .. i
end
local got = cache:get_many(keys)
for i = 1, 1000 do
  assert(got[i] == i)
end
keys[1001] = "one more"
many[1001] = { key = "one more", value = 1 }
equal(fails("INVALID", "at most 1000", cache:get_many(keys)):details().limit, 1000)
fails("INVALID", "at most 1000", cache:set_many(many))
fails("INVALID", "at most 1000", cache:delete_many(keys))
fails("INVALID", "at most 1000", cache:get_many({ n = 100000000 }))
fails("INVALID", "n must be", cache:get_many({ n = "1" }))
keys[1001] = nil
local deleted = cache:delete_many(keys)
for i = 1, 1000 do
  assert(deleted[i] == true)
end
