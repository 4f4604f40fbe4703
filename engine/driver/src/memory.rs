//! Memory that was freed, and the system.

/// Asks the allocator of this process (mimalloc) to collect what the calling thread has freed, and to give back pages of
/// any thread that have been free for a second. It does so by itself only while it is asked for memory: a server that has
/// become quiet would hold what its busiest moment took. To be called by each thread that frees much, now and then; with
/// nothing to do it takes a few microseconds.
pub fn give_back_freed() {
    // SAFETY: the function has no arguments to get wrong, may be called by every thread at any time, and frees nothing
    // that is in use.
    unsafe { libmimalloc_sys::mi_collect(false) }
}
