//! Stretches of time and what happens in them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Arrival;
use crate::units::{Rate, Share, Span};

/// A stretch of time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Phase")]
pub(crate) struct ScenarioPhase {
    /// Its name in reports; its kind if it has none.
    pub(crate) name: Option<String>,
    /// What happens.
    pub(crate) kind: PhaseKind,
    /// How long.
    pub(crate) duration: Span,
    /// Load at the end of a ramp, else throughout: 1 is what the mixes say. Default: 1; 0 in a ramp.
    pub(crate) load: Option<f64>,
    /// Load at the begin of a ramp.
    pub(crate) load_from: Option<f64>,
    /// Does it count for the totals and the verdict? Default: steady and burst do.
    pub(crate) measured: Option<bool>,
    /// A ramp ends when all devices are online, but after so much longer at most.
    pub(crate) settle: Option<Span>,
    /// Which storm.
    pub(crate) storm: Option<Storm>,
    /// Part of the devices that a storm hits. Default: 100%; 10% for flap and slow_readers.
    pub(crate) share: Option<Share>,
    /// Power-on: the devices come back over so long. Default: all at once.
    pub(crate) within: Option<Span>,
    /// Power-on: how they come back.
    #[serde(default)]
    pub(crate) arrival: Arrival,
    /// Half handshakes a second.
    pub(crate) rate: Option<Rate>,
    /// How long each half handshake stays open.
    pub(crate) hold: Option<Span>,
}

/// A kind of phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PhaseKind {
    /// The devices that are not connected connect one after the other; the load grows.
    Ramp,
    /// The load stays.
    Steady,
    /// The load is higher for a while.
    Burst,
    /// Connections come and go.
    Storm,
}

/// A kind of storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Storm {
    /// Devices lose power at the begin and come back.
    PowerOn,
    /// Connections are cut one after the other over the phase; the devices come back by themselves.
    Flap,
    /// The server is restarted (`--restart-command`); the devices come back by themselves.
    ServerRestart,
    /// Connections that begin to log in or to shake hands and stop there.
    HalfHandshakes,
    /// Devices that ask all the time and do not read.
    SlowReaders,
}

impl ScenarioPhase {
    pub(crate) fn title(&self) -> String {
        let kind = serde_json::to_value(self.kind).ok();
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default();
        self.name.clone().unwrap_or_else(|| kind.to_owned())
    }

    /// Load at its begin and at its end.
    pub(crate) fn loads(&self) -> (f64, f64) {
        match self.kind {
            PhaseKind::Ramp => (self.load_from.unwrap_or(0.0), self.load.unwrap_or(0.0)),
            _ => (self.load.unwrap_or(1.0), self.load.unwrap_or(1.0)),
        }
    }

    pub(crate) fn is_measured(&self) -> bool {
        self.measured.unwrap_or(matches!(self.kind, PhaseKind::Steady | PhaseKind::Burst))
    }

    /// Part of the devices that a storm hits.
    pub(crate) fn share(&self) -> f64 {
        let part = if matches!(self.storm, Some(Storm::Flap | Storm::SlowReaders)) { 0.1 } else { 1.0 };
        self.share.map_or(part, |share| share.0)
    }
}
