-- Calls of everything with anything, as an input spells them byte by byte. Whatever goes wrong is a string or an error object, never anything
-- else; what was stored comes back the same on every way to read; and the handles work when it is over.
local input, put_raw = ...
local store = require("store")

local at = 0
local function byte()
  at = at + 1
  return string.byte(input, at) or 0
end

local function text()
  local n = byte()
  if n >= 250 then
    return string.rep(string.char(byte()), (n - 249) * 300)
  end
  local taken = string.sub(input, at + 1, at + n)
  at = at + n
  return taken
end

local function key()
  local b = byte()
  if b < 220 then
    return "k" .. b % 8
  end
  return text()
end

local numbers = {
  0, -0.0, 1, -1, 0.5, 1.0, 0.001, 1e-9, 1e308, 0 / 0, math.huge, -math.huge, 2 ^ 31, 2 ^ 32, 2 ^ 53, 2 ^ 63, -(2 ^ 63), math.maxinteger or 2 ^ 53,
  math.mininteger or -(2 ^ 53), 255, 256, 65535, 65536, 127, 128, -32, -33, -128, -129, -32768, -32769,
}
local function number()
  local b = byte()
  if b < 128 then
    return numbers[b % #numbers + 1]
  end
  return (byte() * 256 + byte() - 32768) * (b % 2 == 0 and 1 or 0.25)
end

local function bad() error("from a metamethod") end
local trap = {
  __index = bad, __newindex = bad, __len = bad, __pairs = bad, __eq = bad, __tostring = bad, __concat = bad, __call = bad, __lt = bad, __close = bad,
}
local handles = { assert(store.get("app:cache")), assert(store.get("app:other")), assert(store.get("app:small")) }
local released = assert(store.get("app:cache"))
released:release()
local last = {}

local value
local function put_key(t, k, v)
  if k ~= nil and k == k then
    rawset(t, k, v)
  end
end

local function loader()
  local kind, first, second = byte() % 6, nil, nil
  if kind ~= 0 then
    first, second = value(1), value(1)
  end
  return function()
    if kind == 1 then
      error(first)
    elseif kind == 2 then
      return coroutine.yield(first)
    elseif kind == 3 then
      return handles[1]:get_or_set("k1", function() return first end)
    elseif kind == 4 then
      return nil, first
    end
    return first, second
  end
end

local kinds = {
  function() return nil end,
  function() return true end,
  function() return false end,
  number,
  number,
  text,
  text,
  key,
  function(depth) -- a sequence
    local t = {}
    for index = 1, byte() % 20 do
      rawset(t, index, value(depth + 1))
    end
    last = t
    return t
  end,
  function(depth) -- anything for a key
    local t = {}
    for _ = 1, byte() % 10 do
      put_key(t, value(depth + 1), value(depth + 1))
    end
    last = t
    return t
  end,
  function(depth) return { [text()] = value(depth + 1), [byte()] = value(depth + 1) } end,
  function() return store.null end,
  function() return store.array(byte() % 2 == 0 and {} or { 1, 2 }) end,
  function() return { last, last } end,
  function()
    local cycle = {}
    cycle[byte()] = { cycle }
    return cycle
  end,
  function(depth)
    local t = {}
    put_key(t, value(depth + 1), value(depth + 1))
    return setmetatable(t, trap)
  end,
  function()
    local deep = byte()
    for _ = 1, byte() do
      deep = { deep }
    end
    return deep
  end,
  loader,
  function() return coroutine.create(bad) end,
  function() return handles[byte() % 3 + 1] end,
  function() return released end,
  function() return errors.new("CONFLICT", "mine", { details = { a = byte() } }) end,
  function() return { n = number(), key(), key(), [4] = key() } end,
  function()
    local options = {}
    local flags = byte()
    if flags % 2 == 1 then options.ttl = number() end
    if flags % 4 > 1 then options.keep_ttl = true end
    if flags % 8 > 3 then options.only_if_absent = flags % 32 > 15 end
    if flags % 16 > 7 then options.if_version = last.version or text() end
    if flags >= 128 then options[text()] = value(5) end
    return options
  end,
  function() return { prefix = text(), limit = byte() % 12, keys_only = byte() % 2 == 0, after = last.cursor } end,
  function() return { { key = key(), value = value(5) }, { key = key(), value = value(5), ttl = number() } } end,
  function() return { ttl = number(), negative_ttl = number(), stale_on_error = byte() % 2 == 0 and number() or nil } end,
}
function value(depth)
  if (depth or 0) > 6 then
    return byte()
  end
  return kinds[byte() % #kinds + 1](depth or 0)
end

local function same(a, b)
  if type(a) ~= type(b) or (type(a) == "number" and math.type and math.type(a) ~= math.type(b)) then
    return false
  end
  if type(a) ~= "table" then
    return rawequal(a, b) and (a ~= 0 or type(a) ~= "number" or 1 / a == 1 / b) or (a ~= a and b ~= b)
  end
  for k, v in next, a do
    if not same(v, rawget(b, k)) then
      return false
    end
  end
  for k in next, b do
    if rawget(a, k) == nil then
      return false
    end
  end
  return true
end

local function judge(what, ok, first, second)
  if not ok then
    if type(first) ~= "string" and type(first) ~= "userdata" then
      error(what .. " raised a " .. type(first), 0)
    end
  elseif first == nil and second ~= nil and not (type(second) == "userdata" and second:kind()) then
    error(what .. " gave nil and a " .. type(second), 0)
  end
  if type(first) == "table" then
    last = first
  end
  return ok and first
end

-- Every way to read gives the same, or fails alike.
local function read_alike(handle, k, expected)
  local got, err = handle:get(k)
  local entry, entry_err = handle:entry(k)
  local many, many_err = handle:get_many({ k, k })
  local page, page_err = handle:list({ prefix = k, limit = 1 })
  if err then
    for _, other in ipairs({ entry_err or false, many_err or false, page_err or false }) do
      if not other or other:kind() ~= err:kind() then
        error("get fails with " .. tostring(err) .. ", another way to read with " .. tostring(other), 0)
      end
    end
    return
  end
  if expected ~= nil and not same(got, expected) then
    error("what was stored came back as something else", 0)
  end
  if not (entry and same(got, entry.value) and many and same(got, many[1]) and same(got, many[2])) then
    error("the ways to read disagree", 0)
  end
  if #k > 0 and page and page.items[1] and page.items[1].key == k and not same(got, page.items[1].value) then
    error("a listing disagrees", 0)
  end
end

local methods = {
  "get", "set", "has", "delete", "entry", "put", "ttl", "touch", "get_and_touch", "take", "increment", "get_many", "set_many", "delete_many",
  "list", "each", "clear", "get_or_set", "info",
}

local operations = {
  function() -- round trip
    local k, v = key(), value()
    if handles[1]:set(k, v) then
      read_alike(handles[1], k, v)
    end
  end,
  function() -- round trip on the store with narrow limits
    local k, v = key(), value()
    if handles[3]:put(k, v) then
      read_alike(handles[3], k, v)
    end
  end,
  function() -- bytes of somebody else
    local bytes = text()
    if put_raw("raw", bytes) then
      read_alike(handles[1], "raw")
    end
  end,
  function() -- a method, on the right receiver with a key
    local method = methods[byte() % #methods + 1]
    local handle = handles[byte() % 3 + 1]
    judge(method, pcall(handle[method], handle, key(), value(), value()))
  end,
  function() -- a method with anything
    local method = methods[byte() % #methods + 1]
    judge(method, pcall(handles[1][method], value(), value(), value(), value()))
  end,
  function() -- in a coroutine
    local method = methods[byte() % #methods + 1]
    local co = coroutine.create(handles[1][method])
    judge(method, coroutine.resume(co, handles[1], key(), value()))
    coroutine.resume(co, value())
  end,
  function() judge("get_or_set", pcall(handles[1].get_or_set, handles[1], key(), loader(), value())) end,
  function() judge("increment", pcall(handles[1].increment, handles[1], key(), number(), { initial = number(), ttl = number() })) end,
  function() judge("set", pcall(handles[1].set, handles[1], key(), value(), number())) end,
  function() judge("store.get", pcall(store.get, value())) end,
  function() pcall(store.with, "app:other", loader(), value()) end,
  function() judge("array", pcall(store.array, value())) end,
  function()
    local ok, err = pcall(errors.new, value(), value(), value())
    if ok then
      local _ = err:kind(), err:message(), err:retryable(), err:details(), err:cause(), err:stack(), tostring(err), err .. "x"
      judge("wrap", pcall(errors.wrap, err, value()))
    end
  end,
  function()
    pcall(errors.is, value(), value())
    pcall(errors.call_stack, value())
    pcall(errors.wrap, value(), value())
  end,
  function()
    local which = byte() % 3 + 1
    handles[which]:release()
    judge("get", pcall(handles[which].get, handles[which], key()))
    handles[which] = assert(store.get(({ "app:cache", "app:other", "app:small" })[which]))
  end,
  function()
    local chunk = load(text())
    if chunk then
      pcall(chunk)
    end
  end,
  function() -- a program of the input's own
    local chunk = load(string.sub(input, at + 1))
    at = #input
    if chunk then
      pcall(chunk)
    end
  end,
  function()
    local each = judge("each", pcall(handles[1].each, handles[1], { prefix = text(), limit = byte() }))
    for _ = 1, each and byte() % 10 or 0 do
      if pcall(each) == false then
        break
      end
    end
  end,
}

while at < #input do
  operations[byte() % #operations + 1]()
end
handles[1]:clear()
assert(handles[1]:set("after", { 1 }))
assert(handles[1]:get("after")[1] == 1)
