//! Ends of connections, as reason codes of MQTT.

use linchpin_protocol::mqtt::{MqttFault, Reason};

use crate::{End, Shard, Slot, Turn};

/// What a client of MQTT 5 hears of an end.
const fn reason_of(end: End) -> Reason {
    match end {
        End::HeartbeatMissed => Reason::KeepAliveTimeout,
        End::TakenOver => Reason::SessionTakenOver,
        End::FrameTooLarge => Reason::PacketTooLarge,
        End::Flood => Reason::MessageRateTooHigh,
        End::Drained => Reason::ServerShuttingDown,
        End::Redirected => Reason::ServerMoved,
        End::MqttVersion => Reason::UnsupportedProtocolVersion,
        End::MqttClientId => Reason::ClientIdentifierNotValid,
        End::TokenShape | End::TokenUnknown | End::MqttLogin => Reason::BadUserNameOrPassword,
        End::DeviceRemoved | End::TlsRequired | End::TemplateMismatch => Reason::NotAuthorized,
        End::MqttMalformed => Reason::MalformedPacket,
        End::CarryFull | End::Busy | End::HomeFull | End::TakeoverTooOften => Reason::ServerBusy,
        _ => Reason::UnspecifiedError,
    }
}

/// The end of a connection whose client broke the rules.
pub(super) const fn end_of(fault: MqttFault) -> End {
    match fault {
        MqttFault::TooLarge { .. } => End::FrameTooLarge,
        MqttFault::Refused(Reason::UnsupportedProtocolVersion) => End::MqttVersion,
        MqttFault::Refused(Reason::ClientIdentifierNotValid) => End::MqttClientId,
        MqttFault::Refused(Reason::BadUserNameOrPassword | Reason::BadAuthenticationMethod) => End::MqttLogin,
        MqttFault::Refused(_)
        | MqttFault::Malformed { .. }
        | MqttFault::Protocol { .. }
        | MqttFault::NotConnect
        | MqttFault::TopicName
        | MqttFault::TopicAlias { .. } => End::MqttMalformed,
    }
}

impl Shard {
    /// Say why the connection ends, if it speaks MQTT and there is a packet for it. Says nothing the second time.
    pub(crate) fn mqtt_goodbye(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
        if self.is_mqtt(slot) {
            self.say_reason(turn, slot, reason_of(end), end);
        }
    }

    /// The client broke the rules: say which, and end.
    pub(super) fn mqtt_fault(&mut self, turn: &mut Turn<'_>, slot: Slot, fault: MqttFault) {
        let end = end_of(fault);
        self.say_reason(turn, slot, fault.reason(), end);
        self.end(turn, slot, end);
    }

    /// True if a packet was sent.
    pub(super) fn say_reason(&mut self, turn: &mut Turn<'_>, slot: Slot, reason: Reason, end: End) -> bool {
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let text = format!("{end} {} {}", end.what(), end.fix());
        if let Some(session) = self.mqtt(slot) {
            session.farewell(reason, &text, &mut out);
        }
        let is_said = !out.is_empty();
        if is_said {
            self.emit(turn, slot, |frames| frames.extend_from_slice(&out));
        }
        self.scratch = out;
        is_said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_a_server_decides_have_reasons() {
        for (end, code) in [
            (End::HeartbeatMissed, 0x8d),
            (End::TakenOver, 0x8e),
            (End::FrameTooLarge, 0x95),
            (End::Flood, 0x96),
            (End::Drained, 0x8b),
            (End::DeviceRemoved, 0x87),
            (End::TlsRequired, 0x87),
            (End::Redirected, 0x9d),
            (End::MqttMalformed, 0x81),
            (End::CarryFull, 0x89),
            (End::OutboundFull, 0x80),
        ] {
            assert_eq!(reason_of(end).code(), code, "{end}");
        }
    }
}
