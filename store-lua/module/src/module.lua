-- The table that `require("store")` gives: over the configuration of the environment, looked at when first needed.
local open, process, parts = ...

local current, owner

-- The stores of this process: after a fork, the child's own.
local function stores()
  if not current or owner ~= process() then
    local opened, err = open()
    if not opened then
      return nil, err
    end
    current, owner = opened, process()
  end
  return current
end

local store = {
  null = parts.null,
  array = parts.array,
  errors = parts.errors,
  open = open,
}

function store.get(id)
  local opened, err = stores()
  if not opened then
    return nil, err
  end
  return opened.get(id)
end

function store.with(id, work, ...)
  local opened, err = stores()
  if not opened then
    return nil, err
  end
  return opened.with(id, work, ...)
end

errors = errors or parts.errors

return setmetatable({}, {
  __index = store,
  __newindex = function()
    error("store is read-only", 2)
  end,
  __pairs = function()
    return next, store, nil
  end,
  __metatable = false,
  __name = "store",
})
