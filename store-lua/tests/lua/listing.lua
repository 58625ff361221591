-- list, each, clear
local cache = open()
for i = 1, 25 do
  assert(cache:set(string.format("user:%02d", i), i, 100))
end
assert(cache:set("other", "o"))

local page = assert(cache:list({ prefix = "user:", limit = 10 }))
equal(#page.items, 10)
equal(page.has_more, true)
equal(page.items[1].key, "user:01")
equal(page.items[1].value, 1)
equal(type(page.items[1].version), "string")
assert(page.items[1].ttl <= 100)
page = assert(cache:list({ prefix = "user:", limit = 10, after = page.cursor }))
equal(page.items[1].key, "user:11")
page = assert(cache:list({ prefix = "user:", limit = 10, after = page.cursor }))
equal(#page.items, 5)
equal(page.has_more, false)
equal(page.cursor, nil)

page = assert(cache:list({ keys_only = true, prefix = "o" }))
equal(page.items, { { key = "other" } })
equal(#cache:list().items, 26)
equal(#cache:list({}).items, 26)
equal(cache:list({ prefix = "none" }), { items = {}, has_more = false })
fails("INVALID", "cursor", cache:list({ after = "nonsense" }))
fails("INVALID", "cursor", cache:list({ after = "\255" }))
fails("INVALID", "cursor", open("app:other"):list({ after = cache:list({ limit = 1 }).cursor }))

-- each: in order, each once, whatever the page size.
for _, limit in ipairs({ 1, 7, 25, 1000 }) do
  local n = 0
  for key, value in cache:each({ prefix = "user:", limit = limit }) do
    n = n + 1
    equal(key, string.format("user:%02d", n))
    equal(value, n)
  end
  equal(n, 25)
end
local n = 0
for key, value in cache:each({ prefix = "user:", keys_only = true }) do
  n = n + 1
  equal(value, nil)
end
equal(n, 25)
for _ in cache:each({ prefix = "none" }) do
  error("nothing to see")
end
-- Deleting on the way is fine.
for key in cache:each({ prefix = "user:", limit = 3 }) do
  equal(cache:delete(key), true)
end
equal(#cache:list({ prefix = "user:" }).items, 0)
-- A failure on the way is raised, the error unchanged: a loop has nowhere to return it to.
assert(cache:set("a", 1))
assert(cache:set("b", 1))
local broken = open()
local ok, err = pcall(function()
  for _ in broken:each({ limit = 1 }) do
    broken:release()
  end
end)
assert(not ok and errors.is(err, errors.INVALID) and err:message() == "store is released")

-- clear
for i = 1, 30 do
  assert(cache:set("c:" .. i, i))
end
assert(cache:set("expired", 1, 0.01))
sleep(0.03)
equal(cache:clear({ prefix = "c:" }), 30)
equal(cache:clear({ prefix = "c:" }), 0)
equal(cache:get("other"), "o")
equal(cache:clear(), 3)
equal(cache:list().items, {})
