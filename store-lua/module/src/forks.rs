//! How often this process was forked from another.

use std::sync::atomic::AtomicUsize;

/// One more in each child of a fork.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// Counts from now on.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "to ask for the process's id in every operation would cost more than the operation; the system calls us instead"
)]
pub(crate) fn forks() -> &'static AtomicUsize {
    use std::ffi::c_int;
    use std::sync::Once;
    use std::sync::atomic::Ordering;

    type Handler = Option<extern "C" fn()>;
    unsafe extern "C" {
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
    }
    extern "C" fn count() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    static ASKED: Once = Once::new();
    ASKED.call_once(|| {
        // SAFETY: the handler is a function of this library, which stays loaded (see build.rs), and does nothing that a child of a process with
        // threads may not do.
        let _ = unsafe { pthread_atfork(None, None, Some(count)) };
    });
    &FORKS
}

/// There are none.
#[cfg(not(unix))]
pub(crate) fn forks() -> &'static AtomicUsize {
    &FORKS
}
