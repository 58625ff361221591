-- `for key, value in cache:each{prefix =}`: page by page.
-- A generic `for` has nowhere to return an error to: the first page's comes back from `each` itself, a later one is raised.
local list, error, next, type = ...
return function(self, options)
  local page, err = list(self, options)
  if page == nil then
    return nil, err
  end
  local copy = {}
  if type(options) == "table" then
    for name, value in next, options do
      copy[name] = value
    end
  end
  local position = 0
  return function()
    while page do
      position = position + 1
      local item = page.items[position]
      if item then
        return item.key, item.value
      end
      if not page.has_more then
        page = nil
        return nil
      end
      copy.after = page.cursor
      position = 0
      page, err = list(self, copy)
      if page == nil then
        error(err, 0)
      end
    end
  end
end
