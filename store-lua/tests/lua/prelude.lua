-- What the test scripts share.
local store = require("store")

-- The integers that this Lua has.
max_integer = math.maxinteger or 2 ^ 53
min_integer = math.mininteger or -(2 ^ 53)

function describe(value, depth)
  depth = depth or 0
  if type(value) == "table" and depth < 4 then
    local parts = {}
    for k, v in pairs(value) do
      parts[#parts + 1] = "[" .. describe(k, depth + 1) .. "] = " .. describe(v, depth + 1)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return type(value) == "string" and string.format("%q", value) or tostring(value)
end

-- Equal in type (integers and floats apart, where this Lua tells them apart), bits and content.
function same(a, b)
  if type(a) ~= type(b) then
    return false
  end
  if type(a) == "number" then
    if math.type and math.type(a) ~= math.type(b) then
      return false
    end
    if a ~= a then
      return b ~= b
    end
    return a == b and 1 / a == 1 / b
  end
  if type(a) ~= "table" then
    return a == b
  end
  for k, v in pairs(a) do
    if not same(v, b[k]) then
      return false
    end
  end
  for k in pairs(b) do
    if a[k] == nil then
      return false
    end
  end
  return true
end

function equal(got, expected, what)
  if not same(got, expected) then
    error((what and what .. ": " or "") .. "expected " .. describe(expected) .. ", got " .. describe(got), 2)
  end
end

-- `fails("INVALID", "part of the message", store:op())`
function fails(kind, text, value, err)
  if value ~= nil then
    error("expected " .. kind .. ", got the value " .. describe(value), 2)
  end
  if not errors.is(err, errors[kind]) then
    error("expected " .. kind .. ", got " .. tostring(err) .. " of kind " .. (err and err:kind() or "none"), 2)
  end
  if text and not tostring(err):find(text, 1, true) then
    error("expected the error to say '" .. text .. "', got '" .. tostring(err) .. "'", 2)
  end
  return err
end

-- `raises("message", f, ...)`: a string, with the position of the caller.
function raises(text, f, ...)
  local arguments, n = { ... }, select("#", ...)
  local ok, message = pcall(function()
    f((table.unpack or unpack)(arguments, 1, n))
  end)
  if ok then
    error("expected an error that says '" .. text .. "'", 2)
  end
  if type(message) ~= "string" or not message:find(text, 1, true) then
    error("expected '" .. text .. "', got " .. describe(message), 2)
  end
  return message
end

function open(id)
  return assert(store.get(id or "app:cache"))
end
