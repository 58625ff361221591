-- What a time to live means: rules T1 to T5, T9, T10, as Lua sees them.

-- The time left is that of a lifetime given a moment ago.
local function about(left, seconds)
  if type(left) ~= "number" or left > seconds + 0.001 or left <= seconds / 2 then
    error("expected about " .. seconds .. " s, got " .. tostring(left), 2)
  end
end

-- Repeats what a short time to live may outrun on a slow machine, until it was in time.
local function in_time(attempt)
  for _ = 1, 50 do
    if attempt() then
      return
    end
  end
  error("never in time", 2)
end

function cases.t1_never_does_not_expire(cache)
  for _, never in ipairs({ 0, 0.0, -0.0, math.huge }) do
    assert(cache:set("k", "v", never))
    sleep(0.02)
    equal(cache:get("k"), "v")
    equal(cache:ttl("k"), math.huge)
    equal(cache:entry("k").ttl, math.huge)
    equal(cache:put("k", "v", { ttl = never }).ttl, math.huge)
  end
end

function cases.t1_default_is_what_the_store_is_configured_with(cache)
  -- Without a default, never.
  assert(cache:set("k", 1))
  equal(cache:ttl("k"), math.huge)
  assert(cache:set("k", 1, nil))
  equal(cache:ttl("k"), math.huge)
  equal(cache:put("k", 1).ttl, math.huge)

  local small = open("app:small")
  local function is_default(left)
    assert(left > 0 and left <= 0.101, left)
  end
  is_default(small:put("put", 1).ttl)
  is_default(small:put("empty", 1, {}).ttl)
  assert(small:set("set", 1))
  assert(small:set_many({ { key = "many", value = 1 } }))
  equal(small:increment("n"), 1)
  assert(small:set("touched", 1, 60))
  equal(small:touch("touched"), true)
  sleep(0.15)
  for _, key in ipairs({ "put", "empty", "set", "many", "n", "touched" }) do
    equal(small:has(key), false, key)
  end
  -- Never is not the default.
  assert(small:set("never", 1, 0))
  about(small:ttl("never"), 3600)
end

function cases.t2_an_invalid_ttl_writes_nothing_and_the_old_value_stays(cache)
  assert(cache:set("k", "old", 0))
  local version = cache:entry("k").version
  for _, ttl in ipairs({ -1, -0.001, -5e-324, -math.huge, 0 / 0, min_integer, "60", "0", "", true, false, {}, print }) do
    fails("INVALID", "ttl", cache:set("k", "new", ttl))
    fails("INVALID", "ttl", cache:put("k", "new", { ttl = ttl }))
    fails("INVALID", "ttl", cache:touch("k", ttl))
    fails("INVALID", "ttl", cache:get_and_touch("k", ttl))
    fails("INVALID", "ttl", cache:increment("n", 1, { ttl = ttl }))
    fails("INVALID", "ttl", cache:set_many({ { key = "j", value = "new" }, { key = "k", value = "new", ttl = ttl } }))
    fails("INVALID", "ttl", cache:set_many({ { key = "j", value = "new" }, { key = "k", value = "new" } }, ttl))
  end
  equal(cache:get("k"), "old")
  equal(cache:ttl("k"), math.huge)
  equal(cache:entry("k").version, version)
  equal(cache:has("j"), false)
  equal(cache:has("n"), false)
end

function cases.t3_precision_is_a_millisecond(cache)
  -- An entry of a long time to live is the clock: the ones that are measured lose what it loses.
  assert(cache:set("clock", true, 3600))
  for _, asked in ipairs({ 61.001, 61.5, 61.999, 600.001 }) do
    local before = cache:ttl("clock")
    assert(cache:set("k", "v", asked))
    local left = cache:ttl("k")
    local passed = before - cache:ttl("clock")
    assert(left <= asked + 0.0011, left)
    assert(left >= asked - passed - 0.005, left)
  end
end

function cases.t3_a_fraction_of_a_millisecond_is_one(cache)
  for i, ttl in ipairs({ 0.0009, 0.0001, 1e-9, 5e-324 }) do
    local written = assert(cache:put("put" .. i, "v", { ttl = ttl }))
    assert(written.ttl <= 0.002, written.ttl)
    assert(cache:set("set" .. i, "v", ttl))
    assert(cache:set("touched" .. i, "v"))
    equal(cache:touch("touched" .. i, ttl), true)
  end
  sleep(0.03)
  for i = 1, 4 do
    equal(cache:has("put" .. i), false)
    equal(cache:has("set" .. i), false)
    equal(cache:has("touched" .. i), false)
  end
end

function cases.t4_the_longest_ttl_is_a_hundred_years(cache)
  local century = 3155760000
  for _, ttl in ipairs({ century, century * 2, max_integer, 1e300, 1.7976931348623157e308 }) do
    assert(cache:set("k", "v", ttl))
    about(cache:ttl("k"), century)
    equal(cache:touch("k", ttl), true)
    about(cache:ttl("k"), century)
    equal(cache:get_and_touch("k", ttl), "v")
    about(cache:entry("k").ttl, century)
    about(cache:put("k", "v", { ttl = ttl }).ttl, century)
    equal(cache:get("k"), "v")
  end
  equal(cache:increment("n", 1, { ttl = max_integer }), 1)
  about(cache:ttl("n"), century)
end

function cases.t5_overwrite_never_inherits_ttl(cache)
  assert(cache:set("k", "a", 60))
  equal(cache:put("k", "b").ttl, math.huge)
  equal(cache:ttl("k"), math.huge)
  assert(cache:set("k", "c", 60))
  assert(cache:set("k", "d"))
  equal(cache:ttl("k"), math.huge)
  assert(cache:set("k", "e", 3600))
  assert(cache:set("k", "f", 60))
  about(cache:ttl("k"), 60)
end

function cases.t5_conditional_writes_never_inherit_ttl(cache)
  assert(cache:set("k", "a", 60))
  equal(cache:put("k", "b", { only_if_present = true }).ttl, math.huge)
  equal(cache:ttl("k"), math.huge)
  local version = cache:put("k", "a", { ttl = 60 }).version
  equal(cache:put("k", "b", { if_version = version }).ttl, math.huge)
  equal(cache:ttl("k"), math.huge)
end

function cases.t5_batch_writes_never_inherit_ttl(cache)
  assert(cache:set("k", "a", 60))
  equal(cache:set_many({ { key = "k", value = "b" } }), { true, n = 1 })
  equal(cache:get("k"), "b")
  equal(cache:ttl("k"), math.huge)
  assert(cache:set("k", "a", 3600))
  equal(cache:set_many({ { key = "k", value = "c" } }, 60), { true, n = 1 })
  about(cache:ttl("k"), 60)
end

function cases.t5_a_shorter_ttl_replaces_a_longer_one_and_the_reverse(cache)
  assert(cache:set("a", "v", 60))
  assert(cache:set("a", "v", 0.05))
  assert(cache:set("b", "v", 0.05))
  assert(cache:set("b", "v", 60))
  assert(cache:set("c", "v", 0.05))
  assert(cache:set("c", "v", 0))
  sleep(0.1)
  equal(cache:has("a"), false, "the shorter time counts")
  equal(cache:has("b"), true, "the longer time counts")
  equal(cache:has("c"), true, "never counts")
end

function cases.t5_keep_ttl_keeps_the_deadline(cache)
  assert(cache:set("long", "a", 60))
  about(cache:put("long", "b", { keep_ttl = true }).ttl, 60)
  about(cache:ttl("long"), 60)
  equal(cache:get("long"), "b")
  in_time(function()
    assert(cache:set("k", "a", 0.05))
    local left = cache:put("k", "b", { keep_ttl = true }).ttl
    -- Too late for the entry: then there was no deadline to keep.
    return left <= 0.051
  end)
  sleep(0.1)
  equal(cache:has("k"), false, "the deadline was kept")
end

function cases.t5_keep_ttl_of_an_entry_without_deadline_keeps_none(cache)
  -- In a store whose own default is another.
  local small = open("app:small")
  assert(cache:set("k", "a"))
  equal(cache:put("k", "b", { keep_ttl = true }).ttl, math.huge)
  equal(cache:ttl("k"), math.huge)
  equal(cache:get("k"), "b")
  assert(small:set("k", "a", 0))
  about(small:put("k", "b", { keep_ttl = true }).ttl, 3600)
  sleep(0.12)
  equal(small:get("k"), "b", "the default is not applied")
end

function cases.t5_keep_ttl_without_a_live_entry_uses_the_ttl_of_the_call(cache)
  -- From Lua that is the default of the store: ttl and keep_ttl exclude each other.
  fails("INVALID", "exclude each other", cache:put("k", "a", { ttl = 60, keep_ttl = true }))
  equal(cache:has("k"), false)
  equal(cache:put("k", "a", { keep_ttl = true }).ttl, math.huge)
  local small = open("app:small")
  assert(small:put("new", "a", { keep_ttl = true }).ttl <= 0.101)
  assert(cache:set("k", "b", 0.05))
  sleep(0.1)
  equal(cache:put("k", "c", { keep_ttl = true }).ttl, math.huge)
  equal(cache:ttl("k"), math.huge)
  equal(small:has("new"), false)
end

function cases.t5_increment_keeps_the_ttl_of_a_live_counter(cache)
  assert(cache:set("long", 1, 60))
  equal(cache:increment("long", 1, { ttl = 3600 }), 2)
  equal(cache:increment("long"), 3)
  about(cache:ttl("long"), 60)
  in_time(function()
    assert(cache:set("n", 100, 0.05))
    -- Too late for the counter: then it started anew.
    return cache:increment("n", 1, { ttl = 60 }) == 101
  end)
  sleep(0.1)
  equal(cache:has("n"), false, "the deadline was kept")
  assert(cache:set("m", 1, 0))
  equal(cache:increment("m", 1, { ttl = 60 }), 2)
  equal(cache:ttl("m"), math.huge, "also that there is none")
end

function cases.t5_increment_sets_its_ttl_when_it_creates_the_counter(cache)
  equal(cache:increment("n", 1, { ttl = 0.05 }), 1)
  sleep(0.1)
  equal(cache:has("n"), false)
  equal(cache:increment("n", 1, { ttl = 60 }), 1)
  about(cache:ttl("n"), 60)
end

function cases.t5_touch_replaces_the_ttl(cache)
  assert(cache:set("k", "v", 3600))
  equal(cache:touch("k", 60), true)
  about(cache:ttl("k"), 60)
  for _, never in ipairs({ 0, math.huge }) do
    equal(cache:touch("k", 60), true)
    equal(cache:touch("k", never), true)
    equal(cache:ttl("k"), math.huge)
  end
  equal(cache:touch("k", 0.05), true)
  sleep(0.1)
  equal(cache:has("k"), false)
end

function cases.t5_get_and_touch_replaces_the_ttl(cache)
  in_time(function()
    assert(cache:set("k", "v", 0.05))
    return cache:get_and_touch("k", 60) == "v"
  end)
  sleep(0.1)
  about(cache:ttl("k"), 60)
  equal(cache:get_and_touch("k", 0), "v")
  equal(cache:ttl("k"), math.huge)
  equal(cache:get_and_touch("k", 0.05), "v")
  sleep(0.1)
  equal(cache:has("k"), false)
end

function cases.t9_ttl_has_three_outcomes(cache)
  local left, err = cache:ttl("k")
  equal(left, nil)
  equal(err, nil)
  assert(cache:set("k", "v", 0))
  equal(cache:ttl("k"), math.huge)
  assert(cache:set("k", "v", 60))
  about(cache:ttl("k"), 60)
  assert(cache:set("k", "v", 0.05))
  sleep(0.1)
  left, err = cache:ttl("k")
  equal(left, nil)
  equal(err, nil)
end

function cases.t9_every_read_tells_the_same_time_left(cache)
  -- One after another: none says more than the one before.
  local last = 60.001
  local function check(left, what)
    assert(not math.type or math.type(left) == "float", what)
    assert(left <= last + 0.002 and left > 30, what)
    last = left
  end
  check(cache:put("k", "v", { ttl = 60 }).ttl, "put")
  check(cache:ttl("k"), "ttl")
  check(cache:entry("k").ttl, "entry")
  local page = assert(cache:list())
  equal(#page.items, 1)
  check(page.items[1].ttl, "list")
  check(cache:put("k", "w", { keep_ttl = true }).ttl, "put that keeps")
  check(cache:ttl("k"), "ttl")

  assert(cache:set("k", "v", 0))
  equal(cache:entry("k").ttl, math.huge)
  equal(cache:list().items[1].ttl, math.huge)
end

function cases.t9_time_left_goes_down_with_time(cache)
  assert(cache:set("k", "v", 60))
  local before = cache:ttl("k")
  sleep(0.05)
  local after = cache:ttl("k")
  assert(before <= 60.001, before)
  assert(after <= before - 0.045, after)
end

function cases.t10_max_ttl_caps_longer_ones_and_never(_)
  local small = open("app:small")
  for _, ttl in ipairs({ 0, math.huge, 3601, 360000, 1e300 }) do
    assert(small:set("k", "v", ttl))
    about(small:ttl("k"), 3600)
    equal(small:touch("k", 60), true)
    equal(small:touch("k", ttl), true)
    about(small:ttl("k"), 3600)
    equal(small:get_and_touch("k", 60), "v")
    equal(small:get_and_touch("k", ttl), "v")
    about(small:ttl("k"), 3600)
    assert(small:set_many({ { key = "k", value = "v", ttl = ttl } }))
    about(small:ttl("k"), 3600)
    assert(small:set_many({ { key = "k", value = "v" } }, ttl))
    about(small:ttl("k"), 3600)
    about(small:put("k", "v", { ttl = ttl }).ttl, 3600)
    assert(small:delete("k"))
    equal(small:increment("n", 1, { ttl = ttl }), 1)
    about(small:ttl("n"), 3600)
    assert(small:delete("n"))
  end
  assert(small:set("k", "v", 10))
  about(small:ttl("k"), 10)
end
