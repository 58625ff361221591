-- Many keys at once: get_many, set_many, delete_many.

function cases.get_many_is_positional(cache)
  for index, key in ipairs({ "d", "b", "a", "c" }) do
    assert(cache:set(key, index))
  end
  local found = cache:get_many({ "c", "missing", "a", "d", "a", "zz", "b", "c" })
  equal(found, { 4, nil, 3, 1, 3, nil, 2, 4, n = 8 })
  equal(cache:get_many({ "a", "missing" }), { 3, n = 2 })
end

function cases.set_many_writes_all_and_the_last_of_equal_keys_stays(cache)
  assert(cache:set("b", "old"))
  local written = cache:set_many({
    { key = "b", value = 1 },
    { key = "a", value = 1 },
    { key = "b", value = 2 },
    { key = "c", value = 3 },
    { key = "b", value = 3 },
  })
  equal(written, { true, true, true, true, true, n = 5 })
  equal(cache:get("a"), 1)
  equal(cache:get("b"), 3)
  equal(cache:get("c"), 3)
end

function cases.set_many_has_a_ttl_per_item(cache)
  assert(cache:set_many({
    { key = "never", value = "v", ttl = 0 },
    { key = "long", value = "v" },
    { key = "short", value = "v", ttl = 0.05 },
  }, 60))
  equal(cache:ttl("never"), math.huge)
  local left = cache:ttl("long")
  assert(left > 0 and left <= 60.001, left)
  sleep(0.1)
  equal(cache:get_many({ "never", "long", "short" }), { "v", "v", n = 3 })
  equal(cache:has("short"), false)
  assert(cache:set_many({ { key = "twice", value = "v", ttl = 0.05 }, { key = "twice", value = "v", ttl = 0 } }))
  equal(cache:ttl("twice"), math.huge, "the last of equal keys counts, with its time to live")
end

function cases.delete_many_is_positional_and_true_once(cache)
  for _, key in ipairs({ "a", "b", "c" }) do
    assert(cache:set(key, "v"))
  end
  equal(cache:delete_many({ "c", "missing", "a", "c", "a" }), { true, false, true, false, false, n = 5 })
  equal(cache:has("b"), true)
  equal(cache:has("a"), false)
  equal(cache:has("c"), false)
end

function cases.batches_of_nothing_do_nothing(cache)
  assert(cache:set("k", "v"))
  equal(cache:get_many({}), { n = 0 })
  equal(cache:delete_many({}), { n = 0 })
  equal(cache:set_many({}), { n = 0 })
  equal(cache:get("k"), "v")
end

function cases.batches_take_a_thousand_and_no_more(cache)
  local keys, items = {}, {}
  for i = 1, 1001 do
    keys[i] = "k" .. i
    items[i] = { key = keys[i], value = i }
  end
  equal(fails("INVALID", nil, cache:set_many(items)):details().limit, 1000)
  equal(fails("INVALID", nil, cache:get_many(keys)):details().limit, 1000)
  equal(fails("INVALID", nil, cache:delete_many(keys)):details().limit, 1000)
  equal(cache:has("k1"), false)
  keys[1001], items[1001] = nil, nil
  equal(assert(cache:set_many(items)).n, 1000)
  local found = assert(cache:get_many(keys))
  equal(found.n, 1000)
  for i = 1, 1000 do
    equal(found[i], i)
  end
  local gone = assert(cache:delete_many(keys))
  equal(gone.n, 1000)
  for i = 1, 1000 do
    equal(gone[i], true)
  end
  equal(cache:has("k1000"), false)
end

function cases.batches_are_refused_whole_for_one_invalid_item(cache)
  assert(cache:set("a", 1))
  for _, bad in ipairs({ "", ("k"):rep(1025) }) do
    local err = fails("INVALID", nil, cache:set_many({
      { key = "a", value = 2 },
      { key = "b", value = 2 },
      { key = bad, value = 2 },
    }))
    equal(err:details().index, 3)
    fails("INVALID", nil, cache:delete_many({ "a", bad }))
    fails("INVALID", nil, cache:get_many({ "a", bad }))
  end
  -- A bad time to live, a bad value.
  fails("INVALID", nil, cache:set_many({ { key = "a", value = 2 }, { key = "b", value = 2, ttl = -1 } }))
  fails("INVALID", nil, cache:set_many({ { key = "a", value = 2 }, { key = "b", value = print } }))
  fails("INVALID", nil, cache:set_many({ { key = "a", value = 2 }, { key = "b" } }))
  equal(cache:get_many({ "a", "b" }), { 1, n = 2 }, "nothing was done")
end

function cases.batches_with_large_values(cache)
  local value = ("\197"):rep(200000)
  local keys, items = {}, {}
  for i = 1, 20 do
    keys[i] = "k" .. i
    items[i] = { key = keys[i], value = value }
  end
  equal(assert(cache:set_many(items)).n, 20)
  local found = assert(cache:get_many(keys))
  equal(found.n, 20)
  for i = 1, 20 do
    assert(found[i] == value, i)
  end
end
