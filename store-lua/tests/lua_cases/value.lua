-- Values, as Lua sees them.
local store = require("store")

function cases.v1_nothing_is_not_a_value(cache)
  assert(cache:set("k", "old"))
  fails("INVALID", "", cache:set("k", nil))
  fails("INVALID", "", cache:set("k", store.null))
  fails("INVALID", "", cache:put("k", nil))
  fails("INVALID", "", cache:put("k", store.null))
  fails("INVALID", "", cache:set_many({ { key = "j", value = 1 }, { key = "k" } }))
  fails("INVALID", "", cache:set_many({ { key = "j", value = 1 }, { key = "k", value = store.null } }))
  equal(cache:get("k"), "old")
  equal(cache:has("j"), false)
end

function cases.v1_false_zero_and_empty_are_values(cache)
  for _, value in ipairs({ false, 0, 0.0, "", {} }) do
    assert(cache:set("k", value))
    equal(cache:has("k"), true)
    equal(cache:get("k"), value)
    equal(assert(cache:entry("k")).value, value)
    equal(cache:get_many({ "k" }), { value, n = 1 })
    equal(cache:delete("k"), true)
  end
  assert(cache:set("k", store.array({})))
  equal(cache:get("k"), {})
end

function cases.v2_what_comes_back_is_what_went_in(cache)
  local bytes = {}
  for byte = 0, 255 do
    bytes[#bytes + 1] = string.char(byte)
  end
  bytes = table.concat(bytes)
  local function check(value, what)
    assert(cache:set("k", value))
    equal(cache:get("k"), value, what)
    assert(cache:set("k", { value, inner = { [3] = value } }))
    equal(cache:get("k"), { value, inner = { [3] = value } }, what)
  end
  for _, value in ipairs({
    min_integer, max_integer, 9007199254740993, -9007199254740993, -1, 0, 1, 127, 128, -32, -33, -128, -129, 255, 256,
    65535, 65536, 4294967295, 4294967296, -2147483648, -2147483649,
    1.0, 0.0, -0.0, 0.1, 2.0 ^ 53, 2.0 ^ 63, -2.0 ^ 63, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
    math.huge, -math.huge, 0 / 0,
    true, false, "", bytes, "é\204\129\0 text\r\n", "1", "\195\040",
  }) do
    check(value, describe(value))
  end
  check({
    name = "Alice",
    [1] = true,
    [1.5] = { 1, 2.0, [4] = "after a hole" },
    [false] = { [-7] = "x" },
    [true] = {},
    ["1"] = "a text, not an integer",
    ["\255\0\254"] = bytes,
    [min_integer] = math.huge,
  })
  check({ 1, nil, 3 }, "holes stay holes")
  assert(cache:set("k", { store.null, name = store.null }))
  local found = cache:get("k")
  equal(found[1] == store.null and found.name == store.null, true, "nothing inside of a table")
end

function cases.v2_every_operation_gives_the_same_bytes(cache)
  -- Bytes that a line protocol, a C string or a text codec would break.
  local value = "\197\001\006\0\255\r\n$*" .. ("\7"):rep(256)
  local written = assert(cache:put("k", value))
  equal(written.value, value)
  equal(cache:get("k"), value)
  equal(assert(cache:entry("k")).value, value)
  equal(cache:get_and_touch("k", 0), value)
  equal(cache:get_many({ "k" }), { value, n = 1 })
  equal(assert(cache:list()).items[1].value, value)
  local seen = 0
  for _, each in assert(cache:each()) do
    equal(each, value)
    seen = seen + 1
  end
  equal(seen, 1)
  equal(cache:get_or_set("k", error), value)
  equal(cache:take("k"), value)
  equal(cache:set_many({ { key = "k", value = value } }), { true, n = 1 })
  equal(cache:get("k"), value)
  assert(cache:delete("k"))
  equal(cache:get_or_set("k", function() return value end), value)
  equal(cache:get("k"), value)
end

function cases.v2_values_of_all_sizes(cache)
  for _, size in ipairs({
    0, 1, 2, 15, 16, 31, 32, 63, 64, 255, 256, 1000, 4095, 4096, 4097, 65535, 65536, 262144,
  }) do
    for _, filler in ipairs({ "text", "\255\0\r\n" }) do
      local value = filler:rep(math.floor(size / 4) + 1):sub(1, size)
      assert(cache:set("k" .. size, value))
      equal(cache:get("k" .. size) == value, true, size .. " bytes")
    end
  end
  for _, size in ipairs({ 0, 1, 15, 16, 17, 255, 256 }) do
    local array, map = {}, {}
    for index = 1, size do
      array[index] = index
      map["key" .. index] = index
    end
    assert(cache:set("k", { array, map }))
    equal(cache:get("k"), { array, map }, size .. " items")
  end
  equal(#cache:get("k15"), 15)
  equal(#cache:get("k65536"), 65536)
end

function cases.v4_values_are_copies(cache)
  local value = { list = { 1, 2 }, name = "old" }
  assert(cache:set("k", value))
  value.name, value.list[1] = "changed", 9
  equal(cache:get("k"), { list = { 1, 2 }, name = "old" }, "changing the table after a set changes nothing")
  local first, entry = cache:get("k"), assert(cache:entry("k"))
  first.name, first.list[3] = "changed", 3
  entry.value.name = "changed too"
  equal(cache:get("k"), { list = { 1, 2 }, name = "old" }, "nor after a get")
  local kept = cache:get("k")
  local listed = assert(cache:list()).items[1].value
  assert(cache:set("k", { list = {}, name = "new" }))
  equal(kept, { list = { 1, 2 }, name = "old" }, "a value that was read does not change with the entry")
  equal(listed, kept)
  local written = { 1 }
  assert(cache:put("k", written)).value[1] = 2
  equal(written, { 1 })
  equal(cache:get("k"), { 1 }, "the entry of a put is a copy")
  local loaded = { 1 }
  local got = assert(cache:get_or_set("l", function() return loaded end))
  got[1], loaded[1] = 2, 3
  equal(cache:get("l"), { 1 })
  cache:delete("k")
  cache:clear()
  assert(cache:set("other", "x"))
  equal(kept, { list = { 1, 2 }, name = "old" }, "nor when it is deleted")
  -- One table in two places is two.
  local shared = { 1 }
  assert(cache:set("k", { shared, shared }))
  local found = cache:get("k")
  equal(found, { { 1 }, { 1 } })
  found[1][1] = 2
  equal(found, { { 2 }, { 1 } })
end

function cases.v5_max_value_size_is_enforced_before_anything_is_written()
  local small = open("app:small")
  equal(small:info().limits.max_value_size, 1024)
  -- Three bytes of header from 256 bytes on.
  local fits, long = ("x"):rep(1021), ("x"):rep(1022)
  assert(small:set("k", fits, 60))
  local many = {}
  for index = 1, 1100 do
    many[index] = 1
  end
  -- A few tables that would expand beyond it.
  local wide = { 1 }
  for _ = 1, 2 do
    local outer = {}
    for index = 1, 100 do
      outer[index] = wide
    end
    wide = outer
  end
  local function refused(value, err)
    equal(fails("INVALID", nil, value, err):details().limit, 1024)
  end
  refused(small:set("k", long, 60))
  refused(small:put("k", long))
  refused(small:set("k", ("\255"):rep(100000)))
  refused(small:set("k", many))
  refused(small:set("k", wide))
  refused(small:set("k", { [("x"):rep(1024)] = 1 }))
  refused(small:set_many({ { key = "j", value = fits }, { key = "k", value = long } }))
  refused(small:get_or_set("l", function() return long end))
  equal(small:get("k"), fits)
  equal(small:has("j"), false)
  equal(small:has("l"), false)
end

function cases.v5_the_largest_value_is_stored(cache)
  local size = cache:info().limits.max_value_size
  equal(size, 8388608)
  -- Five bytes of header.
  local value = ("x"):rep(size - 5)
  assert(cache:set("k", value))
  equal(cache:get("k") == value, true)
  fails("INVALID", nil, cache:set("k", value .. "x"))
  equal(#cache:get("k"), size - 5)
end
