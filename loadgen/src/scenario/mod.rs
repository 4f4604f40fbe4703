//! What is to be done: groups of devices and phases of load, from a TOML file or from the flags of `quick`.

mod check;
pub(crate) mod file;
mod mqtt;
mod phase;

pub(crate) use mqtt::{Mqtt, Names};
pub(crate) use phase::{PhaseKind, ScenarioPhase, Storm};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Count, Rate, Span};

/// A scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Its name in reports.
    pub(crate) name: String,
    /// What it shows, in a sentence.
    #[serde(default)]
    pub(crate) about: String,
    /// Everything random comes from this number: the same seed plans the same sends.
    #[serde(default = "one")]
    pub(crate) seed: u64,
    /// An answer that takes longer is a timeout; it enters the histogram as what it has taken.
    #[serde(default = "five_seconds")]
    pub(crate) timeout: Span,
    /// Requests without their answer at once, over all workers; what is due beyond waits, and is skipped after `timeout`.
    pub(crate) in_flight: Option<Count>,
    /// File of tokens, one a line; `--tokens` goes before it.
    pub(crate) tokens: Option<String>,
    /// What a run must meet, such as `p99<5ms,errors=0`; `--slo` goes before it.
    pub(crate) slo: Option<String>,
    /// Groups of devices that are alike.
    pub(crate) group: Vec<Group>,
    /// One after the other.
    pub(crate) phase: Vec<ScenarioPhase>,
}

/// Devices that are alike.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// Its name in reports.
    pub(crate) name: String,
    /// How many devices.
    pub(crate) count: Count,
    /// How they connect.
    #[serde(default)]
    pub(crate) transport: Transport,
    /// Every device pings once in so long, at a moment of its own, whatever the load.
    #[serde(default = "forty_seconds")]
    pub(crate) h_beat: Span,
    /// A device that lost its connection comes back after this and up to half of it more.
    #[serde(default = "five_seconds")]
    pub(crate) reconnect: Span,
    /// Devices send back what is written to them, to the pin beside it.
    #[serde(default)]
    pub(crate) echo: bool,
    /// TLS: the one version that the devices speak; default: both.
    pub(crate) tls: Option<TlsVersion>,
    /// TLS: devices that come back resume a session of the group's.
    #[serde(default)]
    pub(crate) resume: bool,
    /// MQTT: names and topics.
    #[serde(default)]
    pub(crate) mqtt: Mqtt,
    /// What they send.
    #[serde(default)]
    pub(crate) mix: Vec<Mix>,
}

/// How devices connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// TCP.
    #[default]
    Plain,
    /// TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// MQTT 3.1.1.
    Mqtt,
    /// MQTT 3.1.1 over TLS.
    Mqtts,
}

impl Transport {
    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Wss | Self::Mqtts)
    }

    pub(crate) const fn is_ws(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    pub(crate) const fn is_mqtt(self) -> bool {
        matches!(self, Self::Mqtt | Self::Mqtts)
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

/// One kind of message of a group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mix {
    /// What.
    pub(crate) kind: MessageKind,
    /// Each device once in so long.
    pub(crate) every: Option<Span>,
    /// Or: so many of the whole group.
    pub(crate) rate: Option<Rate>,
    /// Each send comes up to so much later than its turn.
    pub(crate) jitter: Option<Span>,
    /// How the turns follow each other.
    #[serde(default)]
    pub(crate) arrival: Arrival,
    /// The virtual pin.
    #[serde(default)]
    pub(crate) pin: u8,
    /// Length of the value, bytes: one number, or the shortest and the longest.
    #[serde(default)]
    pub(crate) payload_bytes: Payload,
    /// Messages of a device at once, in one send (ping, sync, property, telemetry). The rate still counts messages.
    #[serde(default = "single")]
    pub(crate) burst: u16,
    /// HTTP connections of each worker.
    pub(crate) connections: Option<u16>,
}

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MessageKind {
    /// PING, or PINGREQ of MQTT; timed.
    Ping,
    /// SYNC of one pin; timed to the first value.
    Sync,
    /// PROPERTY; timed.
    Property,
    /// A value of a pin; Blynk does not answer it. MQTT: QoS 0.
    Telemetry,
    /// MQTT: a value at QoS 1; timed to its PUBACK.
    Publish,
    /// HTTP: read a pin; timed.
    HttpRead,
    /// HTTP: write a pin of a connected device; timed to the answer, and to its arrival at the device.
    HttpWrite,
    /// A value for the next device of the group, over a bridge; timed to its arrival. MQTT: to the topic that it listens to.
    Bridge,
}

impl MessageKind {
    /// Has MQTT something like it?
    pub(crate) const fn is_of_mqtt(self) -> bool {
        matches!(self, Self::Ping | Self::Telemetry | Self::Publish | Self::Bridge)
    }
}

/// How turns follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arrival {
    /// At equal distances.
    #[default]
    Uniform,
    /// As independent events do.
    Poisson,
}

/// Lengths of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Payload {
    /// Always the same.
    One(u16),
    /// Shortest and longest.
    Between([u16; 2]),
}

impl Default for Payload {
    fn default() -> Self {
        Self::One(8)
    }
}

impl Payload {
    pub(crate) const fn bounds(self) -> (u16, u16) {
        match self {
            Self::One(bytes) => (bytes, bytes),
            Self::Between([shortest, longest]) => (shortest, longest),
        }
    }
}

const fn one() -> u64 {
    1
}

const fn single() -> u16 {
    1
}

const fn five_seconds() -> Span {
    Span(std::time::Duration::from_secs(5))
}

const fn forty_seconds() -> Span {
    Span(std::time::Duration::from_secs(40))
}

impl Scenario {
    /// Devices of all groups.
    pub(crate) fn devices(&self) -> u64 {
        self.group.iter().map(|group| group.count.0).sum()
    }

    /// Length of all phases, ns.
    pub(crate) fn length_ns(&self) -> u64 {
        self.phase.iter().map(|phase| phase.duration.ns()).sum()
    }

    /// The same with every rate multiplied, for a search.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        for mix in scaled.group.iter_mut().flat_map(|group| &mut group.mix) {
            mix.rate = mix.rate.map(|rate| Rate(rate.0 * factor));
            mix.every = mix.every.map(|every| Span(every.0.div_f64(factor)));
        }
        scaled
    }

    /// The same over MQTT instead of Blynk.
    pub(crate) fn over_mqtt(mut self) -> Result<Self, String> {
        for group in &mut self.group {
            group.transport = match group.transport {
                Transport::Plain | Transport::Mqtt => Transport::Mqtt,
                Transport::Tls | Transport::Mqtts => Transport::Mqtts,
                Transport::Ws | Transport::Wss => {
                    return Err(format!(
                        "group {:?}: MQTT goes over plain and tls here, not over WebSocket",
                        group.name
                    ));
                }
            };
        }
        let faults = self.faults();
        if faults.is_empty() { Ok(self) } else { Err(faults.join("\n  ")) }
    }

    /// Do its devices speak MQTT?
    pub(crate) fn is_mqtt(&self) -> bool {
        self.group.iter().any(|group| group.transport.is_mqtt())
    }

    /// What it plans, phase by phase.
    pub(crate) fn in_words(&self) -> String {
        let mut text = format!(
            "{}: {} devices in {} groups, {:.0} sends/s at load 1, {:.0} s, seed {}\n",
            self.name,
            self.devices(),
            self.group.len(),
            self.rate(),
            self.length_ns() as f64 / 1e9,
            self.seed
        );
        if !self.about.is_empty() {
            text += &format!("  {}\n", self.about);
        }
        for phase in &self.phase {
            let (from, to) = phase.loads();
            let measured = if phase.is_measured() { ", measured" } else { "" };
            text += &format!("  {}: {}, load {from} to {to}{measured}\n", phase.title(), phase.duration);
        }
        text
    }

    /// Sends a second at load 1, without heartbeats.
    pub(crate) fn rate(&self) -> f64 {
        self.group.iter().map(|group| group.mix.iter().map(|mix| mix.per_second(group)).sum::<f64>()).sum()
    }
}

impl Group {
    /// Do its devices take what others send them? (Blynk devices always do.)
    pub(crate) fn listens(&self) -> bool {
        self.echo || self.mix.iter().any(|mix| mix.kind == MessageKind::Bridge)
    }
}

impl Mix {
    /// Sends a second of the whole group at load 1.
    pub(crate) fn per_second(&self, group: &Group) -> f64 {
        match (self.rate, self.every) {
            (Some(rate), _) => rate.0,
            (None, Some(every)) => group.count.0 as f64 / every.0.as_secs_f64(),
            (None, None) => 0.0,
        }
    }
}
