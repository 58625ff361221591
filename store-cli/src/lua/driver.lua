-- Runs the main chunk and says how it ended. Gets the chunk; gives a function that takes the chunk's arguments and returns
-- nil if all went well, else a table: text, kind, reason (of an error object), trace.
local main = ...
local xpcall, pcall, type, tostring, getmetatable = xpcall, pcall, type, tostring, getmetatable
-- A sandbox has no traceback.
local traceback = debug and debug.traceback or function() return "" end
local pack, gsub = table.pack, string.gsub

-- Whatever the script may have made of its error object: this never raises.
local function field(object, name)
    local ok, value = pcall(function() return object[name](object) end)
    return ok and value or nil
end

local function is_error_object(value)
    return type(value) == "userdata" and type(field(value, "kind")) == "string"
end

local function text_of(value)
    if type(value) == "string" or type(value) == "number" then return tostring(value) end
    local ok, text = pcall(tostring, value)
    local named = pcall(getmetatable, value) and getmetatable(value)
    if ok and type(text) == "string" and (type(value) == "userdata" or named) then return text end
    if value == nil then return "nil" end
    return "(error object is a " .. type(value) .. " value)"
end

local function failure(value, trace)
    local failed = { text = text_of(value), trace = trace }
    if is_error_object(value) then
        failed.kind = field(value, "kind")
        local details = field(value, "details")
        local reason = type(details) == "table" and details.reason
        if type(reason) == "string" then failed.reason = reason end
    end
    return failed
end

return function(...)
    local results = pack(xpcall(main, function(value)
        -- Without the frames of this file.
        return failure(value, (gsub(traceback("", 2), "%s+%[C%]: in function 'xpcall'%s+%[store run%]:.*$", "")))
    end, ...))
    if not results[1] then
        local failed = results[2]
        -- Lua itself fails without asking the handler when memory is short.
        if type(failed) ~= "table" then failed = failure(failed) end
        return failed
    end
    -- `return nil, err` from the main chunk, as functions do: an error nobody looked at.
    if (results[2] == nil or results[2] == false) and is_error_object(results[3]) then
        return failure(results[3])
    end
end
