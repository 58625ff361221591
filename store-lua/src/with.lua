-- `store.with(id, work, ...)`: a handle that is released whatever happens, for a Lua without `<close>`.
local get, pcall, error, type, refused = ...
return function(id, work, ...)
  local kind = type(work)
  -- What is called may be a table or a userdata that can be.
  if kind ~= "function" and kind ~= "table" and kind ~= "userdata" then
    return nil, refused(work)
  end
  local handle, err = get(id)
  if handle == nil then
    return nil, err
  end
  local function finish(ok, ...)
    handle:release()
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return finish(pcall(work, handle, ...))
end
