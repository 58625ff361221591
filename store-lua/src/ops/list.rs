//! `list` (and with it `each`) and `clear`.

use mlua::Value;
use store_core::ListOptions;

use super::{Call, Done, Ended};
use crate::args::{Options, integer, wrong};
use crate::reply::Reply;
use crate::shim::Stop;

pub(super) fn list(call: &Call<'_>, options: Value) -> Ended {
    call.check()?;
    let options = list_options(&options)?;
    let now = call.handle.try_list(&options);
    call.now_or(&[], now, Reply::Page, |handle, _| async move { handle.list(&options).await })
}

fn list_options(options: &Value) -> Result<ListOptions, Stop> {
    let given = Options::new(options, &["prefix", "after", "limit", "keys_only"])?;
    let mut options = ListOptions::prefix(given.string("prefix")?.unwrap_or_default());
    if let Some(cursor) = given.string("after")? {
        options = options.after(String::from_utf8_lossy(&cursor));
    }
    if let Some(limit) = integer("limit", &given.get("limit")?)? {
        let limit =
            usize::try_from(limit).map_err(|_| wrong("limit", "an integer from 1 to 1000", &Value::Integer(limit)))?;
        options = options.limit(limit);
    }
    if given.flag("keys_only")? {
        options = options.keys_only();
    }
    Ok(options)
}

pub(super) fn clear(call: &Call<'_>, options: Value) -> Ended {
    call.check()?;
    let prefix = Options::new(&options, &["prefix"]).and_then(|options| options.string("prefix"))?;
    let (handle, prefix) = (call.handle.clone(), prefix.unwrap_or_default());
    let operation = async move { Ok(Reply::Count(handle.clear(&prefix).await?)) };
    // On a backend that answers at once it ends at once, also where nobody can wait.
    Ok(Done::Wait(call.wait(&[], true, Box::pin(operation))))
}
