-- Listing in byte order, page by page and one by one.

-- Writes these keys in no order.
local function fill(cache, keys)
  local items = {}
  local function flush()
    assert(cache:set_many(items))
    items = {}
  end
  for first = 0, 1 do
    for i = #keys - first, 1, -2 do
      items[#items + 1] = { key = keys[i], value = "v" }
      if #items == 250 then
        flush()
      end
    end
  end
  flush()
end

local function numbered(count)
  local keys = {}
  for i = 1, count do
    keys[i] = string.format("k%04d", i - 1)
  end
  return keys
end

local function slice(keys, first, last)
  local part = {}
  for i = first, last do
    part[#part + 1] = keys[i]
  end
  return part
end

-- All pages: the keys, and the items.
local function pages(cache, prefix, limit, keys_only, after)
  local keys, items = {}, {}
  repeat
    local page = assert(cache:list({ prefix = prefix, limit = limit, keys_only = keys_only, after = after }))
    equal(page.has_more, page.cursor ~= nil)
    assert(#page.items <= limit, "a page is no longer than its limit")
    for _, item in ipairs(page.items) do
      keys[#keys + 1] = item.key
      items[#items + 1] = item
    end
    assert(#keys < 10000, "the listing does not end")
    after = page.cursor
  until after == nil
  return keys, items
end

function cases.list_is_in_byte_order(cache)
  local keys = {
    "\0", "\0\0", "\1", "*", "1", "10", "2", "A", "B", "a", "a\0", "aa", "a\255", "b", "\195\169", "\255\255",
  }
  fill(cache, keys)
  for _, limit in ipairs({ 1, 2, 3, 15, 16, 17, 1000 }) do
    equal(pages(cache, nil, limit, true), keys, "in pages of " .. limit)
  end
  local seen = {}
  for key in cache:each({ limit = 5 }) do
    seen[#seen + 1] = key
  end
  equal(seen, keys, "each")
end

function cases.list_brings_what_was_asked_for(cache)
  local version = assert(cache:put("k", { n = 7 })).version
  equal(cache:list({ limit = 10 }), {
    items = { { key = "k", value = { n = 7 }, version = version, ttl = math.huge } },
    has_more = false,
  })
  equal(cache:list({ limit = 10, keys_only = true }), { items = { { key = "k" } }, has_more = false })
  equal(cache:list({ limit = 10, keys_only = false }).items[1].version, version)
  assert(cache:touch("k", 60))
  local item = cache:list().items[1]
  assert(item.ttl > 0 and item.ttl <= 60, "the time that is left")
  equal(item.version, version)
end

function cases.list_of_nothing_is_empty(cache)
  local nothing = { items = {}, has_more = false }
  local function no_entry(options)
    for key in assert(cache:each(options)) do
      error("each brought " .. describe(key))
    end
  end
  equal(cache:list(), nothing)
  equal(cache:list({}), nothing)
  no_entry()
  assert(cache:set("k", "v"))
  equal(cache:list({ prefix = "x" }), nothing)
  no_entry({ prefix = "x" })
  equal(cache:delete("k"), true)
  equal(cache:list({ limit = 10 }), nothing)
  no_entry({})
end

function cases.list_respects_its_prefix(cache)
  fill(cache, { "A:1", "a", "a:", "a:1", "a:2", "a;", "b", "\255", "\255\255", "\255\255x" })
  for _, case in ipairs({
    { "a:", { "a:", "a:1", "a:2" } },
    { "a:1", { "a:1" } },
    { "a:11", {} },
    { "\255", { "\255", "\255\255", "\255\255x" } },
    { "\255\255", { "\255\255", "\255\255x" } },
    { "c", {} },
    { "\0", {} },
    { "*", {} },
  }) do
    local prefix, expected = case[1], case[2]
    for _, limit in ipairs({ 1, 2, 100 }) do
      equal(pages(cache, prefix, limit, true), expected, describe(prefix))
    end
    local seen = {}
    for key, value in cache:each({ prefix = prefix, limit = 2 }) do
      equal(value, "v")
      seen[#seen + 1] = key
    end
    equal(seen, expected, "each of " .. describe(prefix))
  end
end

function cases.list_says_exactly_whether_more_follows(cache)
  local keys = numbered(10)
  fill(cache, keys)
  for limit = 1, 12 do
    local page = assert(cache:list({ limit = limit, keys_only = true }))
    -- It may end early, at the backend's budget.
    if #page.items >= limit or not page.has_more then
      equal(#page.items, math.min(limit, 10))
      equal(page.has_more, limit < 10, "limit " .. limit .. " of 10")
      equal(page.cursor ~= nil, limit < 10)
      if page.cursor then
        local next_page = assert(cache:list({ after = page.cursor }))
        equal(next_page.items[1].key, keys[limit + 1], "the next page begins after the last entry")
      end
    end
  end
  local page = assert(cache:list({ prefix = "k0004", limit = 1 }))
  equal(#page.items, 1)
  equal(page.has_more, false, "what follows has another prefix")
  equal(page.cursor, nil)
end

function cases.list_goes_on_after_any_key(cache)
  local keys = { "a", "b", "b\0", "bb", "c", "d", "z" }
  fill(cache, keys)
  -- Positions on every key but the last.
  local after = {}
  for i = 1, #keys - 1 do
    local page = assert(cache:list({ limit = 1, after = after[keys[i - 1]] }))
    equal(page.items[1].key, keys[i])
    after[keys[i]] = page.cursor
  end
  equal(cache:delete_many({ "bb", "z" }), { true, true, n = 2 })
  for _, case in ipairs({
    { "a", { "b", "b\0", "c", "d" } },
    { "b", { "b\0", "c", "d" } },
    { "bb", { "c", "d" } },
    { "c", { "d" } },
    { "d", {} },
  }) do
    equal(pages(cache, "", 10, true, after[case[1]]), case[2], "after " .. case[1])
    local seen = {}
    for key in cache:each({ after = after[case[1]] }) do
      seen[#seen + 1] = key
    end
    equal(seen, case[2], "each after " .. case[1])
  end
  equal(pages(cache, "b", 10, true, after.a), { "b", "b\0" }, "a position before the prefix")
  equal(pages(cache, "b", 10, true, after.c), {}, "a position behind the prefix")
  equal(cache:delete("b"), true)
  equal(pages(cache, "", 10, true, after.b), { "b\0", "c", "d" }, "the key of the position may be gone")
end

function cases.list_sees_every_write_and_delete(cache)
  local keys = numbered(40)
  fill(cache, keys)
  for _, index in ipairs({ 40, 21, 1 }) do
    equal(cache:delete(table.remove(keys, index)), true)
    equal(pages(cache, "", 15, true), keys)
  end
  assert(cache:set("a", "v"))
  table.insert(keys, 1, "a")
  assert(cache:set("k0030", "w"))
  equal(pages(cache, "", 15, true), keys, "an overwritten key comes once")
  equal(cache:list({ prefix = "k0030" }).items[1].value, "w")
  equal(cache:take("a"), "v")
  equal(cache:delete_many({ "k0001", "k0002" }), { true, true, n = 2 })
  equal(cache:set_many({ { key = "z", value = "v" } }), { true, n = 1 })
  keys = slice(keys, 4, #keys)
  keys[#keys + 1] = "z"
  equal(pages(cache, "", 15, true), keys)
end

function cases.list_of_many_entries_brings_each_once(cache)
  local keys = numbered(700)
  fill(cache, keys)
  for _, limit in ipairs({ 90, 699, 700, 1000 }) do
    local listed, items = pages(cache, "k", limit)
    equal(listed, keys, "in pages of " .. limit)
    equal(items[700].value, "v")
  end
end

-- What is live throughout a listing comes exactly once, whatever happens between its pages.
function cases.list_is_stable_under_concurrent_change(cache)
  local stable = {}
  for i = 1, 100 do
    stable[i] = string.format("k%03d", i - 1)
  end
  fill(cache, stable)
  local round = 0
  local function change()
    for _ = 1, 3 do
      local extra = string.format("k%03d%s", (round * 37) % 100, round % 2 == 0 and "+" or "-")
      assert(cache:set(extra, "w"))
      assert(cache:set(string.format("k%03d", (round * 11) % 100), "x"))
      if round % 3 > 0 then
        equal(cache:delete(extra), true)
      end
      round = round + 1
    end
  end
  local function check(listed)
    local found = {}
    for i, key in ipairs(listed) do
      assert(i == 1 or listed[i - 1] < key, "in order, each key once")
      if #key == 4 then
        found[#found + 1] = key
      end
    end
    equal(found, stable, "what was there throughout came exactly once")
  end
  local listed, after = {}, nil
  repeat
    local page = assert(cache:list({ limit = 9, keys_only = true, after = after }))
    for _, item in ipairs(page.items) do
      listed[#listed + 1] = item.key
    end
    change()
    after = page.cursor
  until after == nil
  check(listed)
  listed = {}
  for key in cache:each({ limit = 9 }) do
    listed[#listed + 1] = key
    if #listed % 9 == 0 then
      change()
    end
  end
  check(listed)
end

function cases.list_through_a_handle_pages_by_cursor(cache)
  local keys = numbered(120)
  fill(cache, keys)
  equal(#cache:list().items, 100, "the default limit")
  equal(#cache:list({ prefix = "k" }).items, 100, "the default limit")
  for _, limit in ipairs({ 17, 119, 120, 1000 }) do
    equal(pages(cache, "", limit), keys)
    equal(pages(cache, "k", limit, true), keys)
  end
  equal(pages(cache, "k001", 3), slice(keys, 11, 20))
  for _, item in ipairs(cache:list({ limit = 2, keys_only = true }).items) do
    equal({ item.value, item.version, item.ttl }, {})
  end
end

function cases.list_limits_outside_1_to_1000_are_invalid(cache)
  assert(cache:set("k", "v"))
  for _, limit in ipairs({ 0, -1, 1001, math.huge, -math.huge, 0 / 0, 1.5, 2 ^ 53, "10", true, {} }) do
    fails("INVALID", "limit", cache:list({ limit = limit }))
    fails("INVALID", "limit", cache:each({ limit = limit }))
  end
  equal(#cache:list({ limit = 1 }).items, 1)
  equal(#cache:list({ limit = 1000 }).items, 1)
end

function cases.list_refuses_bad_cursors(cache)
  fill(cache, numbered(3))
  local other = open("app:other")
  fill(other, numbered(3))
  local good = cache:list({ limit = 1 }).cursor
  local foreign = other:list({ limit = 1 }).cursor
  assert(good ~= foreign, "a cursor belongs to its store")
  local shouted = good:upper():gsub("1", "2")
  assert(shouted ~= good)
  for _, bad in ipairs({
    "", "x", "k0000", "0", foreign, good:sub(1, -3), good .. "00", shouted, "\0", "\195\169", "\255", 1, true, {},
  }) do
    fails("INVALID", nil, cache:list({ after = bad }))
    fails("INVALID", nil, cache:each({ after = bad }))
  end
  equal(pages(cache, "", 10, true, good), { "k0001", "k0002" })
end

function cases.list_cursors_outlive_the_handle_and_the_entry(cache)
  fill(cache, numbered(6))
  local first = open()
  local cursor = first:list({ limit = 3 }).cursor
  equal(first:delete("k0002"), true)
  equal(first:release(), true)
  local second = open()
  equal(pages(second, "", 10, true, cursor), { "k0003", "k0004", "k0005" })
  equal(second:release(), true)
end

function cases.each_brings_every_entry_once(cache)
  local keys = numbered(620)
  fill(cache, keys)
  assert(cache:set("other", "v"))
  local seen = {}
  local following = assert(cache:each({ prefix = "k" }))
  for key, value in following do
    equal(value, "v")
    seen[#seen + 1] = key
    assert(#seen < 10000, "the listing does not end")
  end
  equal(seen, keys)
  equal(following(), nil, "the end stays the end")
  -- Without values there is none to bring.
  local n = 0
  for key, value in cache:each({ prefix = "k00", limit = 30, keys_only = true }) do
    n = n + 1
    equal(key, keys[n])
    equal(value, nil)
  end
  equal(n, 100)
  local released = open()
  equal(released:release(), true)
  fails("INVALID", "released", released:each({}))
  -- On a later page the error is raised, unchanged.
  released = open()
  following = assert(released:each({ limit = 1 }))
  equal((following()), keys[1])
  released:release()
  local ok, err = pcall(following)
  equal(ok, false)
  fails("INVALID", "released", nil, err)
end

function cases.list_leaves_entries_alone(cache)
  fill(cache, numbered(3))
  assert(cache:set("k0001", 1))
  local before = assert(cache:entry("k0001"))
  equal(#pages(cache, "", 1), 3)
  for key, value in cache:each({ prefix = "k0001" }) do
    equal(key, "k0001")
    equal(value, 1)
  end
  equal(cache:entry("k0001"), before)
end
