local coroutine, PENDING, replace, error, type, select, setmetatable, pcall, old, measure = ...

local create, resume, running, yield = coroutine.create, coroutine.resume, coroutine.running, coroutine.yield
local close, status, isyieldable = coroutine.close, coroutine.status, coroutine.isyieldable

-- Coroutines whose resumer cannot itself be suspended. Looked up rather than counted: whatever ends a resume, nothing has to be put back.
local stuck = setmetatable({}, { __mode = "k" })

-- The running coroutine, unless it is the main one, or a stuck one.
local function free()
  local co, main = running()
  return co ~= nil and not main and not stuck[co]
end

-- Lua 5.1 and 5.2 cannot be asked whether the running coroutine can be suspended.
local ASK, ask = PENDING, nil
local depths = setmetatable({}, { __mode = "k" })
if old == "Lua 5.2" then
  -- It asks whoever resumed it, by a yield of this marker, and so on up to the host, which resumes at once what yields anything but its own marker.
  -- What cannot be suspended raises, and that is caught by a pcall that can; `false` is the answer then.
  ASK = {}
  function ask()
    local ok, answer = pcall(yield, ASK)
    return ok and answer ~= false
  end
elseif old == "Lua 5.1" then
  -- Here pcall cannot. But nothing can be suspended exactly inside of calls that were made from C, and how many of those there are is known by
  -- how many more are allowed. Each resume of a script's is one, too, and known.
  local function room(depth)
    local ok, deepest = pcall(room, depth + 1)
    return ok and deepest or depth
  end
  local most = measure(room)
  function ask()
    return room(0) == most - (depths[running()] or 0)
  end
end

local function can_yield()
  if ask then
    return free() and ask()
  end
  return isyieldable() and free()
end

if not replace then
  return can_yield
end

local pass_on

-- What waits is resumed without arguments; with mlua's signal if whoever drives it drops it. That goes in as far as the operation, so that it ends
-- now, not when it is collected; and nothing of the script's runs any more.
local function go_on(co, signal)
  if signal == nil then
    return pass_on(co)
  end
  resume(co, signal)
  yield()
end

local function settle(co, ok, first, ...)
  if ok and (first == PENDING or first == ASK) and select("#", ...) == 0 then
    if first == PENDING then
      return go_on(co, yield(PENDING))
    end
    return pass_on(co, ask())
  end
  return ok, first, ...
end

function pass_on(co, ...)
  return settle(co, resume(co, ...))
end

-- Where it can be asked at no cost, it is asked before; else by whoever has to wait.
local passes = ask and free or can_yield

local function resume_passing_on(co, ...)
  if type(co) ~= "thread" then
    return resume(co, ...)
  end
  if passes() then
    stuck[co] = nil
    if old == "Lua 5.1" then
      depths[co] = (depths[running()] or 0) + 1
    end
    return pass_on(co, ...)
  end
  stuck[co] = true
  return resume(co, ...)
end

coroutine.resume = resume_passing_on

local function unwrap(co, ok, ...)
  if ok then
    return ...
  end
  local err = ...
  if close and status(co) == "dead" then
    close(co)
  end
  error(err, 0)
end

function coroutine.wrap(body)
  if type(body) ~= "function" then
    error("bad argument #1 to 'wrap' (function expected)", 2)
  end
  local co = create(body)
  return function(...)
    return unwrap(co, resume_passing_on(co, ...))
  end
end

if old ~= "Lua 5.1" then
  return can_yield
end

-- A pcall that can be suspended: what it calls runs in a coroutine, whose errors are caught by its end, and whose yields are passed on.
local function finish(co, ok, ...)
  if ok and status(co) == "suspended" then
    return finish(co, resume_passing_on(co, yield(...)))
  end
  return ok, ...
end

local function pcall_passing_on(f, ...)
  if not free() or type(f) ~= "function" then
    return pcall(f, ...)
  end
  -- In 5.1 a coroutine takes functions of Lua's only.
  local co = create(function(...) return f(...) end)
  return finish(co, resume_passing_on(co, ...))
end

return can_yield, pcall_passing_on
