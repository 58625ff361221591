-- Increment.

function cases.increment_counts_from_the_start_value(cache)
  equal(cache:increment("a", 1), 1)
  equal(cache:increment("a", 41), 42)
  equal(cache:increment("a", -50), -8)
  equal(cache:increment("a", 0), -8)
  equal(cache:increment("b", 2, { initial = 40 }), 42)
  equal(cache:increment("b", 2, { initial = 1000 }), 44, "the start value counts only once")
  equal(cache:increment("c", 2, { initial = -7 }), -5)
end

function cases.increment_writes_what_get_reads_and_the_reverse(cache)
  local starts = {
    0, 1, 127, 128, 255, 65535, 4294967296, -1, -32, -33, -129, -70000, min_integer, max_integer - 1,
  }
  for _, start in ipairs(starts) do
    assert(cache:set("n", start))
    equal(cache:increment("n", 1), start + 1)
    equal(cache:get("n"), start + 1)
    equal(cache:entry("n").value, start + 1)
  end
end

function cases.increment_overflow_is_invalid_and_changes_nothing(cache)
  if not math.maxinteger then
    -- The sum is stored, and what this Lua has no number for is refused, not rounded.
    assert(cache:set("n", max_integer))
    equal(fails("INVALID", "beyond the integers", cache:increment("n", 1)):details().reason, "range")
    fails("INVALID", "beyond the integers", cache:get("n"))
    equal(cache:increment("n", -1), max_integer)
    return
  end
  local max, min = math.maxinteger, math.mininteger
  for _, case in ipairs({ { max, 1 }, { max, max }, { min, -1 }, { min, min }, { 1, max } }) do
    local start, delta = case[1], case[2]
    local version = assert(cache:put("n", start)).version
    fails("INVALID", nil, cache:increment("n", delta))
    local entry = cache:entry("n")
    equal(entry.value, start)
    equal(entry.version, version)
  end
  fails("INVALID", nil, cache:increment("new", 1, { initial = max }))
  equal(cache:has("new"), false, "a failed increment creates nothing")
  assert(cache:set("n", max - 1))
  equal(cache:increment("n", 1), max)
  equal(cache:increment("n", min), -1)
end

function cases.increment_of_what_is_no_integer_is_invalid_and_changes_nothing(cache)
  for _, value in ipairs({ "1", "", "\255", "text", math.type and 1.0 or 1.5, true, false, { 1 }, { n = 1 }, {} }) do
    local version = assert(cache:put("n", value)).version
    fails("INVALID", nil, cache:increment("n", 1))
    fails("INVALID", nil, cache:increment("n", 0))
    local entry = cache:entry("n")
    equal(entry.value, value)
    equal(entry.version, version)
  end
end

function cases.increment_through_a_handle_has_its_defaults(cache)
  equal(cache:increment("n"), 1)
  equal(cache:increment("n", 1), 2)
  equal(cache:increment("n", nil, {}), 3)
  equal(cache:increment("m", -1, { initial = 10 }), 9)
  equal(cache:increment("o", nil, { initial = 10 }), 11)
  equal(cache:ttl("n"), math.huge)
end
