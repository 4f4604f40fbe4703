//! What is ordered: one set of names with one kind of key, again and again.

use linchpin_storage::schema::{AcmeId, AcmeLine, ServedCertificate};
use linchpin_tls::KeyKind;

use super::limits;

/// A certificate of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedCertificate {
    /// DNS names in lower case, wildcards, addresses; at least one.
    pub names: Vec<String>,
    /// The authority's profile, such as `tlsserver`; empty for its default.
    pub profile: String,
    /// Kinds of keys, each ordered by itself.
    pub keys: Vec<KeyKind>,
}

/// What is known of a certificate that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldCertificate {
    pub(crate) certificate: ServedCertificate,
    /// Its serial number, hexadecimal.
    pub(crate) serial: String,
    /// Valid from, s since 1970.
    pub(crate) not_before_s: u64,
    /// Valid until, s since 1970.
    pub(crate) not_after_s: u64,
    /// Its chain reaches a root that devices have.
    pub(crate) reaches: bool,
    /// It can be named in questions about renewal.
    pub(crate) has_id: bool,
}

impl HeldCertificate {
    /// Seconds of validity in all.
    pub(crate) const fn lifetime_s(&self) -> u64 {
        self.not_after_s.saturating_sub(self.not_before_s)
    }

    /// May it be served now?
    pub(crate) const fn is_valid(&self, now_s: u64) -> bool {
        !self.certificate.revoked && now_s <= self.not_after_s
    }
}

/// What an operator wants of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// Order now, whatever the calendar says.
    pub(crate) renew: bool,
    /// Serve the certificate before.
    pub(crate) roll_back: bool,
    /// Revoke what is served, for this reason.
    pub(crate) revoke: Option<u8>,
}

/// What to do next with an order that the authority knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LineStage {
    #[default]
    Look,
    Prove,
    Finalize,
    Fetch,
}

/// One line of orders.
#[derive(Clone, Debug)]
pub(crate) struct OrderLine {
    pub(crate) id: AcmeId,
    pub(crate) names: Vec<String>,
    pub(crate) profile: String,
    pub(crate) kind: KeyKind,
    /// What is stored.
    pub(crate) state: AcmeLine,
    pub(crate) current: Option<HeldCertificate>,
    pub(crate) previous: Option<HeldCertificate>,
    pub(crate) wishes: Wishes,
    /// Of the order under way; forgotten by a restart.
    pub(crate) stage: LineStage,
    /// Challenges were opened at this time, s since 1970.
    pub(crate) opened_s: Option<u64>,
    /// No look at the order before this time, s since 1970, and the wait after it.
    pub(crate) look_s: u64,
    pub(crate) wait_s: u64,
    /// A new certificate was refused because devices could not use it.
    pub(crate) is_held_back: bool,
    pub(crate) alarm: Alarm,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// Nothing is wrong.
    #[default]
    None,
    /// The chain that is served reaches no root that devices have.
    NoDeviceRoot,
    /// A third of the lifetime is left, and renewing fails.
    Late,
    /// A sixth of the lifetime is left.
    Urgent,
    /// Nothing valid is served.
    Nothing,
}

impl OrderLine {
    pub(crate) fn new(id: AcmeId, wanted: &WantedCertificate, kind: KeyKind) -> Self {
        Self {
            id,
            names: wanted.names.clone(),
            profile: wanted.profile.clone(),
            kind,
            state: AcmeLine::default(),
            current: None,
            previous: None,
            wishes: Wishes::default(),
            stage: LineStage::Look,
            opened_s: None,
            look_s: 0,
            wait_s: limits::POLL.as_secs(),
            is_held_back: false,
            alarm: Alarm::None,
        }
    }

    /// As people call it, such as `node.example (ecdsa)`.
    pub(crate) fn title(&self) -> String {
        format!("{} ({})", self.names.first().map_or("", String::as_str), self.kind.name())
    }

    /// Add a line to the log; the oldest goes.
    pub(crate) fn note(&mut self, now_s: u64, text: &str) {
        let mut end = text.len().min(limits::LOG_LINE_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let log = &mut self.state.log;
        if log.len() >= limits::LOG_LINES {
            log.drain(..=log.len() - limits::LOG_LINES);
        }
        log.push((now_s, text[..end].into()));
    }

    /// Forget what is known of the order under way beyond what is stored.
    pub(crate) fn start_over(&mut self) {
        self.stage = LineStage::Look;
        self.opened_s = None;
        self.look_s = 0;
        self.wait_s = limits::POLL.as_secs();
    }
}
