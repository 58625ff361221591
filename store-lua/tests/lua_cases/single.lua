-- Operations on one key: get, has, delete, entry, touch, get_and_touch, take.

function cases.get_gives_what_was_put(cache)
  equal(cache:set("a", "1"), true)
  equal(cache:set("b", "2"), true)
  equal(cache:get("a"), "1")
  equal(cache:get("b"), "2")
  local value, err = cache:get("c")
  equal(value, nil)
  equal(err, nil)
  assert(cache:set("a", "3"))
  equal(cache:get("a"), "3")
end

function cases.has_tells_without_reading(cache)
  equal(cache:has("k"), false)
  assert(cache:set("k", "v"))
  equal(cache:has("k"), true)
  assert(cache:delete("k"))
  local has, err = cache:has("k")
  equal(has, false)
  equal(err, nil)
end

function cases.delete_is_true_once(cache)
  assert(cache:set("k", "v"))
  assert(cache:set("other", "v"))
  equal(cache:delete("k"), true)
  equal(cache:delete("k"), false)
  equal(cache:get("k"), nil)
  equal(cache:has("other"), true)
end

function cases.delete_with_a_version_deletes_only_that(cache)
  local old = assert(cache:put("k", "a")).version
  local new = assert(cache:put("k", "b")).version
  fails("CONFLICT", nil, cache:delete("k", { if_version = old }))
  fails("CONFLICT", nil, cache:delete("k", { if_version = "no such version" }))
  equal(cache:get("k"), "b")
  equal(cache:delete("k", { if_version = new }), true)
  equal(cache:delete("k", { if_version = new }), false, "absent is false, whatever the version")
  equal(cache:delete("never was", { if_version = new }), false)
end

function cases.entry_gives_value_version_and_ttl(cache)
  local none, err = cache:entry("k")
  equal(none, nil)
  equal(err, nil)
  local written = assert(cache:put("k", { 1, "v" }))
  local entry = cache:entry("k")
  equal(type(entry.version), "string")
  equal(entry, { key = "k", value = { 1, "v" }, version = written.version, ttl = math.huge })
  equal(cache:entry("k"), entry, "reading changes nothing")
end

function cases.touch_is_true_iff_live_and_keeps_the_value(cache)
  equal(cache:touch("k", 0), false)
  equal(cache:has("k"), false, "touching creates nothing")
  assert(cache:set("k", "v"))
  equal(cache:touch("k", 0), true)
  equal(cache:get("k"), "v")
  assert(cache:delete("k"))
  equal(cache:touch("k", 0), false)
  equal(cache:has("k"), false)
end

function cases.touch_with_a_version_touches_only_that(cache)
  local old = assert(cache:put("k", "a")).version
  local new = assert(cache:put("k", "b")).version
  fails("CONFLICT", nil, cache:touch("k", 60, { if_version = old }))
  equal(cache:ttl("k"), math.huge, "a refused touch changes nothing")
  equal(cache:touch("k", 60, { if_version = new }), true)
  local left = cache:ttl("k")
  assert(left > 0 and left <= 60.001, left)
  equal(cache:touch("k", 0, { if_version = new }), true, "touching keeps the version")
  equal(cache:ttl("k"), math.huge)
  equal(cache:touch("absent", 0, { if_version = new }), false)
end

function cases.get_and_touch_reads_and_creates_nothing(cache)
  local none, err = cache:get_and_touch("k", 60)
  equal(none, nil)
  equal(err, nil)
  equal(cache:has("k"), false)
  local version = assert(cache:put("k", "v")).version
  equal(cache:get_and_touch("k", 0), "v")
  equal(cache:entry("k").version, version)
end

function cases.take_reads_and_deletes(cache)
  equal(cache:take("k"), nil)
  assert(cache:set("k", "v"))
  equal(cache:take("k"), "v")
  equal(cache:has("k"), false)
  local again, err = cache:take("k")
  equal(again, nil)
  equal(err, nil)
  assert(cache:put("k", "w", { only_if_absent = true }))
  equal(cache:get("k"), "w")
end
