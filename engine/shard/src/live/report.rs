//! What shards know, as reports of the protocol.

use linchpin_protocol::live::{
    FrameDirection, LiveLevel, LiveOutcome, LivePresence, LiveReport, LiveValue, PresenceRow, ValueRow,
};
use linchpin_protocol::model::{DeviceId, Pin, SYSTEM_EVENTS, ValueRef};

use super::letter::{AttemptRow, Card, Happened, Wrote};

/// A device's presence; none: there is no such device.
pub(super) fn presence(device: DeviceId, card: Option<Card>) -> Option<PresenceRow> {
    let card = card?;
    let state = match (card.is_online, card.since_ms) {
        (true, _) => LivePresence::Online,
        (false, 0) => LivePresence::Never,
        (false, _) => LivePresence::Offline,
    };
    Some(PresenceRow { device: device.get(), state, since_ms: card.since_ms, code: card.code })
}

/// A property; none: it was taken away.
pub(super) fn property(device: DeviceId, pin: Pin, name: &str, value: Option<&[u8]>) -> LiveReport {
    let value = value.map_or(LiveValue::Nothing, |value| LiveValue::of(ValueRef(value)));
    LiveReport::Property { device: device.get(), pin, name: name.to_owned(), value }
}

/// What happened once.
pub(super) fn happened(happened: Happened) -> LiveReport {
    match happened {
        Happened::Event { device, at_ms, number, code, text, .. } => LiveReport::Event {
            device: device.get(),
            event: number.into(),
            at_ms,
            // Templates name levels to people only: the list of events has them.
            level: if code.starts_with(SYSTEM_EVENTS) { LiveLevel::System } else { LiveLevel::Info },
            code: code.into(),
            text: text.into(),
        },
        Happened::Value { device, pin, at_ms, value } => LiveReport::Values {
            rows: vec![ValueRow { device: device.get(), pin, at_ms, value: LiveValue::of(ValueRef(&value)) }],
        },
        Happened::Frame { device, at_ms, is_sent, command, message, body } => LiveReport::Frame {
            device: device.get(),
            at_ms,
            direction: if is_sent { FrameDirection::Out } else { FrameDirection::In },
            command,
            message,
            body: body.into(),
        },
    }
}

/// A login that failed.
pub(super) fn attempt(row: &AttemptRow) -> LiveReport {
    let AttemptRow { address, code, at_ms, count } = *row;
    LiveReport::Attempt { at_ms, address: address.to_string(), code, count }
}

/// What became of a write.
pub(super) fn wrote(request: u32, wrote: Wrote) -> LiveReport {
    let (outcome, code) = match wrote {
        Wrote::Delivered => (LiveOutcome::Delivered, 0),
        Wrote::Retained => (LiveOutcome::Kept, 0),
        Wrote::Refused(code) => (LiveOutcome::Refused, code),
    };
    LiveReport::Wrote { request, outcome, code }
}
