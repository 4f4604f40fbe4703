//! Sockets: made, bound and set up before any back end sees them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::limits;

fn family(address: &SocketAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}

/// A listener with everything that accepted connections inherit.
pub(crate) fn listen(address: SocketAddr, flags: SocketFlags) -> io::Result<(OwnedFd, SocketAddr)> {
    let fd = rustix::net::socket_with(family(&address), SocketType::STREAM, flags | SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    sockopt::set_socket_reuseport(&fd, true)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    sockopt::set_socket_keepalive(&fd, true)?;
    sockopt::set_tcp_keepidle(&fd, Duration::from_secs(u64::from(limits::KEEPALIVE_IDLE_S)))?;
    sockopt::set_tcp_keepintvl(&fd, Duration::from_secs(u64::from(limits::KEEPALIVE_INTERVAL_S)))?;
    sockopt::set_tcp_keepcnt(&fd, limits::KEEPALIVE_PROBES)?;
    set_int(&fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, limits::USER_TIMEOUT_MS as i32)?;
    set_int(&fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, limits::NOT_SENT_BYTES as i32)?;
    rustix::net::bind(&fd, &address)?;
    rustix::net::listen(&fd, limits::LISTEN_BACKLOG)?;
    let bound = local_address(&fd)?;
    Ok((fd, bound))
}

/// A socket for an outgoing connection, bound to `from` without a port of its own until it connects.
pub(crate) fn outgoing(from: Option<SocketAddr>, to: SocketAddr, flags: SocketFlags) -> io::Result<OwnedFd> {
    let fd = rustix::net::socket_with(family(&to), SocketType::STREAM, flags | SocketFlags::CLOEXEC, None)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    if let Some(from) = from {
        if from.port() == 0 {
            set_int(&fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
        }
        rustix::net::bind(&fd, &from)?;
    }
    Ok(fd)
}

fn set_int(fd: &OwnedFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open and the pointer is to a live i32 of the length that is given.
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size_of::<i32>() as libc::socklen_t)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(crate) fn local_address(fd: &OwnedFd) -> io::Result<SocketAddr> {
    let address = rustix::net::getsockname(fd)?;
    SocketAddr::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// Do calls on it wait? Shared by all descriptors of one socket, in all processes.
pub(crate) fn set_blocking(fd: &OwnedFd, blocking: bool) -> io::Result<()> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let flags = fcntl_getfl(fd)?;
    let wanted = if blocking { flags - OFlags::NONBLOCK } else { flags | OFlags::NONBLOCK };
    if wanted != flags {
        fcntl_setfl(fd, wanted)?;
    }
    Ok(())
}

/// Closing resets the connection instead of sending what waits.
pub(crate) fn reset_on_close(fd: impl AsFd) {
    // It fails only on sockets that are broken already.
    let _ = sockopt::set_socket_linger(fd, Some(Duration::ZERO));
}

/// Room for any socket address that this driver meets, as the kernel writes it.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawAddress {
    pub(crate) bytes: [u8; 28],
    pub(crate) len: u32,
}

impl RawAddress {
    pub(crate) const EMPTY: Self = Self { bytes: [0; 28], len: 28 };

    /// Encode for the kernel.
    pub(crate) fn encode(address: SocketAddr) -> Self {
        let mut raw = Self::EMPTY;
        raw.bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        match address.ip() {
            IpAddr::V4(ip) => {
                raw.bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
                raw.bytes[4..8].copy_from_slice(&ip.octets());
                raw.len = 16;
            }
            IpAddr::V6(ip) => {
                raw.bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
                raw.bytes[8..24].copy_from_slice(&ip.octets());
                raw.len = 28;
            }
        }
        raw
    }

    /// Decode what the kernel wrote.
    pub(crate) fn decode(&self) -> Option<SocketAddr> {
        let family = i32::from(u16::from_ne_bytes([self.bytes[0], self.bytes[1]]));
        let port = u16::from_be_bytes([self.bytes[2], self.bytes[3]]);
        let ip = match family {
            libc::AF_INET => IpAddr::from(*self.bytes[4..].first_chunk::<4>()?),
            libc::AF_INET6 => IpAddr::from(*self.bytes[8..].first_chunk::<16>()?),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_kernel_form() {
        for text in ["127.0.0.1:8080", "[2001:db8::7]:443"] {
            let address: SocketAddr = text.parse().expect("an address");
            assert_eq!(RawAddress::encode(address).decode(), Some(address));
        }
        assert_eq!(RawAddress::EMPTY.decode(), None);
    }
}
