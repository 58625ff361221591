-- Versions, as Lua sees them.

local function version(cache)
  return assert(cache:entry("k")).version
end

-- Versions that were not there before.
local function fresh()
  local seen = {}
  return function(version, what)
    equal(type(version), "string", what)
    equal(seen[version], nil, what)
    seen[version] = true
  end
end

function cases.c2_every_write_has_a_new_version(cache)
  local new = fresh()
  for _ = 1, 8 do
    local written = assert(cache:put("k", 1)).version
    equal(version(cache), written)
    new(written, "the same value is a new version too")
    assert(cache:set("k", 1))
    new(version(cache), "of a set")
    new(assert(cache:put("k", 1, { keep_ttl = true })).version, "of a put that keeps the ttl")
    new(assert(cache:put("k", 1, { if_version = version(cache) })).version, "of a conditional put")
    assert(cache:set_many({ { key = "k", value = 1 } }))
    new(version(cache), "of a batch")
    assert(cache:increment("k", 0))
    new(version(cache), "of an increment")
    assert(cache:delete("k"))
    assert(cache:get_or_set("k", function() return 1 end))
    new(version(cache), "of a loader")
  end
end

function cases.c2_touch_and_reads_keep_the_version(cache)
  local written = assert(cache:put("k", "v")).version
  assert(cache:touch("k", 0))
  equal(version(cache), written)
  assert(cache:touch("k", 60))
  equal(version(cache), written)
  assert(cache:touch("k", 60, { if_version = written }))
  equal(version(cache), written)
  equal(cache:get_and_touch("k", 70), "v")
  equal(version(cache), written)
  cache:get("k")
  cache:has("k")
  cache:ttl("k")
  cache:get_many({ "k" })
  cache:list()
  cache:get_or_set("k", error)
  fails("ALREADY_EXISTS", nil, cache:put("k", "w", { only_if_absent = true }))
  fails("INVALID", nil, cache:increment("k"))
  equal(version(cache), written)
end

function cases.c2_versions_are_not_reused_after_delete(cache)
  local new = fresh()
  for round = 1, 40 do
    local written = assert(cache:put("k", "v")).version
    new(written, "round " .. round)
    if round % 4 == 0 then
      equal(cache:delete("k"), true)
    elseif round % 4 == 1 then
      equal(cache:take("k"), "v")
    elseif round % 4 == 2 then
      equal(cache:delete_many({ "k" }), { true, n = 1 })
    else
      equal(cache:clear(), 1)
    end
    fails("NOT_FOUND", nil, cache:put("k", "v", { if_version = written }))
  end
  for _ = 1, 20 do
    equal(cache:increment("k"), 1)
    new(version(cache), "of a counter made anew")
    equal(cache:delete("k"), true)
  end
end

function cases.c2_versions_are_not_reused_after_expiry(cache)
  local new = fresh()
  for round = 1, 4 do
    local written = assert(cache:put("k", "v", { ttl = 0.005 })).version
    new(written, "round " .. round)
    sleep(0.05)
    equal(cache:has("k"), false)
    fails("NOT_FOUND", nil, cache:put("k", "v", { if_version = written }))
  end
end

function cases.c2_versions_do_not_tell_their_order(cache)
  local versions, rising = {}, 0
  for index = 1, 64 do
    versions[index] = assert(cache:put("k", "v")).version
    equal(#versions[index] >= 11, true, "64 bits take that many characters: " .. versions[index])
    if index > 1 and versions[index - 1] < versions[index] then
      rising = rising + 1
    end
  end
  equal(rising >= 8 and rising < 56, true, rising .. " of 63 steps rise")
end

function cases.c2_every_read_tells_the_same_version(cache)
  local written = assert(cache:put("k", "v")).version
  equal(version(cache), written)
  equal(assert(cache:list()).items[1].version, written)
  -- A version survives being text, and being stored.
  assert(cache:set("version", written))
  equal(cache:touch("k", 0, { if_version = cache:get("version") }), true)
  fails("CONFLICT", nil, cache:delete("k", { if_version = version(open()) .. "0" }))
  equal(cache:delete("k", { if_version = "" .. cache:get("version") }), true)
end
