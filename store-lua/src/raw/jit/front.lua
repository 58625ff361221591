-- In front of methods: Lua code that LuaJIT compiles together with the script that calls it, around calls of its FFI. See jit.rs, which
-- knows the same layout and the same answers. Whatever is not plain, the methods behind do.
local methods, functions, desk, push, fetch, describe, load, lay_code, ffi, type, next = ...

local cast, copy, string_of = ffi.cast, ffi.copy, ffi.string
local state = cast([[struct {
  void *live, *shapes; double numbers[16], ttl; int32_t starts[16], sizes[32], calls, size; char version[16], bytes[16384];
} *]], desk)
local numbers = cast("double *", state.numbers)
local starts = cast("int32_t *", state.starts)
local sizes = cast("int32_t *", state.sizes)
local version = cast("const char *", state.version)
local bytes = cast("char *", state.bytes)

local KEYED = "(*)(void *, void *, const char *, int32_t"
local ask_get = cast("int32_t " .. KEYED .. ")", functions.get)
local ask_entry = cast("int32_t " .. KEYED .. ")", functions.entry)
local ask_has = cast("int32_t " .. KEYED .. ")", functions.has)
local ask_delete = cast("int32_t " .. KEYED .. ")", functions.delete)
local ask_touch = cast("int32_t " .. KEYED .. ", double)", functions.touch)
local ask_increment = cast("double " .. KEYED .. ", double)", functions.increment)
local ask_set_string = cast("int32_t " .. KEYED .. ", const char *, int32_t, double)", functions.set_string)
local ask_set_number = cast("int32_t " .. KEYED .. ", double, double)", functions.set_number)
local ask_set_bool = cast("int32_t " .. KEYED .. ", int32_t, double)", functions.set_bool)
local ask_set_flat = cast("int32_t " .. KEYED .. ", int32_t, int32_t, double)", functions.set_flat)

local NIL, SLOW, TRUE, FALSE, NUMBER, ENCODED, SHAPES = -1, -2, -3, -4, -5, -6, -16
local MOST, TICKETS, STEP = 2 ^ 53, 2 ^ 54, 4
local DEFAULT = -1

local get, entry, set, has, delete = methods.get, methods.entry, methods.set, methods.has, methods.delete
local touch, increment = methods.touch, methods.increment

-- By their numbers: functions that make tables of a shape of what lies on the desk.
local makers = {}

local function learn(shape)
  local code = describe(shape)
  if code then
    makers[shape] = load(code)(state, numbers, starts, sizes, bytes, string_of)
  end
end

-- The value that lies on the desk; nil if it has to be asked for again.
local function value_of(answer, call)
  local value
  if answer >= 0 then
    value = string_of(bytes, answer)
  elseif answer <= SHAPES then
    local make = makers[SHAPES - answer]
    if make == nil then
      return learn(SHAPES - answer)
    end
    value = make(call)
  elseif answer == TRUE then
    value = true
  elseif answer == FALSE then
    value = false
  elseif answer == NUMBER then
    value = numbers[0]
  elseif answer == ENCODED then
    return push(call)
  end
  if state.calls == call then
    return value
  end
end

function methods.get(self, key)
  if type(self) == "userdata" and type(key) == "string" then
    local call = state.calls + 1
    local answer = ask_get(desk, self, key, #key)
    if answer == NIL then
      return nil, nil
    end
    local value = value_of(answer, call)
    if value ~= nil then
      return value
    end
  end
  return get(self, key)
end

function methods.entry(self, key)
  if type(self) == "userdata" and type(key) == "string" then
    local call = state.calls + 1
    local answer = ask_entry(desk, self, key, #key)
    if answer == NIL then
      return nil, nil
    end
    if answer ~= SLOW then
      local made = { key = key, value = false, version = string_of(version, 16), ttl = state.ttl }
      local value = value_of(answer, call)
      if value ~= nil and state.calls == call then
        made.value = value
        return made
      end
    end
  end
  return entry(self, key)
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

-- Lays the parts of a table on the desk: how many fields; 0 if it is none that is set this way.
local lay = load(lay_code)(numbers, sizes, bytes, copy, type, next)

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
      elseif kind == "table" then
        -- Taken beforehand: who calls in the middle takes another.
        local call = state.calls + 1
        state.calls = call
        local count = lay(value)
        if count > 0 then
          answer = ask_set_flat(desk, self, key, #key, count, call, seconds)
        end
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
