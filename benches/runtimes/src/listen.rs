//! The listener, the same for all: what accepted sockets inherit is what Linchpin's inherit.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections that the kernel keeps until they are accepted: as Linchpin asks for.
const BACKLOG: i32 = 65_535;

/// Listen without blocking, with as many descriptors as the process may have.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    sockopt::set_socket_keepalive(&fd, true)?;
    sockopt::set_tcp_keepidle(&fd, Duration::from_secs(60))?;
    rustix::net::bind(&fd, &address)?;
    rustix::net::listen(&fd, BACKLOG)?;
    Ok(fd.into())
}

/// Write the ready file, whole or not at all.
pub(crate) fn tell_ready(path: &Path, bound: SocketAddr) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, format!("{{\"plain\":\"{bound}\",\"pid\":{}}}\n", std::process::id()))?;
    std::fs::rename(new, path)
}
