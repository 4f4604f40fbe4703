//! Networks: ranges of addresses.

use std::net::IpAddr;

/// An address with a prefix length, such as `10.0.0.0/8`; a bare address stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    prefix: u8,
}

impl Network {
    /// Parse `10.0.0.0/8`, `2001:db8::/32` or a bare address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
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
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
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
}
