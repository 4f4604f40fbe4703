//! Keys are in the memory of this program: nobody gets a copy of it.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::Error;

/// Let this program leave no core dump, and let no other program of the same user read its memory. Call it once, before
/// [`crate::Store::open`].
///
/// # Errors
/// [`Error::Key`]: the kernel refuses.
pub fn harden() -> Result<(), Error> {
    let refused = |error: rustix::io::Errno| Error::Key {
        reason: format!("core dumps, which would hold keys, cannot be switched off: {error}"),
    };
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(refused)?;
    // A core dump that is piped to a program ignores the limit, not this.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)
}
