-- The tables that `require("store")` and `store.open` give. Those of `require` are over the configuration of the environment, looked at when first needed.
local prepare, process, parts, setmetatable, next, error = ...

local open

-- A module over stores that `opener` opens when they are first needed. In a child of `fork` it opens them anew: the child's own.
local function over(opener, opened)
  local owner = opened and process()

  local function stores()
    if not opened or owner ~= process() then
      local fresh, err = opener()
      if not fresh then
        return nil, err
      end
      opened, owner = fresh, process()
    end
    return opened
  end

  local store = {
    null = parts.null,
    array = parts.array,
    errors = parts.errors,
    open = open,
  }

  function store.get(id)
    local from, err = stores()
    if not from then
      return nil, err
    end
    return from.get(id)
  end

  function store.with(id, work, ...)
    local from, err = stores()
    if not from then
      return nil, err
    end
    return from.with(id, work, ...)
  end

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
end

function open(file, options)
  local opener, err = prepare(file, options)
  if not opener then
    return nil, err
  end
  local opened
  opened, err = opener()
  if not opened then
    return nil, err
  end
  return over(opener, opened)
end

return over((prepare()))
