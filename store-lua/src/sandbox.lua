-- What a sandbox leaves of Lua's library, and what it puts in front of the rest. Runs once, before any script.
--
-- Two things cannot be left as they are. Whatever catches errors (pcall, a coroutine) would catch the end of the time limit, too: here
-- it passes that on. And functions in C run to their end however long that takes: those that can be made to run for hours by
-- numbers alone are checked first. (Those that can by their texts are in sandbox/strings.lua, which has run already.)
local expired, time_is_up, is_plain, loaded = ...

local error, type, select, rawget, tostring = error, type, select, rawget, tostring
local pcall_raw, resume_raw, close_raw = pcall, coroutine.resume, coroutine.close
local setmetatable_raw, load_raw, loadstring_raw = setmetatable, load, loadstring
local rep_raw, byte, concat = string.rep, string.byte, table.concat

local function caught(ok, ...)
  if not ok and expired() then
    error(time_is_up, 0)
  end
  return ok, ...
end

function pcall(f, ...)
  return caught(pcall_raw(f, ...))
end

-- The handler runs after the error, not in the middle of it, where no time limit holds.
local function handled(handler, ok, ...)
  if ok then
    return ok, ...
  end
  return false, handler(...)
end

function xpcall(f, handler, ...)
  return handled(handler, pcall(f, ...))
end

function coroutine.resume(co, ...)
  return caught(resume_raw(co, ...))
end

if close_raw then
  function coroutine.close(co)
    return caught(close_raw(co))
  end
end

-- A finalizer runs where no time limit holds.
function setmetatable(t, metatable)
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("__gc is not available in the sandbox", 2)
  end
  return setmetatable_raw(t, metatable)
end

-- Source only: bytecode is not checked by Lua, and can do anything to the process.
local function source(chunk)
  if type(chunk) == "function" then
    local pieces = {}
    repeat
      local piece = chunk()
      pieces[#pieces + 1] = piece
    until piece == nil or piece == ""
    chunk = concat(pieces)
  end
  if type(chunk) ~= "string" then
    error("bad argument #1 to 'load' (string expected, got " .. type(chunk) .. ")", 3)
  end
  if byte(chunk) == 27 then
    return nil, "attempt to load a binary chunk (the sandbox takes source only)"
  end
  return chunk
end

-- Compiling cannot be stopped, and takes longer than anything else of that length.
local function compiled(...)
  if expired() then
    error(time_is_up, 0)
  end
  return ...
end

if load_raw then
  function load(chunk, name, mode, ...)
    local text, err = source(chunk)
    if not text then
      return nil, err
    end
    if loadstring_raw then
      return compiled(loadstring_raw(text, name))
    end
    return compiled(load_raw(text, name, "t", ...))
  end
end
if loadstring_raw then
  function loadstring(chunk, name)
    local text, err = source(chunk)
    if not text then
      return nil, err
    end
    return compiled(loadstring_raw(text, name))
  end
end

function require(name)
  local module = loaded(name)
  if module == nil then
    error("module '" .. tostring(name) .. "' is not available in the sandbox", 2)
  end
  return module
end

-- Of nothing, any number is nothing; of anything else, memory is the limit.
function string.rep(s, n, separator)
  if s == "" and (separator == nil or separator == "") then
    return ""
  end
  if separator == nil then
    return rep_raw(s, n)
  end
  return rep_raw(s, n, separator)
end

-- With a length of its own a table could have any number of elements to go through.
for _, name in ipairs({ "insert", "remove", "sort", "concat" }) do
  local raw = table[name]
  table[name] = function(t, ...)
    if not is_plain(t) then
      error("'" .. name .. "' takes no table with __len in the sandbox", 2)
    end
    return raw(t, ...)
  end
end

if table.move then
  local move_raw, MOST = table.move, 2 ^ 24
  function table.move(from, first, last, ...)
    if type(first) == "number" and type(last) == "number" and last - first >= MOST then
      error("too many elements to move in the sandbox", 2)
    end
    return move_raw(from, first, last, ...)
  end
end

local os_raw = os
if os_raw then
  os = { clock = os_raw.clock, date = os_raw.date, difftime = os_raw.difftime, time = os_raw.time }
end

if jit then
  -- What is compiled does not look at the time.
  jit.off()
end

string.dump = nil
for _, name in ipairs({
  "dofile", "loadfile", "collectgarbage", "gcinfo", "warn", "io", "debug", "package", "jit", "ffi", "newproxy", "module",
  "getfenv", "setfenv",
}) do
  _G[name] = nil
end

-- `get_or_set` gives the error of a loader as a result; the end of the time limit is none.
return function(get_or_set)
  local function ended(...)
    if expired() then
      error(time_is_up, 0)
    end
    return ...
  end
  return function(self, key, loader, options)
    return ended(get_or_set(self, key, loader, options))
  end
end
