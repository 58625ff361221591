-- From its deadline on an entry is absent, for every operation: rules T6 to T8, as Lua sees them.

-- `k` has expired, and `live` has not. Returns the version that `k` had.
local function expired(cache)
  assert(cache:set("live", "live", 0))
  local version = assert(cache:put("k", "dead", { ttl = 0.05 })).version
  sleep(0.1)
  return version
end

-- Absent, and not by an error.
local function nothing(value, err)
  equal(value, nil)
  equal(err, nil)
end

-- An entry of a long time to live is the clock of the store: it tells the seconds since it was set.
local function clock(cache)
  assert(cache:set("clock", true, 3600))
  local start = cache:ttl("clock")
  return function()
    return start - cache:ttl("clock")
  end
end

function cases.t6_readable_until_its_deadline_and_absent_from_it_on(cache)
  local now = clock(cache)
  for _, ttl in ipairs({ 0.001, 0.007, 0.05 }) do
    local before = now()
    assert(cache:set("k", "v", ttl))
    local after = now()
    repeat
      local asked = now()
      local found = cache:get("k")
      local answered = now()
      if found then
        assert(asked - after < ttl + 0.005, "late")
        sleep(0.001)
      else
        assert(answered - before >= ttl - 0.003, "early")
      end
    until not found
  end
end

function cases.t6_a_live_entry_is_readable_shortly_before_its_deadline(cache)
  local now = clock(cache)
  for _ = 1, 3 do
    local before = now()
    assert(cache:set("k", "v", 0.1))
    sleep(0.05)
    local has, value, entry, left, items = cache:has("k"), cache:get("k"), cache:entry("k"), cache:ttl("k"), cache:list({ prefix = "k" }).items
    -- What was asked in time was there; a machine that was too slow asks again.
    if now() - before < 0.09 then
      equal(has, true)
      equal(value, "v")
      equal(entry.value, "v")
      assert(left > 0 and left <= 0.06, left)
      equal(#items, 1)
      return
    end
  end
end

function cases.t6_expired_is_absent_for_reads(cache)
  expired(cache)
  nothing(cache:get("k"))
  equal(cache:has("k"), false)
  nothing(cache:entry("k"))
  nothing(cache:ttl("k"))
  nothing(cache:take("k"))
  nothing(cache:get_and_touch("k", 60))
  equal(cache:get("live"), "live")
end

function cases.t6_touch_revives_nothing(cache)
  local version = expired(cache)
  equal(cache:touch("k", 0), false)
  nothing(cache:get("k"))
  equal(cache:touch("k", 60), false)
  nothing(cache:get("k"))
  nothing(cache:get_and_touch("k", 0))
  nothing(cache:get("k"))
  equal(cache:touch("k", 0, { if_version = version }), false)
  nothing(cache:get("k"))
  -- Also where touching is the first that hears of it.
  version = cache:put("k", "dead", { ttl = 0.05 }).version
  sleep(0.1)
  equal(cache:touch("k", 0, { if_version = version }), false)
  nothing(cache:get("k"))
end

function cases.t6_expired_is_not_deleted(cache)
  local version = expired(cache)
  equal(cache:delete("k", { if_version = version }), false)
  equal(cache:delete("k"), false)
  assert(cache:set("k", "dead", 0.05))
  sleep(0.1)
  equal(cache:delete("k"), false)
  equal(cache:delete("live"), true)
end

function cases.t6_expired_is_absent_for_conditional_writes(cache)
  local version = expired(cache)
  fails("NOT_FOUND", nil, cache:put("k", "new", { only_if_present = true }))
  fails("NOT_FOUND", nil, cache:put("k", "new", { if_version = version }))
  nothing(cache:get("k"))
  equal(cache:put("k", "new", { only_if_absent = true }).value, "new")
  equal(cache:get("k"), "new")
  equal(cache:ttl("k"), math.huge)
end

function cases.t6_increment_starts_anew(cache)
  assert(cache:set("n", 100, 0.05))
  assert(cache:set("s", "not a number", 0.05))
  sleep(0.1)
  equal(cache:increment("n", 1, { initial = 10, ttl = 0 }), 11)
  equal(cache:ttl("n"), math.huge)
  equal(cache:increment("s"), 1, "what expired is no obstacle")
end

function cases.t6_expired_is_absent_for_batches(cache)
  expired(cache)
  equal(cache:get_many({ "k", "live", "k" }), { [2] = "live", n = 3 })
  equal(cache:delete_many({ "k", "live" }), { false, true, n = 2 })
end

function cases.t6_expired_is_not_listed(cache)
  expired(cache)
  local page = assert(cache:list())
  equal(#page.items, 1)
  equal(page.items[1].key, "live")
  equal(#cache:list({ prefix = "k" }).items, 0)
  equal(cache:list({ prefix = "k" }).has_more, false)
  -- Many of them, between the live ones.
  local items = {}
  for i = 0, 59 do
    items[#items + 1] = { key = string.format("n%02d", i), value = i, ttl = i % 20 == 0 and 0 or 0.05 }
  end
  assert(cache:set_many(items))
  sleep(0.1)
  for _, keys_only in ipairs({ false, true }) do
    local keys, after = {}, nil
    repeat
      page = assert(cache:list({ prefix = "n", limit = 2, after = after, keys_only = keys_only }))
      for _, item in ipairs(page.items) do
        keys[#keys + 1] = item.key
      end
      after = page.cursor
    until not page.has_more
    equal(keys, { "n00", "n20", "n40" })
  end
  local values = {}
  for _, value in cache:each({ prefix = "n", limit = 2 }) do
    values[#values + 1] = value
  end
  equal(values, { 0, 20, 40 })
end

function cases.t6_expired_is_not_counted_by_clear(cache)
  expired(cache)
  equal(cache:clear({ prefix = "k" }), 0)
  equal(cache:clear(), 1)
end

function cases.t6_a_new_value_after_expiry_owes_nothing_to_the_old(cache)
  local old = expired(cache)
  local new = assert(cache:put("k", "new"))
  equal(new.ttl, math.huge)
  assert(new.version ~= old, "versions are not reused")
  sleep(0.1)
  equal(cache:get("k"), "new", "the old deadline must not strike the new entry")
  equal(cache:ttl("k"), math.huge)
  equal(cache:entry("k").version, new.version)
end

function cases.t6_what_was_touched_lives_beyond_its_old_deadline(cache)
  local keys = { "never", "long", "put" }
  local in_time = false
  for _ = 1, 50 do
    for _, key in ipairs(keys) do
      assert(cache:set(key, "v", 0.05))
    end
    -- On a slow machine there may be nothing left to touch: again.
    local never, long = cache:touch("never", 0), cache:touch("long", 60)
    assert(cache:set("put", "w", 60))
    if never and long then
      in_time = true
      break
    end
  end
  assert(in_time, "never in time")
  sleep(0.1)
  for _, key in ipairs(keys) do
    equal(cache:has(key), true, key)
  end
  equal(cache:ttl("never"), math.huge)
  equal(cache:get_many(keys), { "v", "v", "w", n = 3 })
end

function cases.t6_what_expired_stays_absent(cache)
  expired(cache)
  for _ = 1, 5 do
    nothing(cache:get("k"))
    equal(cache:touch("k", 0), false)
    equal(cache:delete("k"), false)
    sleep(0.001)
  end
  equal(cache:has("live"), true)
end

function cases.t8_entries_expire_one_after_another(cache)
  local now = clock(cache)
  local before = now()
  -- The longest first: the order is that of the deadlines, not that of the writes.
  assert(cache:set("3", "v", 60))
  assert(cache:set("2", "v", 0.1))
  assert(cache:set("1", "v", 0.05))
  sleep(0.08)
  local second = cache:has("2")
  local passed = now() - before
  equal(cache:has("1"), false)
  equal(cache:has("3"), true)
  if passed < 0.097 then
    equal(second, true, "not before its turn")
  end
  sleep(0.1)
  equal(cache:has("1"), false)
  equal(cache:has("2"), false)
  equal(cache:has("3"), true)
end
