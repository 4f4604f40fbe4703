//! Sign-ins under way at other servers: each is bound to one browser by a cookie, good once, and for ten minutes.

use std::collections::HashMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::account::GivenSecret;
use crate::limits;

/// One that has begun.
#[derive(Clone, PartialEq, Eq)]
pub struct OidcFlow {
    /// Which server, by its number.
    pub provider: usize,
    /// What its token must repeat.
    pub nonce: String,
    /// What shows that whoever exchanges the code is whoever asked for it.
    pub verifier: String,
    /// What the browser's cookie must hold.
    pub binding: String,
    /// The session of whoever wants to link their account: it must be good at the end, too. `None`: somebody signs in.
    pub linking: Option<GivenSecret>,
    /// Where the browser is: see [`source`].
    from: u64,
    until_ms: u64,
}

impl std::fmt::Debug for OidcFlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OidcFlow(server {})", self.provider)
    }
}

/// What the browser takes along.
#[derive(Clone, PartialEq, Eq)]
pub struct BegunOidc {
    /// `state`.
    pub state: String,
    /// `nonce`.
    pub nonce: String,
    /// `code_challenge`, S256.
    pub challenge: String,
    /// For the cookie.
    pub binding: String,
}

impl std::fmt::Debug for BegunOidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BegunOidc")
    }
}

/// All of them, at most [`limits::OIDC_FLOWS`].
#[derive(Debug, Default)]
pub struct OidcFlows(HashMap<String, OidcFlow>);

/// An address of IPv4, or a network of 64 bits of IPv6, for counting.
fn source(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

impl OidcFlows {
    /// Begin one with 128 random bytes. If there are too many, the oldest of the address with most is over.
    pub fn begin(
        &mut self,
        (provider, linking, address): (usize, Option<GivenSecret>, IpAddr),
        random: &[u8; 128],
        now_ms: u64,
    ) -> BegunOidc {
        if self.0.len() >= limits::OIDC_FLOWS {
            self.0.retain(|_, flow| now_ms < flow.until_ms);
        }
        if self.0.len() >= limits::OIDC_FLOWS {
            self.end_one();
        }
        let part = |at: usize| URL_SAFE_NO_PAD.encode(&random[at * 32..(at + 1) * 32]);
        let (state, nonce, verifier, binding) = (part(0), part(1), part(2), part(3));
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let until_ms = now_ms + limits::OIDC_FLOW_MS;
        let from = source(address);
        let flow =
            OidcFlow { provider, nonce: nonce.clone(), verifier, binding: binding.clone(), linking, from, until_ms };
        self.0.insert(state.clone(), flow);
        BegunOidc { state, nonce, challenge, binding }
    }

    /// Whoever has most under way gives one up.
    fn end_one(&mut self) {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for flow in self.0.values() {
            *counts.entry(flow.from).or_default() += 1;
        }
        let Some((most, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return };
        let of_most = self.0.iter().filter(|(_, flow)| flow.from == most);
        if let Some(state) = of_most.min_by_key(|(_, flow)| flow.until_ms).map(|(state, _)| state.clone()) {
            self.0.remove(&state);
        }
    }

    /// Take one out: by its state, at the server where it began, in the browser where it began. It is over then, whatever
    /// comes of it.
    pub fn take(&mut self, state: &str, provider: usize, binding: Option<&str>, now_ms: u64) -> Option<OidcFlow> {
        let flow = self.0.remove(state)?;
        let same =
            |a: &str, b: &str| a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0;
        let is_its = flow.provider == provider && binding.is_some_and(|binding| same(binding, &flow.binding));
        (is_its && now_ms < flow.until_ms).then_some(flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(byte: u8) -> [u8; 128] {
        std::array::from_fn(|at| byte.wrapping_add((at / 32) as u8))
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn threat_22_a_flow_is_good_once_in_one_browser_at_one_server() {
        let mut flows = OidcFlows::default();
        let mut begin = |byte| flows.begin((1, None, HERE), &random(byte), 1_000);
        let (first, second) = (begin(1), begin(9));
        assert_ne!(first.state, second.state);
        let parts = [&first.state, &first.nonce, &first.challenge, &first.binding];
        assert!(parts.iter().enumerate().all(|(at, a)| parts.iter().skip(at + 1).all(|b| a != b)));
        // Another server's answer, another browser's, none's: the flow is over with it.
        assert!(flows.take(&second.state, 0, Some(&second.binding), 1_001).is_none());
        assert!(flows.take(&second.state, 1, Some(&second.binding), 1_001).is_none());
        let flow = flows.take(&first.state, 1, Some(&first.binding), 1_001).expect("is good");
        assert_eq!(first.challenge, URL_SAFE_NO_PAD.encode(digest(&SHA256, flow.verifier.as_bytes())));
        assert!(flows.take(&first.state, 1, Some(&first.binding), 1_001).is_none(), "once");
        for binding in [None, Some("another")] {
            let begun = flows.begin((1, None, HERE), &random(20), 1_000);
            assert!(flows.take(&begun.state, 1, binding, 1_001).is_none());
        }
        let begun = flows.begin((1, None, HERE), &random(30), 1_000);
        assert!(flows.take(&begun.state, 1, Some(&begun.binding), 1_000 + limits::OIDC_FLOW_MS).is_none());
    }

    #[test]
    fn whoever_begins_too_many_ends_their_own() {
        let mut flows = OidcFlows::default();
        let mut number = 0_u64;
        let mut begin = |flows: &mut OidcFlows, last: u8, now_ms| {
            let mut bytes = [0; 128];
            number += 1;
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            flows.begin((0, None, IpAddr::from([192, 0, 2, last])), &bytes, now_ms)
        };
        let bystander = begin(&mut flows, 7, 0);
        let first = begin(&mut flows, 9, 1);
        for _ in 2..limits::OIDC_FLOWS {
            let _ = begin(&mut flows, 9, 2);
        }
        assert_eq!(flows.0.len(), limits::OIDC_FLOWS);
        let newcomer = begin(&mut flows, 8, 3);
        assert_eq!(flows.0.len(), limits::OIDC_FLOWS);
        assert!(flows.take(&first.state, 0, Some(&first.binding), 4).is_none(), "the oldest of the hoarder");
        for begun in [&bystander, &newcomer] {
            assert!(flows.take(&begun.state, 0, Some(&begun.binding), 4).is_some());
        }
        // Those that are over make room.
        let _ = (begin(&mut flows, 9, 2), begin(&mut flows, 9, 2), begin(&mut flows, 1, 2 + limits::OIDC_FLOW_MS));
        assert_eq!(flows.0.len(), 1);
    }
}
