-- Clearing a store, or what has a prefix.

local function fill(cache, keys)
  local items = {}
  for i, key in ipairs(keys) do
    items[#items + 1] = { key = key, value = "v" }
    if #items == 250 or i == #keys then
      assert(cache:set_many(items))
      items = {}
    end
  end
end

-- All keys that are left, in order.
local function left(cache)
  local keys = {}
  for key in cache:each({ limit = 1000, keys_only = true }) do
    keys[#keys + 1] = key
  end
  return keys
end

function cases.clear_deletes_and_counts_everything(cache)
  equal(cache:clear(), 0)
  local keys = {}
  for i = 0, 1499 do
    keys[#keys + 1] = "k" .. i
  end
  fill(cache, keys)
  equal(cache:clear(), 1500)
  equal(cache:list(), { items = {}, has_more = false })
  equal(cache:has("k0"), false)
  equal(cache:get_many({ "k1", "k749", "k1499" }), { n = 3 })
  equal(cache:clear({}), 0)
  assert(cache:set("k1", "again"))
  equal(cache:get("k1"), "again", "a cleared store is as good as new")
  equal(cache:clear({ prefix = "" }), 1)
  equal(cache:has("k1"), false)
end

function cases.clear_takes_only_its_prefix(cache)
  local keys = { "user:1", "user:2", "user", "user;", "users:1", "xuser:1", "User:1", "\255", "\255\255" }
  fill(cache, keys)
  equal(cache:clear({ prefix = "user:" }), 2)
  equal(cache:has("user:1"), false)
  equal(cache:has("user:2"), false)
  for i = 3, #keys do
    equal(cache:has(keys[i]), true, describe(keys[i]))
  end
  equal(cache:clear({ prefix = "\255" }), 2)
  equal(cache:clear({ prefix = "user" }), 3)
  equal(cache:clear({ prefix = "absent" }), 0)
  equal(cache:clear({ prefix = "*" }), 0, "nothing in a prefix is special")
  equal(left(cache), { "User:1", "xuser:1" })
  -- A misspelt option must not clear everything.
  fails("INVALID", "prefx", cache:clear({ prefx = "User" }))
  fails("INVALID", "prefix", cache:clear({ prefix = true }))
  equal(left(cache), { "User:1", "xuser:1" })
end

function cases.clear_of_many_entries_leaves_the_others(cache)
  local keys = {}
  for i = 0, 599 do
    keys[#keys + 1] = "a" .. i
    if i < 200 then
      keys[#keys + 1] = "b" .. i
    end
  end
  fill(cache, keys)
  equal(cache:clear({ prefix = "a" }), 600)
  local rest = left(cache)
  equal(#rest, 200)
  for _, key in ipairs(rest) do
    equal(key:sub(1, 1), "b")
  end
  equal(cache:clear({ prefix = "b1" }), 111)
  equal(#left(cache), 89)
end
