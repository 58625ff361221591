//! The `errors` library: error objects with a kind, for this module and for scripts' own use (rules E3, E4).

mod library;
mod object;
mod userdata;

pub(crate) use library::create;
pub(crate) use object::ErrorObject;
pub(crate) use userdata::from_value;
