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

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::OwnedFd;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

    use super::*;

    fn wanted(address: SocketAddr) -> Listen {
        Listen { plain: vec![address], ..Listen::default() }
    }

    /// What a server that was killed leaves for a moment: a listener that would share its port with the next one.
    fn left_behind() -> (OwnedFd, SocketAddr) {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a free port");
        let fd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        sockopt::set_socket_reuseaddr(&fd, true).expect("SO_REUSEADDR");
        sockopt::set_socket_reuseport(&fd, true).expect("SO_REUSEPORT");
        bind(&fd, &free).expect("the port is free");
        listen(&fd, 1).expect("listens");
        (fd, free)
    }

    #[test]
    fn a_port_is_waited_for_until_its_last_listener_has_gone() {
        let ((left, address), is_gone) = (left_behind(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(150));
                is_gone.store(true, Ordering::SeqCst);
                drop(left);
            });
            check_free(&wanted(address)).expect("free within a second");
            assert!(is_gone.load(Ordering::SeqCst), "somebody who connects now may reach the listener that is left");
        });
    }

    #[test]
    fn a_port_that_stays_taken_is_refused() {
        let (_left, address) = left_behind();
        let refused = check_free(&wanted(address));
        assert!(matches!(refused, Err(BootError::Bind { address: it, .. }) if it == address), "{refused:?}");
    }
}
