-- What looks for patterns, sorts and compiles, in front of Lua's own: a call into C cannot be stopped, and these can be made to take hours.
--
-- Lua's own function is called where the text and the pattern are so small that it ends in time whatever they are. Else `seek` looks, which
-- ends with the time limit. Where the Lua versions differ, Lua's own functions are asked once.
local seek, expired, time_is_up, LIGHT, sorts_in_time, matches_in_time = ...

local error, type, tostring, tonumber, select, floor = error, type, tostring, tonumber, select, math.floor
local find_raw, match_raw, gmatch_raw, gsub_raw, sub = string.find, string.match, string.gmatch, string.gsub, string.sub
local sort_raw, concat = table.sort, table.concat

-- Of a pattern: how many times a text can be gone through for each place in it, and how many ways `?` makes of one.
local loops, ways, known = {}, {}, 0
local function weigh(pattern)
  if known == 200 then
    loops, ways, known = {}, {}, 0
  end
  local _, repeated = gsub_raw(pattern, "[*+-]", "")
  local _, long = gsub_raw(pattern, "%%[b%d]", "")
  local _, maybe = gsub_raw(pattern, "%?", "")
  loops[pattern], ways[pattern], known = repeated + long, 2 ^ maybe, known + 1
end

local function is_light(s, pattern)
  if type(s) ~= "string" or type(pattern) ~= "string" then
    -- A mistake, which Lua's own function explains.
    return true
  end
  if #pattern > 100 then
    return #s * #pattern <= LIGHT and not find_raw(pattern, "[*+%-?%%]")
  end
  if not loops[pattern] then
    weigh(pattern)
  end
  return (#s + 1) ^ (loops[pattern] + 1) * ways[pattern] * (#pattern + 1) <= LIGHT
end

-- Numbers are texts here, as in Lua.
local function text(value)
  if type(value) == "number" then
    return tostring(value)
  end
  return value
end

-- In its position a call is no tail call, so that an error knows whose it is.
local function all(...)
  return ...
end

local function checked(found, ...)
  if found == false then
    if expired() then
      error(time_is_up, 0)
    end
    error((...), 3)
  end
  return found, ...
end

-- Where to begin, or nil if that is behind the text.
local clamps = find_raw("", "", 10) ~= nil
local function beginning(s, init)
  local at = floor(tonumber(init) or 1)
  if at < 0 then
    at = at + #s + 1
  end
  if at < 1 then
    return 1
  end
  if at > #s + 1 then
    return clamps and #s + 1 or nil
  end
  return at
end

local function is_anchored(pattern)
  return sub(pattern, 1, 1) == "^"
end

local function has_specials(pattern)
  return find_raw(pattern, "[%^$*+?.([%%-]") ~= nil
end

function string.find(s, pattern, init, plain)
  s, pattern = text(s), text(pattern)
  if is_light(s, pattern) then
    return find_raw(s, pattern, init, plain)
  end
  find_raw("", "", init)
  local at = beginning(s, init)
  if not at then
    return nil
  end
  local is_plain = plain or not has_specials(pattern)
  if matches_in_time and not is_plain then
    return find_raw(s, pattern, init)
  end
  return all(checked(seek(s, pattern, at, is_plain and "plain" or is_anchored(pattern) and "there" or "on")))
end

local function captures(s, first, last, ...)
  if not first then
    return nil
  end
  if select("#", ...) == 0 then
    return sub(s, first, last)
  end
  return ...
end

function string.match(s, pattern, init)
  s, pattern = text(s), text(pattern)
  if matches_in_time or is_light(s, pattern) then
    return match_raw(s, pattern, init)
  end
  match_raw("", "", init)
  local at = beginning(s, init)
  if not at then
    return nil
  end
  return captures(s, checked(seek(s, pattern, at, is_anchored(pattern) and "there" or "on")))
end

-- After a match: where to look next, and where the next one must not end. Older Lua goes on one further after an empty match; newer Lua refuses
-- one that ends where the last one did.
local refuses = select(2, gsub_raw("abc", "%w*", "x")) == 1
local function following(first, last)
  if refuses then
    return last + 1, last
  end
  return last < first and first + 1 or last + 1, nil
end

local takes_init = gmatch_raw("ab", ".", 2)() == "b"
function string.gmatch(s, pattern, init)
  s, pattern = text(s), text(pattern)
  if matches_in_time or is_light(s, pattern) then
    return gmatch_raw(s, pattern, init)
  end
  local at, avoid = 1, nil
  if takes_init then
    gmatch_raw("", "", init)
    at = beginning(s, init) or #s + 1
  end
  local function step(first, last, ...)
    if not first then
      at = #s + 2
      return nil
    end
    at, avoid = following(first, last)
    return captures(s, first, last, ...)
  end
  return function()
    if at > #s + 1 then
      return nil
    end
    return all(step(checked(seek(s, pattern, at, "on", avoid))))
  end
end

-- What a text for `gsub` becomes for one match.
local takes_any = pcall(gsub_raw, "x", "x", "%a")
local function expand(repl, whole, ...)
  local groups, n = { ... }, select("#", ...)
  return (gsub_raw(repl, "%%(.?)", function(mark)
    local index = find_raw(mark, "%d") and tonumber(mark)
    if not index then
      if mark == "%" or (takes_any and mark ~= "") then
        return mark
      end
      error("invalid use of '%' in replacement string", 0)
    end
    if index == 0 or (index == 1 and n == 0) then
      return whole
    end
    if index > n then
      error("invalid capture index %" .. index .. " in replacement string", 0)
    end
    return tostring(groups[index])
  end))
end

local function replacement(repl)
  if type(repl) == "function" then
    return function(whole, ...)
      if select("#", ...) == 0 then
        return repl(whole)
      end
      return repl(...)
    end
  elseif type(repl) == "table" then
    return function(whole, ...)
      local key = whole
      if select("#", ...) > 0 then
        key = ...
      end
      return repl[key]
    end
  end
  repl = text(repl)
  if not find_raw(repl, "%", 1, true) then
    return function()
      return repl
    end
  end
  return function(...)
    return expand(repl, ...)
  end
end

function string.gsub(s, pattern, repl, most)
  s, pattern = text(s), text(pattern)
  if matches_in_time or is_light(s, pattern) then
    return gsub_raw(s, pattern, repl, most)
  end
  -- What is no replacement, or no number, Lua's own function says.
  gsub_raw("", "x", repl, most)
  most = most and floor(tonumber(most)) or #s + 1
  local replace, anchored = replacement(repl), is_anchored(pattern)
  local pieces, n, count = {}, 0, 0
  local at, copied, avoid = 1, 1, nil
  local function one(first, last, ...)
    if not first then
      return false
    end
    local whole = sub(s, first, last)
    local value = replace(whole, ...)
    if not value then
      value = whole
    elseif type(value) ~= "string" and type(value) ~= "number" then
      error("invalid replacement value (a " .. type(value) .. ")", 3)
    end
    pieces[n + 1], pieces[n + 2] = sub(s, copied, first - 1), value
    n, count, copied = n + 2, count + 1, last + 1
    at, avoid = following(first, last)
    return true
  end
  while count < most and at <= #s + 1 and one(checked(seek(s, pattern, at, anchored and "there" or "on", avoid))) do
    if anchored then
      break
    end
  end
  pieces[n + 1] = sub(s, copied)
  return concat(pieces), count
end

-- Without an order of its own a table is compared in C, where older Lua takes quadratic time if it is arranged for that, and long texts
-- take time anywhere. In Lua the clock is looked at.
local function is_less(a, b)
  return a < b
end

local function has_long(t)
  for index = 1, #t do
    local value = t[index]
    if type(value) == "string" and #value > 100 then
      return true
    end
  end
  return false
end

function table.sort(t, less)
  if less == nil and type(t) == "table" and (not sorts_in_time or has_long(t)) then
    less = is_less
  end
  return sort_raw(t, less)
end
