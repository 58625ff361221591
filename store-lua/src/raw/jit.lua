-- In front of methods: Lua code that LuaJIT compiles together with the script that calls it, around calls of its FFI. See jit.rs, which
-- knows the same layout and the same answers. Whatever is not plain, the methods behind do.
local methods, functions, desk, push, fetch, ffi, type = ...

local cast, string_of = ffi.cast, ffi.string
local state = cast("struct { void *live; double number; int32_t calls; int32_t size; char bytes[16384]; } *", desk)
local bytes = cast("const char *", state.bytes)

local ask_get = cast("int32_t (*)(void *, void *, const char *, int32_t)", functions.get)
local ask_has = cast("int32_t (*)(void *, void *, const char *, int32_t)", functions.has)
local ask_delete = cast("int32_t (*)(void *, void *, const char *, int32_t)", functions.delete)
local ask_touch = cast("int32_t (*)(void *, void *, const char *, int32_t, double)", functions.touch)
local ask_increment = cast("double (*)(void *, void *, const char *, int32_t, double)", functions.increment)
local ask_set_string =
  cast("int32_t (*)(void *, void *, const char *, int32_t, const char *, int32_t, double)", functions.set_string)
local ask_set_number = cast("int32_t (*)(void *, void *, const char *, int32_t, double, double)", functions.set_number)
local ask_set_bool = cast("int32_t (*)(void *, void *, const char *, int32_t, int32_t, double)", functions.set_bool)

local NIL, SLOW, TRUE, FALSE, NUMBER = -1, -2, -3, -4, -5
local MOST, TICKETS, STEP = 2 ^ 53, 2 ^ 54, 4
local DEFAULT = -1

local get, set, has, delete = methods.get, methods.set, methods.has, methods.delete
local touch, increment = methods.touch, methods.increment

function methods.get(self, key)
  if type(self) == "userdata" and type(key) == "string" then
    local call = state.calls + 1
    local answer = ask_get(desk, self, key, #key)
    if answer >= 0 then
      local value = string_of(bytes, answer)
      if state.calls == call then
        return value
      end
    elseif answer == NIL then
      return nil, nil
    elseif answer == TRUE then
      return true
    elseif answer == FALSE then
      return false
    elseif answer == NUMBER then
      local value = state.number
      if state.calls == call then
        return value
      end
    elseif answer ~= SLOW then
      local value = push(call)
      if value ~= nil then
        return value
      end
    end
  end
  return get(self, key)
end

function methods.has(self, key)
  if type(self) == "userdata" and type(key) == "string" then
    local answer = ask_has(desk, self, key, #key)
    if answer ~= SLOW then
      return answer == TRUE
    end
  end
  return has(self, key)
end

function methods.delete(self, key, options)
  if type(self) == "userdata" and type(key) == "string" and options == nil then
    local answer = ask_delete(desk, self, key, #key)
    if answer ~= SLOW then
      return answer == TRUE
    end
  end
  return delete(self, key, options)
end

function methods.touch(self, key, ttl, options)
  if
    type(self) == "userdata"
    and type(key) == "string"
    and type(ttl) == "number"
    and ttl >= 0
    and options == nil
  then
    local answer = ask_touch(desk, self, key, #key, ttl)
    if answer ~= SLOW then
      return answer == TRUE
    end
  end
  return touch(self, key, ttl, options)
end

function methods.increment(self, key, delta, options)
  if
    type(self) == "userdata"
    and type(key) == "string"
    and (delta == nil or type(delta) == "number")
    and options == nil
  then
    local sum = ask_increment(desk, self, key, #key, delta or 1)
    if sum <= MOST then
      return sum
    elseif sum > MOST then
      local _, err = fetch((sum - TICKETS) / STEP)
      return nil, err
    end
  end
  return increment(self, key, delta, options)
end

function methods.set(self, key, value, ttl)
  if type(self) == "userdata" and type(key) == "string" then
    local seconds = DEFAULT
    local is_plain = true
    if ttl ~= nil then
      is_plain = type(ttl) == "number" and ttl >= 0
      seconds = ttl
    end
    if is_plain then
      local kind, answer = type(value), SLOW
      if kind == "string" then
        answer = ask_set_string(desk, self, key, #key, value, #value, seconds)
      elseif kind == "number" then
        answer = ask_set_number(desk, self, key, #key, value, seconds)
      elseif kind == "boolean" then
        answer = ask_set_bool(desk, self, key, #key, value and 1 or 0, seconds)
      end
      if answer ~= SLOW then
        return true
      end
    end
  end
  return set(self, key, value, ttl)
end
