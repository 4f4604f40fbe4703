//! `linchpin dev`: the addresses of a server without any configuration.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

/// The usual ports of MQTT: clients that cannot be told another one.
pub(crate) const MQTT_PORT: u16 = 1883;
/// The same with TLS.
pub(crate) const MQTTS_PORT: u16 = 8883;

/// This address, if no other program has it. Debian's mosquitto takes 1883 when it is installed.
pub(crate) fn free(address: SocketAddr) -> Option<SocketAddr> {
    TcpListener::bind(address).ok().map(|_| address)
}

/// The address of this machine as a board on the same network sees it: the one that packets to the outside would have.
/// Nothing is sent.
pub(crate) fn address_for_boards() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // A documentation address (RFC 5737): only the routing table is asked.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}
