---@meta store
-- Definitions for the Lua language server: https://luals.github.io/wiki/definition-files/

---Fast key-value storage with TTL. The same on every backend.
---@class store
---@field null lightuserdata Stands for "nothing" inside of tables.
---@field errors errors
local store = {}

---Any boolean, number, string, `store.null` inside of tables, or a table of these with string, number and boolean keys.
---@alias store.Value boolean|number|string|table|lightuserdata

---A key: 1 to 1024 bytes. An integer stands for its decimal text.
---@alias store.Key string|integer

---Seconds, fractions allowed. `nil`: the store's default. `0` and `math.huge`: never.
---@alias store.TTL number

---@class store.Entry
---@field key string
---@field value any
---@field version string Opaque; new on every write of the value.
---@field ttl number Seconds left; `math.huge` for never.

---@class store.Page
---@field items store.Entry[] With `keys_only`, only `key` is set.
---@field cursor string? What to pass as `after` for the next page; `nil` at the end.
---@field has_more boolean

---@class store.PutOptions
---@field ttl? store.TTL
---@field keep_ttl? boolean Leaves the deadline of a live entry as it is.
---@field only_if_absent? boolean Else ALREADY_EXISTS.
---@field only_if_present? boolean Else NOT_FOUND.
---@field if_version? string Else CONFLICT, or NOT_FOUND if absent.

---@class store.VersionOptions
---@field if_version? string Else CONFLICT.

---@class store.IncrementOptions
---@field initial? integer What an absent key counts from; 0 unless given.
---@field ttl? store.TTL Counts only if the key is created.

---@class store.ListOptions
---@field prefix? string
---@field after? string The cursor of the page before.
---@field limit? integer 1 to 1000; 100 unless given.
---@field keys_only? boolean

---@class store.ClearOptions
---@field prefix? string

---@class store.LoadOptions
---@field ttl? store.TTL
---@field negative_ttl? number How long "the loader found nothing" is remembered.
---@field stale_on_error? number How long after its end a value may stand in for a loader that fails.

---@class store.Item
---@field key store.Key
---@field value store.Value
---@field ttl? store.TTL

---@class store.Capabilities
---@field ttl boolean
---@field versions boolean
---@field increment boolean
---@field ordered_list boolean
---@field exact_values boolean
---@field unique_versions boolean
---@field injected_clock boolean
---@field purge boolean

---@class store.Limits
---@field max_key_size integer
---@field max_value_size integer
---@field max_depth integer
---@field max_batch integer
---@field max_entries integer?

---@class store.Info
---@field id string
---@field backend string
---@field consistency "linearizable"|"failover"|"bounded"
---@field durable boolean
---@field entries integer? About how many, where that is cheap to know.
---@field capabilities store.Capabilities
---@field limits store.Limits

---@class store.OpenOptions
---@field env? string One of the configuration's environments; else what `STORE_ENV` names.
---@field actor? string Whom the stores' policies see.
---@field meta? table<string, any> The actor's attributes.
---@field scope? string[] Groups of policies.

---A handle on a store.
---@class store.Store
local Store = {}

---Acquires a store.
---@async
---@param id string
---@return store.Store? handle
---@return errors.Error? err
---@nodiscard
function store.get(id) end

---Acquires a store, calls `work(handle, ...)`, and releases the handle whatever happens.
---@async
---@param id string
---@param work async fun(handle: store.Store, ...: any): ...
---@param ... any
---@return any ...
function store.with(id, work, ...) end

---A module over another configuration, or for another caller. Only in the library for stock Lua: where Lua is embedded, the host chooses.
---@param file? string Else the configuration of `require("store")`.
---@param options? store.OpenOptions
---@return store? module
---@return errors.Error? err
---@nodiscard
function store.open(file, options) end

---Marks an empty table as an array, for readers in other languages.
---@generic T: table
---@param table T
---@return T
function store.array(table) end

---The value of a key; `nil` if absent.
---@async
---@param key store.Key
---@return any value
---@return errors.Error? err
---@nodiscard
function Store:get(key) end

---Stores a value.
---@async
---@param key store.Key
---@param value store.Value
---@param ttl? store.TTL
---@return true? ok
---@return errors.Error? err
function Store:set(key, value, ttl) end

---Whether a key is live.
---@async
---@param key store.Key
---@return boolean? live
---@return errors.Error? err
---@nodiscard
function Store:has(key) end

---Deletes a key: true if it was live.
---@async
---@param key store.Key
---@param options? store.VersionOptions
---@return boolean? deleted
---@return errors.Error? err
function Store:delete(key, options) end

---Value, version and TTL of a key; `nil` if absent.
---@async
---@param key store.Key
---@return store.Entry? entry
---@return errors.Error? err
---@nodiscard
function Store:entry(key) end

---Stores a value under conditions.
---@async
---@param key store.Key
---@param value store.Value
---@param options? store.PutOptions
---@return store.Entry? entry
---@return errors.Error? err
function Store:put(key, value, options) end

---Seconds left, `math.huge` for never, `nil` if absent.
---@async
---@param key store.Key
---@return number? seconds
---@return errors.Error? err
---@nodiscard
function Store:ttl(key) end

---Gives a live key a new TTL: true if it was live.
---@async
---@param key store.Key
---@param ttl? store.TTL
---@param options? store.VersionOptions
---@return boolean? touched
---@return errors.Error? err
function Store:touch(key, ttl, options) end

---Reads a key and gives it a new TTL, in one step.
---@async
---@param key store.Key
---@param ttl? store.TTL
---@return any value
---@return errors.Error? err
function Store:get_and_touch(key, ttl) end

---Reads a key and deletes it, in one step.
---@async
---@param key store.Key
---@return any value
---@return errors.Error? err
function Store:take(key) end

---Adds to a counter and gives the sum.
---@async
---@param key store.Key
---@param delta? integer 1 unless given.
---@param options? store.IncrementOptions
---@return integer? sum
---@return errors.Error? err
function Store:increment(key, delta, options) end

---The values of many keys, by position; `nil` where absent. `n` says how many.
---@async
---@param keys store.Key[]
---@return table? values
---@return errors.Error? err
---@nodiscard
function Store:get_many(keys) end

---Stores many values. Not atomic across keys.
---@async
---@param items store.Item[]
---@param ttl? store.TTL For items without their own.
---@return true[]? done
---@return errors.Error? err
function Store:set_many(items, ttl) end

---Deletes many keys: true for each that was live.
---@async
---@param keys store.Key[]
---@return boolean[]? deleted
---@return errors.Error? err
function Store:delete_many(keys) end

---One page of the live entries, in byte order.
---@async
---@param options? store.ListOptions
---@return store.Page? page
---@return errors.Error? err
---@nodiscard
function Store:list(options) end

---All live entries, page by page: `for key, value in cache:each{prefix = "user:"} do`. A failure on a later page is raised.
---@async
---@param options? store.ListOptions
---@return (async fun(): string?, any)? iterator
---@return errors.Error? err
---@nodiscard
function Store:each(options) end

---Deletes everything, or everything with a prefix, and gives how many.
---@async
---@param options? store.ClearOptions
---@return integer? deleted
---@return errors.Error? err
function Store:clear(options) end

---The value of a key, or else what the loader brings, stored. One loader runs for each key at a time.
---@async
---@param key store.Key
---@param loader async fun(): any, (number|errors.Error|string)? Gives `value[, ttl]`, or `nil, err`, or nothing.
---@param options? store.LoadOptions|store.TTL
---@return any value
---@return errors.Error? err
function Store:get_or_set(key, loader, options) end

---What the store is and can do.
---@return store.Info? info
---@return errors.Error? err
---@nodiscard
function Store:info() end

---Gives the handle back. Using it afterwards is INVALID.
---@return true
function Store:release() end

return store
