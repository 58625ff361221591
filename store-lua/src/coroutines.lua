local coroutine, PENDING, replace, error, type, select = ...

local create, resume, running, yield = coroutine.create, coroutine.resume, coroutine.running, coroutine.yield
local close, status = coroutine.close, coroutine.status
local isyieldable = coroutine.isyieldable
  or function()
    local co, main = running()
    return co ~= nil and not main
  end

-- True while a coroutine runs whose resumer cannot itself be suspended.
local stuck = false

local function can_yield()
  return not stuck and isyieldable()
end

if not replace then
  return can_yield
end

local pass_on

local function settle(co, ok, first, ...)
  if ok and first == PENDING and select("#", ...) == 0 then
    return pass_on(co, yield(PENDING))
  end
  return ok, first, ...
end

function pass_on(co, ...)
  return settle(co, resume(co, ...))
end

local function unstick(...)
  stuck = false
  return ...
end

local function resume_passing_on(co, ...)
  if can_yield() then
    return pass_on(co, ...)
  end
  if stuck then
    return resume(co, ...)
  end
  stuck = true
  return unstick(resume(co, ...))
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

return can_yield
