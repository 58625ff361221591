-- increment
local cache = open()
equal(cache:increment("n"), 1)
equal(cache:increment("n"), 2)
equal(cache:increment("n", 10), 12)
equal(cache:increment("n", -20), -8)
equal(cache:get("n"), -8)
equal(cache:increment("from", 5, { initial = 100 }), 105)
equal(cache:increment("from", 5, { initial = 100 }), 110)
assert(cache:set("set", 41))
equal(cache:increment("set"), 42)
for _, wrong in ipairs({ "5", true, { 1 }, 1.5 }) do
  assert(cache:set("wrong", wrong))
  fails("INVALID", nil, cache:increment("wrong"))
  equal(cache:get("wrong"), wrong)
end
if math.type then
  assert(cache:set("max", math.maxinteger))
  fails("INVALID", nil, cache:increment("max"))
  equal(cache:get("max"), math.maxinteger)
  assert(cache:set("min", math.mininteger))
  fails("INVALID", nil, cache:increment("min", -1))
  equal(cache:increment("min", math.maxinteger), -1)
  fails("INVALID", "delta must be an integer", cache:increment("n", 1.0))
end
assert(cache:set("expired", 5, 0.01))
sleep(0.03)
equal(cache:increment("expired"), 1)
