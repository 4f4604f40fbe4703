//! What a scenario must meet beyond its form. All faults are told at once, each with its place and what to do.

use super::{Group, MessageKind, Mix, Mqtt, PhaseKind, Scenario, ScenarioPhase, Storm};
use crate::limits;

impl Scenario {
    /// Everything that is wrong with it.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let (groups, phases) = (self.group.len(), self.phase.len());
        if groups == 0 || groups > limits::GROUPS {
            faults.push(format!("there are {groups} [[group]]; write 1 to {}", limits::GROUPS));
        }
        if phases == 0 || phases > limits::PHASES {
            faults.push(format!("there are {phases} [[phase]]; write 1 to {}", limits::PHASES));
        }
        if self.timeout.0.is_zero() || self.timeout.ns() > limits::HIGHEST_NS {
            faults.push(format!("timeout is {}; write 1ms to 10m", self.timeout));
        }
        if self.in_flight.is_some_and(|count| count.0 == 0) {
            faults.push("in_flight is 0, so nothing could be sent; write 1 or more, or leave it out".to_owned());
        }
        let devices = self.devices();
        if devices > limits::DEVICES {
            faults.push(format!("the groups have {devices} devices; {} at most", limits::DEVICES));
        }
        let length_s = self.length_ns() / 1_000_000_000;
        if length_s > limits::RUN_S {
            faults.push(format!("the phases last {length_s} s; {} s at most", limits::RUN_S));
        }
        let peak = self.phase.iter().map(|phase| phase.loads().1.max(phase.loads().0)).fold(0.0, f64::max);
        let rate = self.rate() * peak;
        if !(rate.is_finite() && rate <= limits::RATE_PER_S) {
            faults.push(format!("the highest rate is {rate} sends/s; {} at most", limits::RATE_PER_S));
        }
        for (at, group) in self.group.iter().enumerate() {
            let name = format!("group {} ({:?})", at + 1, group.name);
            faults.extend(group.faults().into_iter().map(|fault| format!("{name}: {fault}")));
            if self.group[..at].iter().any(|other| other.name == group.name) {
                faults.push(format!("{name}: another group has this name; give each its own"));
            }
        }
        if self.is_mqtt() && !self.group.iter().all(|group| group.transport.is_mqtt()) {
            faults.push("a run has one server, so all groups speak MQTT or none does; write two scenarios".to_owned());
        }
        for (at, phase) in self.phase.iter().enumerate() {
            let name = format!("phase {} ({:?})", at + 1, phase.title());
            faults.extend(phase.faults().into_iter().map(|fault| format!("{name}: {fault}")));
        }
        if phases > 0 && self.phase[0].kind != PhaseKind::Ramp {
            faults.push("the first phase must be a ramp, in which the devices connect".to_owned());
        }
        if !self.phase.iter().any(ScenarioPhase::is_measured) {
            faults.push("no phase is measured; add a steady one or write measured = true".to_owned());
        }
        faults
    }
}

impl Group {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.count.0 == 0 {
            faults.push("count is 0; write 1 or more".to_owned());
        }
        let h_beat_s = self.h_beat.0.as_secs();
        if !(1..=3_600).contains(&h_beat_s) {
            faults.push(format!("h_beat is {}; write 1s to 1h", self.h_beat));
        }
        if !self.transport.is_tls() && (self.tls.is_some() || self.resume) {
            faults.push("tls and resume belong to transport = \"tls\", \"wss\" or \"mqtts\"".to_owned());
        }
        if self.transport.is_mqtt() {
            faults.extend(self.mqtt.faults(self.count.0));
        } else if self.mqtt != Mqtt::default() {
            faults.push("[group.mqtt] belongs to transport = \"mqtt\" or \"mqtts\"".to_owned());
        }
        if self.mix.len() > limits::MIX_ENTRIES {
            faults.push(format!("there are {} [[group.mix]]; {} at most", self.mix.len(), limits::MIX_ENTRIES));
        }
        for (at, mix) in self.mix.iter().enumerate() {
            faults.extend(mix.faults(self).into_iter().map(|fault| format!("mix {}: {fault}", at + 1)));
        }
        faults
    }
}

impl Mix {
    fn faults(&self, group: &Group) -> Vec<String> {
        let mut faults = Vec::new();
        match (self.every, self.rate) {
            (Some(every), None) if every.0.is_zero() => faults.push("every is 0; write such as \"10s\"".to_owned()),
            (None, Some(rate)) if rate.0 <= 0.0 => faults.push("rate is 0; write such as \"5k/s\"".to_owned()),
            (Some(_), None) | (None, Some(_)) => {}
            _ => faults
                .push("write either every = \"10s\" (of each device) or rate = \"5k/s\" (of the group)".to_owned()),
        }
        let (shortest, longest) = self.payload_bytes.bounds();
        if shortest > longest || shortest == 0 || longest > limits::PAYLOAD_BYTES {
            let most = limits::PAYLOAD_BYTES;
            faults.push(format!("payload_bytes is {shortest} to {longest}; write 1 to {most}, the shorter one first"));
        }
        if group.transport.is_mqtt() != self.kind.is_of_mqtt()
            && (group.transport.is_mqtt() || self.kind == MessageKind::Publish)
        {
            let which = if group.transport.is_mqtt() {
                "MQTT has ping, telemetry, publish and bridge"
            } else {
                "publish is MQTT's; write telemetry"
            };
            faults.push(format!("kind is {:?}, but {which}", self.kind));
        }
        let repeats =
            matches!(self.kind, MessageKind::Ping | MessageKind::Sync | MessageKind::Property | MessageKind::Telemetry);
        if self.burst == 0 || self.burst > limits::BURST || (self.burst > 1 && !repeats) {
            let most = limits::BURST;
            faults.push(format!(
                "burst is {}; write 1 to {most}, and more than 1 only for ping, sync, property and telemetry",
                self.burst
            ));
        }
        if self.kind == MessageKind::Bridge && group.count.0 < 2 {
            faults.push(format!("bridge needs 2 devices or more in the group; it has {}", group.count.0));
        }
        if self.connections.is_some_and(|n| n == 0 || n > limits::HTTP_CONNECTIONS) {
            faults.push(format!("connections must be 1 to {}", limits::HTTP_CONNECTIONS));
        }
        faults
    }
}

impl ScenarioPhase {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.duration.0.is_zero() {
            faults.push("duration is 0; write such as \"30s\"".to_owned());
        }
        let (from, to) = self.loads();
        if !(0.0..=1e6).contains(&from) || !(0.0..=1e6).contains(&to) {
            faults.push(format!("load goes from {from} to {to}; write 0 or more"));
        }
        if (self.kind == PhaseKind::Storm) != self.storm.is_some() {
            faults.push("storm = ... belongs to a phase of kind = \"storm\", and each of those has one".to_owned());
        }
        if self.load_from.is_some() && self.kind != PhaseKind::Ramp {
            faults.push("load_from is for ramps only".to_owned());
        }
        if (self.storm == Some(Storm::HalfHandshakes)) != self.rate.is_some() {
            faults.push("rate = \"100/s\" belongs to half_handshakes, and it needs one".to_owned());
        }
        faults
    }
}
