rockspec_format = "3.0"
package = "store"
version = "scm-1"
source = {
   url = "git+file://.",
}
description = {
   summary = "Key-value storage with TTL: in memory, on disk or on Redis, chosen by configuration",
   detailed = [[
      Tables stored exactly, time to live, versions, structured errors and access rules for each key; the same script on every backend.
   ]],
   license = "MIT OR Apache-2.0",
}
dependencies = {
   "lua >= 5.1",
}
build = {
   -- By cargo, for the Lua that luarocks works for.
   type = "command",
   build_command = "$(LUA) build.lua",
   install = {
      lib = {
         store = "store.so",
      },
   },
   copy_directories = {},
}
