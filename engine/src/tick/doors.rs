//! Which way connections come in: from clients, or through load balancers that say who the client is.

use std::net::SocketAddr;

use linchpin_driver::ListenerId;
use linchpin_protocol::model::Network;
use linchpin_shard::Via;

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

impl Door {
    const ALL: [Self; 4] = [Self::Plain, Self::Tls, Self::Mutual, Self::Proxied];

    /// Its number, for another process.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// What says where it is: a flag of `linchpin dev`, or a key of the configuration.
    pub(crate) const fn flag(self) -> &'static str {
        match self {
            Self::Plain => "--plain",
            Self::Tls => "--tls",
            Self::Mutual => "listen.mutual",
            Self::Proxied => "listen.proxied",
        }
    }

    /// The one with this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.number() == number)
    }
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
