---@meta
-- Definitions for the Lua language server: https://luals.github.io/wiki/definition-files/

---A kind: the value of a constant, or a text of your own.
---@alias errors.Kind
---| "Invalid"
---| "NotFound"
---| "AlreadyExists"
---| "PermissionDenied"
---| "Conflict"
---| "Unavailable"
---| "Timeout"
---| "RateLimited"
---| "Canceled"
---| "Internal"
---| ""
---| string

---An error object. `..` and `tostring` give its text.
---@class errors.Error
---@operator concat(any): string
local Error = {}

---@return errors.Kind
---@nodiscard
function Error:kind() end

---What happened, without operation and store.
---@return string
---@nodiscard
function Error:message() end

---Whether the same call may succeed later; `nil` where nobody knows.
---@return boolean?
---@nodiscard
function Error:retryable() end

---A fresh table, or `nil`.
---@return table?
---@nodiscard
function Error:details() end

---The error beneath.
---@return errors.Error?
---@nodiscard
function Error:cause() end

---The error, where it was made, and its causes, as text.
---@return string
---@nodiscard
function Error:stack() end

---@class errors.Options
---@field retryable? boolean By default as the kind says.
---@field details? table Copied.
---@field cause? errors.Error

---@class errors.Fields: errors.Options
---@field message string
---@field kind? errors.Kind

---@class errors.Frame
---@field level integer
---@field source string
---@field line integer?
---@field name string?
---@field type string

---@class errors.CallStack
---@field thread string
---@field frames errors.Frame[]

---Error objects with a kind. Read-only.
---@class errors
---@field INVALID "Invalid"
---@field NOT_FOUND "NotFound"
---@field ALREADY_EXISTS "AlreadyExists"
---@field PERMISSION_DENIED "PermissionDenied"
---@field CONFLICT "Conflict"
---@field UNAVAILABLE "Unavailable"
---@field TIMEOUT "Timeout"
---@field RATE_LIMITED "RateLimited"
---@field CANCELED "Canceled"
---@field INTERNAL "Internal"
---@field UNKNOWN ""
errors = {}

---Makes an error.
---@overload fun(message: string): errors.Error
---@overload fun(fields: errors.Fields): errors.Error
---@param kind errors.Kind A constant, or its name: `"CONFLICT"`.
---@param message string
---@param options? errors.Options
---@return errors.Error
---@nodiscard
function errors.new(kind, message, options) end

---The same kind, retryable and details, one context further out.
---@param err errors.Error|string
---@param context string
---@return errors.Error
---@nodiscard
function errors.wrap(err, context) end

---Whether a value is an error object of this kind.
---@param err any
---@param kind errors.Kind
---@return boolean
---@nodiscard
function errors.is(err, kind) end

---Where an error was made.
---@param err any
---@return errors.CallStack?
---@nodiscard
function errors.call_stack(err) end
