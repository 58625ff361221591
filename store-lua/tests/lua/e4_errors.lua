-- E3, E4: the errors library.
local constants = {
  INVALID = "Invalid", NOT_FOUND = "NotFound", ALREADY_EXISTS = "AlreadyExists", PERMISSION_DENIED = "PermissionDenied",
  CONFLICT = "Conflict", UNAVAILABLE = "Unavailable", TIMEOUT = "Timeout", RATE_LIMITED = "RateLimited",
  CANCELED = "Canceled", INTERNAL = "Internal", UNKNOWN = "",
}
for name, value in pairs(constants) do
  equal(errors[name], value, name)
end
local retryable = { CONFLICT = true, UNAVAILABLE = true, TIMEOUT = true, RATE_LIMITED = true }
for name in pairs(constants) do
  local expected = retryable[name] or false
  if name == "UNKNOWN" then
    expected = nil
  end
  equal(errors.new(errors[name], "m"):retryable(), expected, name)
end

-- Read-only.
raises("errors is read-only", function() errors.NEW = 1 end)
raises("errors is read-only", function() errors.INVALID = "x" end)
equal(getmetatable(errors), false)
assert(rawequal(errors, require("store").errors))
raises("store is read-only", function() require("store").get = nil end)

-- new(message)
local e = errors.new("boom")
equal(e:kind(), "")
equal(e:kind(), errors.UNKNOWN)
equal(e:message(), "boom")
equal(e:retryable(), nil)
equal(e:details(), nil)
equal(e:cause(), nil)
equal(tostring(e), "boom")
equal(type(e), "userdata")

-- new(kind, message, options)
e = errors.new("CONFLICT", "Resource is locked")
equal(e:kind(), errors.CONFLICT)
equal(e:message(), "Resource is locked")
e = errors.new(errors.CONFLICT, "m", { retryable = false, details = { by = "alice", list = { 1, 2, { x = true } } } })
equal(e:kind(), "Conflict")
equal(e:retryable(), false)
equal(e:details(), { by = "alice", list = { 1, 2, { x = true } } })
e = errors.new("FORBIDDEN", "a kind of its own")
equal(e:kind(), "FORBIDDEN")
equal(e:retryable(), nil)

-- new{...}
e = errors.new({ message = "m", kind = "TIMEOUT", retryable = false, details = { 1, 2, 3 } })
equal(e:kind(), errors.TIMEOUT)
equal(e:retryable(), false)
equal(e:details(), { 1, 2, 3 })
equal(errors.new({ message = "m" }):kind(), errors.UNKNOWN)

-- Details are copies, both ways.
local details = { n = 1 }
e = errors.new({ message = "m", details = details })
details.n = 2
equal(e:details().n, 1)
e:details().n = 3
equal(e:details().n, 1)

-- Mistakes raise, with the caller's position.
raises("e4_errors.lua:", function() local _ = errors.new() end)
raises("bad argument #1 to 'new' (string expected, got nil)", errors.new)
raises("bad argument #2 to 'new' (string expected, got boolean)", errors.new, "CONFLICT", true)
raises("bad field 'message' in 'errors.new' (string expected, got nil)", errors.new, {})
raises("bad field 'retryable' in 'errors.new' (boolean expected, got string)", errors.new, { message = "m", retryable = "x" })
raises("bad field 'details' in 'errors.new' (table expected, got string)", errors.new, { message = "m", details = "x" })
raises("value.f: function", errors.new, { message = "m", details = { f = print } })
raises("unknown field 'knid'", errors.new, { message = "m", knid = "x" })
raises("calling 'kind' on bad self (store.Error expected, got table)", e.kind, {})

-- is
assert(errors.is(e, errors.UNKNOWN))
assert(errors.is(errors.new("CONFLICT", "m"), errors.CONFLICT))
assert(errors.is(errors.new("CONFLICT", "m"), "CONFLICT"))
assert(not errors.is(errors.new("CONFLICT", "m"), errors.INVALID))
equal(errors.is(nil, errors.INVALID), false)
equal(errors.is("Invalid", errors.INVALID), false)
equal(errors.is({}, errors.INVALID), false)
raises("bad argument #2 to 'is' (string expected, got nil)", errors.is, e)

-- wrap
local inner = errors.new("CONFLICT", "locked", { details = { id = 7 } })
local outer = errors.wrap(inner, "saving")
equal(outer:kind(), errors.CONFLICT)
equal(outer:retryable(), true)
equal(outer:details(), { id = 7 })
equal(outer:message(), "locked")
equal(tostring(outer), "saving: locked")
assert(outer:cause() == inner)
equal(tostring(errors.wrap(outer, "request")), "request: saving: locked")
equal(tostring(errors.wrap("plain", "reading")), "reading: plain")
equal(errors.wrap("plain", "reading"):kind(), errors.UNKNOWN)
raises("bad argument #1 to 'wrap' (error or string expected, got nil)", errors.wrap, nil, "x")
raises("bad argument #2 to 'wrap' (string expected, got nil)", errors.wrap, inner)

-- ..
equal("store error: " .. inner, "store error: locked")
equal(outer .. "!", "saving: locked!")
equal(1 .. inner, "1locked")

-- Where it was made.
local function maker()
  return (errors.new("here"))
end
e = maker()
local stack = errors.call_stack(e)
assert(stack.frames[1].source:find("e4_errors.lua", 1, true), describe(stack))
equal(stack.frames[1].level, 0)
assert(stack.frames[1].line > 0)
assert(type(stack.thread) == "string")
assert(e:stack():find("here\nstack traceback:\n\t", 1, true), e:stack())
assert(errors.wrap(e, "outer"):stack():find("caused by: here", 1, true))
equal(errors.call_stack("x"), nil)

-- An error object survives error and pcall.
local ok, caught = pcall(error, inner)
assert(not ok and caught == inner and caught:kind() == errors.CONFLICT)
ok, caught = pcall(assert, nil, inner)
if _VERSION ~= "Lua 5.1" and _VERSION ~= "Lua 5.2" and not _VERSION:find("Luau") then
  assert(not ok and caught == inner)
end
assert(inner ~= errors.new("CONFLICT", "locked"))
assert(inner ~= outer)
equal(getmetatable(inner), false)
