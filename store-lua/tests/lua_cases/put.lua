-- Put, and its conditions.

function cases.put_says_version_and_ttl(cache)
  local written = assert(cache:put("k", "v"))
  equal(written.key, "k")
  equal(written.value, "v")
  equal(written.ttl, math.huge)
  equal(cache:entry("k").version, written.version)
  written = assert(cache:put("k", "v", { ttl = 60 }))
  assert(written.ttl > 30 and written.ttl <= 60.001, written.ttl)
  equal(cache:entry("k").version, written.version)
end

function cases.put_only_if_absent(cache)
  local first = assert(cache:put("k", "a", { only_if_absent = true }))
  fails("ALREADY_EXISTS", nil, cache:put("k", "b", { only_if_absent = true }))
  local entry = cache:entry("k")
  equal(entry.value, "a", "a refused put changes nothing")
  equal(entry.version, first.version)
  assert(cache:delete("k"))
  assert(cache:put("k", "c", { only_if_absent = true }))
  equal(cache:get("k"), "c")
end

function cases.put_only_if_present(cache)
  fails("NOT_FOUND", nil, cache:put("k", "a", { only_if_present = true }))
  equal(cache:has("k"), false)
  assert(cache:set("k", "b"))
  assert(cache:put("k", "c", { only_if_present = true }))
  equal(cache:get("k"), "c")
  assert(cache:delete("k"))
  fails("NOT_FOUND", nil, cache:put("k", "d", { only_if_present = true }))
  equal(cache:has("k"), false)
end

function cases.put_if_version(cache)
  local first = assert(cache:put("k", "a")).version
  local second = assert(cache:put("k", "b", { if_version = first })).version
  assert(first ~= second)
  fails("CONFLICT", nil, cache:put("k", "c", { if_version = first }))
  equal(cache:get("k"), "b", "a refused put changes nothing")
  equal(cache:entry("k").version, second)
  assert(cache:put("k", "d", { if_version = second }))
  equal(cache:get("k"), "d")
  assert(cache:delete("k"))
  fails("NOT_FOUND", nil, cache:put("k", "e", { if_version = second }))
  equal(cache:has("k"), false)
end

function cases.put_if_version_with_a_strange_version_conflicts(cache)
  assert(cache:set("k", "a"))
  local strange = { "", "0", "*", "0000000000000000", "ffffffffffffffff", "\0", "not a version", ("x"):rep(5000) }
  for _, version in ipairs(strange) do
    fails("CONFLICT", nil, cache:put("k", "b", { if_version = version }))
    fails("CONFLICT", nil, cache:delete("k", { if_version = version }))
    fails("CONFLICT", nil, cache:touch("k", 60, { if_version = version }))
  end
  equal(cache:get("k"), "a")
  equal(cache:ttl("k"), math.huge)
end

function cases.put_conflicts_are_worth_retrying_and_refusals_are_not(cache)
  assert(cache:set("k", "a"))
  local exists = fails("ALREADY_EXISTS", nil, cache:put("k", "b", { only_if_absent = true }))
  equal(exists:retryable(), false)
  local absent = fails("NOT_FOUND", nil, cache:put("j", "b", { only_if_present = true }))
  equal(absent:retryable(), false)
  local conflict = fails("CONFLICT", nil, cache:put("k", "b", { if_version = "0000000000000001" }))
  equal(conflict:retryable(), true)
end

function cases.put_conditions_go_with_ttl_and_keep_ttl(cache)
  local function limited(entry)
    assert(entry.ttl > 0 and entry.ttl <= 60.001, entry.ttl)
  end
  limited(assert(cache:put("k", "a", { only_if_absent = true, ttl = 60 })))
  limited(assert(cache:put("k", "a", { only_if_present = true, keep_ttl = true })))
  assert(cache:set("k", "b"))
  local written = assert(cache:put("k", "c", { only_if_present = true, keep_ttl = true }))
  equal(written.ttl, math.huge, "the deadline was kept")
  written = assert(cache:put("k", "d", { if_version = written.version, keep_ttl = true }))
  equal(written.ttl, math.huge)
  written = assert(cache:put("k", "e", { if_version = written.version, ttl = 60 }))
  limited(written)
  limited(cache:entry("k"))
  equal(cache:get("k"), "e")
end

function cases.put_options_that_exclude_each_other_are_invalid(cache)
  local version = assert(cache:put("k", "old")).version
  local excluding = {
    { only_if_absent = true, if_version = version },
    { only_if_absent = true, only_if_present = true },
    { ttl = 1, keep_ttl = true },
    { ttl = 0, keep_ttl = true },
  }
  for _, options in ipairs(excluding) do
    fails("INVALID", nil, cache:put("k", "new", options))
    fails("INVALID", nil, cache:put("absent", "new", options))
  end
  equal(cache:get("k"), "old")
  equal(cache:entry("k").version, version)
  equal(cache:has("absent"), false)
end

function cases.put_through_a_handle_answers_as_the_contract_says(cache)
  fails("NOT_FOUND", nil, cache:put("k", 1, { only_if_present = true }))
  local first = assert(cache:put("k", 1, { only_if_absent = true }))
  fails("ALREADY_EXISTS", nil, cache:put("k", 2, { only_if_absent = true }))
  assert(cache:put("k", 3, { only_if_present = true }))
  fails("CONFLICT", nil, cache:put("k", 4, { if_version = first.version }))
  fails("NOT_FOUND", nil, cache:put("j", 4, { if_version = first.version }))
  local entry = cache:entry("k")
  equal(entry.value, 3)
  -- A version survives being stored as a value.
  assert(cache:set("version", entry.version))
  assert(cache:put("k", 5, { if_version = cache:get("version"), only_if_present = true }))
  equal(cache:get("k"), 5)
end
