-- Runs one line and says what to show: gets the chunk; gives a function that gives true and a text (nil: nothing to show), or false and
-- how it failed.
local chunk = ...
local pcall, xpcall, type, tostring, next = pcall, xpcall, type, tostring, next
local format, rep, gsub, find = string.format, string.rep, string.gsub, string.find
local concat, sort, pack, math_type = table.concat, table.sort, table.pack, math.type
local rawget = rawget
local null = require("store").null

-- More of a table than this is not read anyway.
local MOST, DEEPEST, WIDTH = 50, 4, 72

local function kind_of(value)
  if type(value) ~= "userdata" then return nil end
  local ok, kind = pcall(function() return value:kind() end)
  return ok and type(kind) == "string" and kind or nil
end

-- The constant that a script compares with: NOT_FOUND rather than NotFound.
local function constant(kind)
  return (gsub(gsub(kind, "(%l)(%u)", "%1_%2"), "%l+", string.upper))
end

local function describe_error(value, kind)
  local text = tostring(value)
  if kind ~= "" then text = constant(kind) .. ": " .. text end
  local ok, details = pcall(function() return value:details() end)
  local reason = ok and type(details) == "table" and details.reason
  if type(reason) == "string" then text = text .. " (reason: " .. reason .. ")" end
  return text
end

local function quote(text)
  text = gsub(format("%q", text), "\\\n", "\\n")
  return (gsub(text, "\r", "\\r"))
end

local show

local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return ta < tb end
  if ta == "number" or ta == "string" then return a < b end
  return tostring(a) < tostring(b)
end

local function show_table(t, depth, seen)
  if seen[t] then return "{...}" end
  if next(t) == nil then return "{}" end
  if depth >= DEEPEST then return "{...}" end
  seen[t] = true
  local parts, count, shown = {}, 0, 0
  local n = 0
  while rawget(t, n + 1) ~= nil and n < MOST do
    n = n + 1
    parts[n] = show(rawget(t, n), depth + 1, seen)
  end
  local keys = {}
  for key in next, t do
    count = count + 1
    if not (math_type(key) == "integer" and key >= 1 and key <= n) and #keys < 10 * MOST then keys[#keys + 1] = key end
  end
  sort(keys, before)
  for i = 1, #keys do
    if #parts >= MOST then break end
    local key = keys[i]
    local name = type(key) == "string" and find(key, "^[%a_][%w_]*$") and key or "[" .. show(key, depth + 1, seen) .. "]"
    parts[#parts + 1] = name .. " = " .. show(rawget(t, key), depth + 1, seen)
  end
  shown = #parts
  if count > shown then parts[#parts + 1] = format("... %d more", count - shown) end
  seen[t] = nil
  local line = "{ " .. concat(parts, ", ") .. " }"
  if #line + 2 * depth <= WIDTH and not find(line, "\n", 1, true) then return line end
  local indent = rep("  ", depth + 1)
  return "{\n" .. indent .. concat(parts, ",\n" .. indent) .. ",\n" .. rep("  ", depth) .. "}"
end

function show(value, depth, seen)
  local kind = type(value)
  if kind == "string" then return quote(value) end
  if value == null and kind == "userdata" then return "store.null" end
  if kind == "table" then
    local ok, text = pcall(tostring, value)
    if ok and not find(text, "^table: ") then return text end
    return show_table(value, depth, seen)
  end
  local error_kind = kind_of(value)
  if error_kind then return describe_error(value, error_kind) end
  local ok, text = pcall(tostring, value)
  return ok and text or kind
end

local function failure(value)
  local kind = kind_of(value)
  if kind then return describe_error(value, kind) end
  if type(value) == "table" then return show(value, 0, {}) end
  local ok, text = pcall(tostring, value)
  return ok and text or type(value)
end

return function()
  local results = pack(xpcall(chunk, failure))
  if not results[1] then
    local text = results[2]
    return false, type(text) == "string" and text or failure(text)
  end
  if results.n == 1 then return true, nil end
  -- `nil, err` is how functions fail.
  if results.n == 3 and results[2] == nil and kind_of(results[3]) then
    return false, failure(results[3])
  end
  local parts, last = {}, results.n
  -- Absence is two of them.
  while last > 2 and results[last] == nil do last = last - 1 end
  for i = 2, last do
    parts[#parts + 1] = show(results[i], 0, {})
  end
  return true, concat(parts, "  ")
end
