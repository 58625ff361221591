-- The cases of the conformance suite under busted: a library that `require("store")` finds is enough.
--
--   LUA_CPATH='./?.so;;' busted --lua=lua5.4 spec
--
-- STORE_SPEC_OPTIONS is TOML for one store: `backend = 'memory'` unless given; `DIRECTORY` in it stands for a new folder, `CASE` for a text of
-- its own, so that each case has a store that is empty.
local lfs = require("lfs")
local store = require("store")

local here = debug.getinfo(1, "S").source:match("^@(.*)[/\\][^/\\]*$") or "."
local tests = here .. "/../../tests/"
local options = os.getenv("STORE_SPEC_OPTIONS") or "backend = 'memory'"

-- What the cases take for granted: the prelude of the embedded tests, in globals.
_G.errors = store.errors
assert(loadfile(tests .. "lua/prelude.lua"))()

function _G.sleep(seconds)
  -- The clock of a process is no measure: it counts all its threads.
  os.execute("sleep " .. seconds)
end

local files = {}
for name in lfs.dir(tests .. "lua_cases") do
  files[#files + 1] = name:match("^(.*)%.lua$")
end
table.sort(files)

local base = os.getenv("TMPDIR") or "/tmp"
local count = 0

-- Three stores that nobody used before.
local function fresh()
  count = count + 1
  local folder = base .. "/store-spec-" .. os.time() .. "-" .. tostring({}):match("%x+$") .. "-" .. count
  assert(lfs.mkdir(folder))
  local own = options:gsub("DIRECTORY", (folder:gsub("%%", "%%%%"))):gsub("CASE", "spec" .. os.time() .. "x" .. count)
  local file = assert(io.open(folder .. "/store.toml", "w"))
  for _, id in ipairs({ "app:cache", "app:other", "app:small" }) do
    file:write("[stores.'", id, "']\n", own, "\n")
  end
  file:write("default_ttl = '100ms'\nmax_ttl = '1h'\nmax_value_size = '1KiB'\nmax_depth = 4\n")
  file:close()
  return assert(store.open(folder .. "/store.toml"))
end

for _, name in ipairs(files) do
  describe("conformance, " .. name, function()
    local path = tests .. "lua_cases/" .. name .. ".lua"
    _G.cases = {}
    assert(loadfile(path))()
    local names = {}
    for case in pairs(_G.cases) do
      names[#names + 1] = case
    end
    table.sort(names)
    for _, case in ipairs(names) do
      it(case, function()
        local stores = fresh()
        -- For those that ask for the module themselves.
        package.loaded.store, _G.cases = stores, {}
        assert(loadfile(path))()
        function _G.open(id)
          return assert(stores.get(id or "app:cache"))
        end
        local ok, err = pcall(_G.cases[case], _G.open())
        package.loaded.store = store
        assert(ok, err)
      end)
    end
  end)
end
