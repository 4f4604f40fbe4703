//! The shard's settings by their names: one list for the file's `[limits]` and for `--set`.

use std::ops::RangeInclusive;

use linchpin_shard::{Settings, limits as shard};

use super::nearest;

/// One setting.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) range: RangeInclusive<u32>,
    /// Of the number, for `linchpin config default`.
    pub(super) unit: &'static str,
    pub(super) what: &'static str,
    field: fn(&mut Settings) -> &mut u32,
}

/// Largest frame that waits for a device: a smaller queue could never send it.
const FRAME_BYTES: u32 = (linchpin_protocol::limits::MAX_BODY_BYTES + linchpin_protocol::blynk::HEADER_BYTES) as u32;

/// All of them.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "messages_per_second",
        range: 1..=1_000_000,
        unit: "messages a second and device",
        what: "What a device may send on average; PING does not count.",
        field: |s| &mut s.messages_per_second,
    },
    Setting {
        name: "message_burst",
        range: 1..=1_000_000,
        unit: "messages",
        what: "What a device may send at once after a pause.",
        field: |s| &mut s.message_burst,
    },
    Setting {
        name: "per_address",
        range: 1..=u32::MAX,
        unit: "connections",
        what: "Connections from one address at a time (IPv6: one /64), over all shards.",
        field: |s| &mut s.per_address,
    },
    Setting {
        name: "login_timeout_ms",
        range: 100..=600_000,
        unit: "ms",
        what: "Time from accept to a complete login.",
        field: |s| &mut s.login_timeout_ms,
    },
    Setting {
        name: "heartbeat_s",
        range: shard::HEARTBEAT_MIN_S..=shard::HEARTBEAT_MAX_S,
        unit: "s",
        what: "Heartbeat of a device that announces none; one that is silent for 2.3 heartbeats is disconnected.",
        field: |s| &mut s.heartbeat_s,
    },
    Setting {
        name: "outbound_bytes",
        range: FRAME_BYTES..=1 << 30,
        unit: "bytes a device",
        what: "What may wait for a device that does not read.",
        field: |s| &mut s.outbound_bytes,
    },
    Setting {
        name: "ledger_bytes",
        range: 16 << 20..=1 << 31,
        unit: "bytes a shard",
        what: "What unfinished input, TLS handshakes and waiting output of all connections may take.",
        field: |s| &mut s.ledger_bytes,
    },
    Setting {
        name: "handshake_wait_ms",
        range: 100..=7_000,
        unit: "ms",
        what: "How long a client may wait for its TLS handshake to begin; Blynk's library gives up after 6 s.",
        field: |s| &mut s.handshake_wait_ms,
    },
];

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// What it is when nothing is said.
    pub(super) fn default_value(&self) -> u32 {
        *(self.field)(&mut Settings::default())
    }

    /// Change it.
    ///
    /// # Errors
    /// The value is out of range; the text has both.
    pub(super) fn put(&self, settings: &mut Settings, value: i64) -> Result<(), String> {
        match u32::try_from(value).ok().filter(|value| self.range.contains(value)) {
            Some(value) => *(self.field)(settings) = value,
            None => {
                return Err(format!(
                    "{} must be {} to {}, not {value}",
                    self.name,
                    self.range.start(),
                    self.range.end()
                ));
            }
        }
        Ok(())
    }
}

/// One `key=value` of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    name: &'static str,
    value: i64,
}

impl Assignment {
    /// Parse and check.
    ///
    /// # Errors
    /// No `=`, an unknown key, no number, or a number out of range.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
        let Some(setting) = find(name) else {
            let known: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
            let hint = nearest(name, &known).map_or(String::new(), |near| format!(", did you mean {near}?"));
            return Err(format!("there is no setting {name:?}{hint} There are: {}", known.join(", ")));
        };
        let value = value.parse().map_err(|_| format!("{name} must be a whole number, not {value:?}"))?;
        setting.put(&mut Settings::default(), value)?;
        Ok(Self { name: setting.name, value })
    }

    /// Change the setting.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        if let Some(setting) = find(self.name) {
            // Checked when it was parsed.
            let _ = setting.put(settings, self.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        let mut settings = Settings::default();
        for setting in SETTINGS {
            let value = *(setting.field)(&mut settings);
            assert_eq!(setting.put(&mut settings, i64::from(value)), Ok(()), "{}", setting.name);
        }
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn assignments_are_checked_and_applied() {
        let mut settings = Settings::default();
        Assignment::parse("message_burst=7").expect("good").apply(&mut settings);
        assert_eq!(settings, Settings { message_burst: 7, ..Settings::default() });
        for (text, words) in [
            ("message_burst", "KEY=VALUE"),
            ("mesage_burst=7", "did you mean message_burst?"),
            ("message_burst=many", "whole number"),
            ("message_burst=0", "1 to 1000000, not 0"),
            ("message_burst=99999999999", "not 99999999999"),
        ] {
            let error = Assignment::parse(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
