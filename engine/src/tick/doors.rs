//! Which way connections come in: from clients, or through load balancers that say who the client is.

use std::net::{IpAddr, SocketAddr};

use linchpin_driver::ListenerId;
use linchpin_shard::Via;

/// An address with a prefix length, such as `10.0.0.0/8`; a bare address stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    ip: IpAddr,
    prefix: u8,
}

impl Network {
    /// Parse `10.0.0.0/8`, `2001:db8::/32` or a bare address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let ip: IpAddr = address
            .parse()
            .map_err(|_| format!("{text:?} is not an address or a network, such as \"10.0.0.7\" or \"10.0.0.0/8\""))?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= most)
                .ok_or_else(|| format!("the prefix of {text:?} must be 0 to {most}"))?,
        };
        let network = Self { ip, prefix };
        if network.masked(ip) != network.bits() {
            return Err(format!("{text:?} has bits behind its prefix: write the network's first address"));
        }
        Ok(network)
    }

    /// Is the address in it? An IPv4 address in IPv6 clothes counts as what it is.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.ip.is_ipv4() && self.masked(ip) == self.bits()
    }

    fn bits(&self) -> u128 {
        match self.ip {
            IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
            IpAddr::V6(v6) => u128::from(v6),
        }
    }

    fn masked(&self, ip: IpAddr) -> u128 {
        let bits = Self { ip, prefix: self.prefix }.bits();
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
        bits & mask
    }
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Clients; they may begin TLS.
    Plain,
    /// Clients with TLS.
    Tls,
    /// Clients with TLS and a certificate of their own.
    Mutual,
    /// Load balancers.
    Proxied,
}

/// The listeners of a shard in the order in which they were opened, and who may use those for load balancers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors {
    pub(crate) kinds: Vec<Door>,
    pub(crate) proxies: Vec<Network>,
}

impl Doors {
    /// How this connection came.
    pub(crate) fn via(&self, listener: ListenerId, peer: SocketAddr) -> Via {
        match self.kinds.get(usize::from(listener.0)) {
            Some(Door::Plain) => Via::Direct,
            Some(Door::Tls) => Via::Tls,
            Some(Door::Mutual) => Via::Mutual,
            Some(Door::Proxied) if self.proxies.iter().any(|network| network.contains(peer.ip())) => Via::Proxy,
            Some(Door::Proxied) | None => Via::Stranger,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_they_say() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
        ] {
            let parsed = Network::parse(network).expect("valid");
            let ip = |text: &str| text.parse().expect("an address");
            assert!(parsed.contains(ip(inside)) && !parsed.contains(ip(outside)), "{network}");
        }
        for bad in ["10.0.0.0/33", "10.0.0.1/8", "10.0.0", "::/129", "host", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_list_means_nobody() {
        let kinds = vec![Door::Plain, Door::Proxied, Door::Tls, Door::Mutual];
        let doors = Doors { kinds, proxies: Vec::new() };
        let peer = "127.0.0.1:5".parse().expect("an address");
        assert_eq!(doors.via(ListenerId(0), peer), Via::Direct);
        assert_eq!(doors.via(ListenerId(1), peer), Via::Stranger);
        assert_eq!(doors.via(ListenerId(2), peer), Via::Tls);
        assert_eq!(doors.via(ListenerId(3), peer), Via::Mutual);
        let listed = Doors { proxies: vec![Network::parse("127.0.0.0/8").expect("valid")], ..doors };
        assert_eq!(listed.via(ListenerId(1), peer), Via::Proxy);
    }
}
