//! Ports that this server wants, before it opens them.

use std::io;
use std::time::Instant;

use super::error::BootError;
use crate::config::Listen;
use crate::limits;

/// Shards share a port by SO_REUSEPORT, which would let a second server share it too: ask without it first. The kernel closes
/// the listeners of a killed server a moment after its end: who came to one of them would be reset.
pub(crate) fn check_free(listen: &Listen) -> Result<(), BootError> {
    let begun = Instant::now();
    for (door, address) in listen.doors().into_iter().filter(|(_, address)| address.port() != 0) {
        while let Err(source) = std::net::TcpListener::bind(address) {
            if source.kind() != io::ErrorKind::AddrInUse || begun.elapsed() > limits::PORT_WITHIN {
                return Err(BootError::Bind { door, address, source });
            }
            std::thread::sleep(limits::PORT_TICK);
        }
    }
    Ok(())
}
