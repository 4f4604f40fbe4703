//! Which way a name is proven.

use std::net::IpAddr;

/// A way to prove that a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofMethod {
    /// A record that stays, bound to the account (dns-persist-01).
    DnsPersist,
    /// A certificate in a handshake (RFC 8737).
    TlsAlpn,
    /// A text in the plain listener (RFC 8555, 8.3).
    Http,
    /// A record that a command of the operator sets and removes (RFC 8555, 8.4).
    Dns,
}

impl ProofMethod {
    /// All, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::DnsPersist, Self::TlsAlpn, Self::Http, Self::Dns];

    /// As authorities and the configuration write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DnsPersist => "dns-persist-01",
            Self::TlsAlpn => "tls-alpn-01",
            Self::Http => "http-01",
            Self::Dns => "dns-01",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Can it prove this name at all?
    pub(crate) fn is_for(self, name: &str) -> bool {
        match self {
            // Nobody can answer for all names below one.
            Self::TlsAlpn | Self::Http => !name.starts_with("*."),
            Self::DnsPersist | Self::Dns => name.parse::<IpAddr>().is_err(),
        }
    }
}

/// The way that has its turn, of those that the authority offers for this name, that are set up here and that can work.
/// `turn`: orders in a row that failed; each takes the next way.
pub(crate) fn pick(name: &str, offered: &[&str], usable: &[ProofMethod], turn: u32) -> Option<ProofMethod> {
    let ways: Vec<ProofMethod> =
        usable.iter().copied().filter(|method| method.is_for(name) && offered.contains(&method.name())).collect();
    (!ways.is_empty()).then(|| ways[turn as usize % ways.len()])
}

/// The name of the record that proves `name` by dns-01.
pub(crate) fn dns_record(name: &str) -> String {
    format!("_acme-challenge.{}", name.trim_start_matches("*."))
}

/// The name of the record that proves `name` by dns-persist-01.
pub(crate) fn persist_record(name: &str) -> String {
    format!("_validation-persist.{}", name.trim_start_matches("*."))
}

/// The text of that record for an account.
pub(crate) fn persist_text(issuer: &str, account: &str, name: &str) -> String {
    let wildcard = if name.starts_with("*.") { "; policy=wildcard" } else { "" };
    format!("{issuer}; accounturi={account}{wildcard}")
}

/// Does such a record name our account, and wildcards if need be?
pub(crate) fn persists(text: &str, account: &str, name: &str, now_s: u64) -> bool {
    let fields = text.split(';').skip(1).filter_map(|field| field.trim().split_once('='));
    let value = |wanted: &str| fields.clone().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|field| field.1);
    let until = value("persistUntil").and_then(|until| until.parse::<u64>().ok());
    let is_ours = value("accounturi") == Some(account) && until.is_none_or(|until_s| until_s > now_s);
    is_ours
        && (!name.starts_with("*.") || value("policy").is_some_and(|policy| policy.eq_ignore_ascii_case("wildcard")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: [&str; 4] = ["http-01", "dns-01", "tls-alpn-01", "dns-persist-01"];

    #[test]
    fn ways_are_tried_in_turn_and_only_where_they_can_work() {
        let usable = [ProofMethod::TlsAlpn, ProofMethod::Http];
        let ways: Vec<_> = (0..3).map(|turn| pick("node.example", &OFFERED, &usable, turn)).collect();
        assert_eq!(ways, [Some(ProofMethod::TlsAlpn), Some(ProofMethod::Http), Some(ProofMethod::TlsAlpn)]);
        assert_eq!(pick("*.node.example", &OFFERED, &usable, 0), None);
        assert_eq!(pick("*.node.example", &OFFERED, &ProofMethod::ALL, 0), Some(ProofMethod::DnsPersist));
        assert_eq!(pick("*.node.example", &OFFERED, &ProofMethod::ALL, 1), Some(ProofMethod::Dns));
        assert_eq!(pick("192.0.2.7", &OFFERED, &ProofMethod::ALL, 0), Some(ProofMethod::TlsAlpn));
        assert_eq!(pick("192.0.2.7", &["dns-01"], &ProofMethod::ALL, 0), None);
        assert_eq!(pick("node.example", &["http-01"], &ProofMethod::ALL, 5), Some(ProofMethod::Http));
        assert!(ProofMethod::ALL.iter().all(|method| ProofMethod::parse(method.name()) == Some(*method)));
    }

    #[test]
    fn a_record_that_stays_must_name_the_account() {
        let account = "https://ca/acct/1";
        let text = persist_text("ca.example", account, "node.example");
        assert!(persists(&text, account, "node.example", 0));
        assert!(!persists(&text, "https://ca/acct/12", "node.example", 0));
        assert!(!persists(&text, account, "*.node.example", 0));
        assert!(persists(&persist_text("ca.example", account, "*.node.example"), account, "*.node.example", 0));
        let ends = format!("{text}; persistUntil=1000");
        assert!(persists(&ends, account, "node.example", 999) && !persists(&ends, account, "node.example", 1_000));
        assert!(!persists("", account, "node.example", 0));
        assert_eq!(persist_record("*.node.example"), "_validation-persist.node.example");
        assert_eq!(dns_record("*.node.example"), "_acme-challenge.node.example");
    }
}
