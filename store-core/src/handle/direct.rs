//! What bindings to other languages ask of a handle, call after call.

use super::Handle;
use super::call::explain;
use crate::codec::Raw;
use crate::observe::Operation;
use crate::slot::Slot;
use crate::{Expiry, Result, Written};

impl Handle {
    /// [`try_set`](Handle::try_set) of bytes that are encoded already. It does the same with less around it: a binding has its caller's time in
    /// tens of nanoseconds, and what the general way moves through memory takes a few of them.
    ///
    /// # Errors
    /// As [`set`](Handle::set).
    #[inline]
    pub fn try_set_encoded(&self, key: &[u8], encoded: &[u8], expiry: Expiry) -> Option<Result<()>> {
        let slot = self.slot();
        if slot.is_watched() {
            return self.try_set(key, &Raw(encoded), expiry);
        }
        match self.set_now(slot, key, encoded, expiry)? {
            Ok(_) => Some(Ok(())),
            Err(error) => Some(Err(explain(slot, Operation::Set, Some(key), error))),
        }
    }

    #[inline(always)]
    fn set_now(&self, slot: &Slot, key: &[u8], encoded: &[u8], expiry: Expiry) -> Option<Result<Written>> {
        let call = match self.call_on(slot) {
            Ok(call) => call,
            Err(error) => return Some(Err(error)),
        };
        match call.check_set(key, &Raw(encoded), expiry, &mut Vec::new()) {
            Ok((key, value, put)) => call.ask_now(&call.ask_put(key, value, put)),
            Err(error) => Some(Err(error)),
        }
    }
}
