//! PROXY protocol version 2: a load balancer says who its client is.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::limits::PROXY_HEADER_BYTES;

/// First bytes of every header.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const FIXED_BYTES: usize = 16;

/// What stands at the beginning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// The header is not complete.
    Partial,
    /// It is: who connected to the proxy (`None`: the proxy itself, a health check), and the header's length, bytes.
    Header {
        /// The client.
        client: Option<SocketAddr>,
        /// Bytes of the header.
        used: usize,
    },
}

/// The bytes are no header of version 2, or one that this server does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyFault;

/// Read the header at the beginning of a connection.
///
/// # Errors
/// See [`ProxyFault`].
pub fn parse(bytes: &[u8]) -> Result<Proxy, ProxyFault> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] != SIGNATURE[..known] {
        return Err(ProxyFault);
    }
    let Some(head) = bytes.get(..FIXED_BYTES) else { return Ok(Proxy::Partial) };
    let used = FIXED_BYTES + usize::from(u16::from_be_bytes([head[14], head[15]]));
    if used > PROXY_HEADER_BYTES {
        return Err(ProxyFault);
    }
    let is_local = match head[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyFault),
    };
    let Some(rest) = bytes.get(FIXED_BYTES..used) else { return Ok(Proxy::Partial) };
    if is_local {
        return Ok(Proxy::Header { client: None, used });
    }
    let port = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    let client = match (head[13], rest.len()) {
        (0x11, 12..) => {
            let ip = Ipv4Addr::new(rest[0], rest[1], rest[2], rest[3]);
            SocketAddr::from((ip, port(8)))
        }
        (0x21, 36..) => {
            let mut ip = [0; 16];
            ip.copy_from_slice(&rest[..16]);
            SocketAddr::from((Ipv6Addr::from(ip).to_canonical(), port(32)))
        }
        // Unix sockets, datagrams and unknown families name nobody whom limits could be kept for.
        _ => return Err(ProxyFault),
    };
    Ok(Proxy::Header { client: Some(client), used })
}

/// Append a header that says `client` connected to `server`; for tests and tools. Both of one family.
pub fn write(out: &mut Vec<u8>, client: SocketAddr, server: SocketAddr) {
    out.extend_from_slice(&SIGNATURE);
    out.push(0x21);
    match (client, server) {
        (SocketAddr::V4(client), SocketAddr::V4(server)) => {
            out.extend_from_slice(&[0x11, 0, 12]);
            out.extend_from_slice(&client.ip().octets());
            out.extend_from_slice(&server.ip().octets());
        }
        _ => {
            let octets = |address: SocketAddr| match address.ip() {
                std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                std::net::IpAddr::V6(ip) => ip.octets(),
            };
            out.extend_from_slice(&[0x21, 0, 36]);
            out.extend_from_slice(&octets(client));
            out.extend_from_slice(&octets(server));
        }
    }
    out.extend_from_slice(&client.port().to_be_bytes());
    out.extend_from_slice(&server.port().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(client: &str, server: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, client.parse().expect("an address"), server.parse().expect("an address"));
        out
    }

    #[test]
    fn clients_of_both_families_are_told() {
        for (client, server) in [("192.0.2.1:50000", "127.0.0.1:80"), ("[2001:db8::7]:1", "[::1]:80")] {
            let mut bytes = header(client, server);
            let used = bytes.len();
            bytes.extend_from_slice(b"\x1d\0\x01");
            for cut in 0..used {
                assert_eq!(parse(&bytes[..cut]), Ok(Proxy::Partial), "{cut} bytes");
            }
            assert_eq!(parse(&bytes), Ok(Proxy::Header { client: client.parse().ok(), used }));
        }
    }

    #[test]
    fn fields_behind_the_addresses_are_passed_over_and_health_checks_have_no_client() {
        let mut bytes = header("192.0.2.1:50000", "127.0.0.1:80");
        bytes[15] += 7;
        bytes.extend_from_slice(&[4, 0, 4, 1, 2, 3, 4]);
        assert_eq!(parse(&bytes), Ok(Proxy::Header { client: "192.0.2.1:50000".parse().ok(), used: 35 }));
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 0]].concat();
        assert_eq!(parse(&local), Ok(Proxy::Header { client: None, used: 16 }));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = header("192.0.2.1:50000", "127.0.0.1:80");
        for (at, byte) in [(0, b'P'), (11, 0), (12, 0x11), (12, 0x22), (13, 0x12), (13, 0x31), (13, 0), (14, 0xff)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(parse(&bad), Err(ProxyFault), "byte {at} = {byte:#x}");
        }
        assert_eq!(parse(b"PROXY TCP4 192.0.2.1"), Err(ProxyFault));
        assert_eq!(parse(b"\x1d"), Err(ProxyFault));
    }

    proptest! {
        #[test]
        fn never_reads_beyond(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let known = bytes.len().min(SIGNATURE.len());
            bytes[..known].copy_from_slice(&SIGNATURE[..known]);
            if let Ok(Proxy::Header { used, .. }) = parse(&bytes) {
                prop_assert!(used <= bytes.len());
            }
        }
    }
}
