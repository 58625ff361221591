-- Builds the library for the Lua that runs this script, and puts it here as `store.so`: what `luarocks make` does, and anyone can.
-- Needs cargo and nothing else: no other rock, no network once the crates are fetched.
--
-- STORE_BACKENDS="memory redis" leaves the others out; STORE_PROFILE=dev builds quickly and runs slowly.
local features = {
  ["Lua 5.1"] = "lua51",
  ["Lua 5.2"] = "lua52",
  ["Lua 5.3"] = "lua53",
  ["Lua 5.4"] = "lua54",
  ["Lua 5.5"] = "lua55",
}
local feature = rawget(_G, "jit") and "luajit" or features[_VERSION]
if not feature then
  error("no build for " .. _VERSION)
end

local profile = os.getenv("STORE_PROFILE") or "release"
local backends = os.getenv("STORE_BACKENDS")
local command = "cargo build --locked --lib --profile " .. profile .. " --features " .. feature
if backends then
  command = command .. ' --no-default-features --features "' .. backends .. '"'
end
print(command)
local ended = os.execute(command)
if ended ~= true and ended ~= 0 then
  error("cargo failed")
end

local target = os.getenv("CARGO_TARGET_DIR") or "target"
local folder = target .. "/" .. (profile == "dev" and "debug" or profile)
for _, name in ipairs({ "libstore.so", "libstore.dylib" }) do
  local built = io.open(folder .. "/" .. name, "rb")
  if built then
    -- Written under another name first, so that a library that is in use stays whole.
    local copy = assert(io.open("store.so.new", "wb"))
    assert(copy:write(built:read("*a")))
    assert(copy:close())
    built:close()
    assert(os.rename("store.so.new", "store.so"))
    print("store.so, for " .. feature)
    return
  end
end
error("cargo built no library in " .. folder)
