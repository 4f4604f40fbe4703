//! What people and programs see of a line of orders.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::due_s;
use super::line::{Alarm, HeldCertificate, OrderLine};

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateReport {
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// Who signed it: the directory of the authority.
    pub directory: String,
    /// Valid from, s since 1970.
    pub not_before_s: u64,
    /// Valid until, s since 1970.
    pub not_after_s: u64,
    /// It reaches a root that devices have.
    pub reaches_devices: bool,
    /// It was revoked by a command here.
    pub revoked: bool,
}

/// One set of names with one kind of key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineReport {
    /// Its names.
    pub names: Vec<String>,
    /// `ecdsa` or `rsa`.
    pub kind: String,
    /// The authority's profile; empty for its default.
    pub profile: String,
    /// What is served.
    pub current: Option<CertificateReport>,
    /// What a rollback would serve.
    pub previous: Option<CertificateReport>,
    /// What is under way, in a word: `idle`, `ordering`, `waiting`.
    pub state: String,
    /// When the next order is due, s since 1970; 0: now.
    pub due_s: u64,
    /// No attempt before this time, s since 1970.
    pub not_before_s: u64,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// `ok`, `no-device-root`, `late`, `urgent`, `nothing-valid`.
    pub alarm: String,
    /// The last lines of its log, the newest last.
    pub log: Vec<OrderNote>,
}

/// A line of the log of orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderNote {
    /// When, s since 1970.
    pub at_s: u64,
    /// What happened.
    pub text: String,
}

impl LineReport {
    /// As people call it, such as `node.example (ecdsa)`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} ({})", self.names.first().map_or("", String::as_str), self.kind)
    }

    /// The serial number of what is served.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        self.current.as_ref().map(|held| held.serial.as_str())
    }
}

fn certificate(held: &HeldCertificate) -> CertificateReport {
    CertificateReport {
        serial: held.serial.clone(),
        directory: held.certificate.directory.to_string(),
        not_before_s: held.not_before_s,
        not_after_s: held.not_after_s,
        reaches_devices: held.reaches,
        revoked: held.certificate.revoked,
    }
}

/// How a line stands now.
pub(super) fn report(line: &OrderLine, now_s: u64) -> LineReport {
    let state = match &line.state.order {
        None => "idle",
        Some(_) if now_s < line.state.not_before_s => "waiting",
        Some(_) => "ordering",
    };
    LineReport {
        names: line.names.clone(),
        kind: line.kind.name().to_owned(),
        profile: line.profile.clone(),
        current: line.current.as_ref().map(certificate),
        previous: line.previous.as_ref().map(certificate),
        state: state.to_owned(),
        due_s: due_s(line),
        not_before_s: line.state.not_before_s,
        failures: line.state.failures,
        alarm: alarm_name(line.alarm).to_owned(),
        log: line.state.log.iter().map(|(at_s, text)| OrderNote { at_s: *at_s, text: text.to_string() }).collect(),
    }
}

const fn alarm_name(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::None => "ok",
        Alarm::NoDeviceRoot => "no-device-root",
        Alarm::Late => "late",
        Alarm::Urgent => "urgent",
        Alarm::Nothing => "nothing-valid",
    }
}
