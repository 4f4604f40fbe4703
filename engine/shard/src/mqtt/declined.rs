//! Why a message did nothing: one variant, one code, one reason of MQTT 5.

use std::fmt;

use linchpin_protocol::Fault;
use linchpin_protocol::limits::{
    MAX_EVENT_CODE_BYTES, MAX_EVENT_DESCRIPTION_CHARS, MAX_META_NAME_BYTES, MAX_META_VALUE_BYTES,
};
use linchpin_protocol::mqtt::Reason;
use linchpin_protocol::mqtt::payload::PayloadFault;

use crate::device::verbs::Refused;

/// See the module's page. `Display` is what `downlink/diag` says: the code, what is wrong with which value and limit, and
/// what to do. Codes never change their meaning; docs/mqtt.md lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declined {
    /// The topic is none of the API's, and the template maps none of this name.
    Topic,
    /// The template has no datastream of this name, or a device without a template no such pin.
    Name,
    /// The verb was refused.
    Refused(Refused),
    /// The quota of messages is used up.
    Quota,
    /// The payload has another shape than its topic needs.
    Payload(PayloadFault),
    /// A text is no UTF-8.
    NotText,
    /// A value has no bytes.
    Empty,
    /// A code or a description of an event is too long.
    EventTooLong,
    /// A name or a value of the metadata is too long.
    MetaTooLong,
    /// No property has this name.
    Property,
    /// Values wait for those of the last run, and so many wait that there is no room.
    Busy,
    /// There is nothing at this place of the payload.
    Pointer,
    /// The device has no subscription for the answer.
    Unsubscribed,
    /// The answer is longer than the client takes.
    AnswerTooLarge {
        /// Its packet, bytes.
        len_bytes: usize,
        /// What the client takes, bytes.
        limit_bytes: usize,
    },
    /// The device has no place yet.
    NoPlace,
    /// The will goes to a topic that does nothing.
    WillTopic,
}

/// Codes of messages over MQTT that did nothing: what happened, and what to do about it. Codes never change their meaning.
pub const MESSAGE_CODES: [(u16, &str, &str); 10] = [
    (
        801,
        "A message went to a topic that does nothing.",
        "Publish to a topic of docs/mqtt.md, or map it in the template.",
    ),
    (802, "A message named a datastream that the template does not have.", "Check the name, or add it as an alias."),
    (803, "A value, a property or a text is not what it must be.", "The message says what it must be."),
    (804, "The quota of messages or events is used up.", "Send fewer, or several values in one batch_ds."),
    (805, "The store could not take it, or still reads what was written last.", "Try again later; look at the disk."),
    (806, "There is no such event, field or place.", "Check the name, or add it to the template."),
    (807, "The payload has another shape than its topic needs.", "The message says which shape."),
    (808, "The answer has no subscription.", "Subscribe to downlink/# before you ask."),
    (809, "The answer is longer than the client takes.", "Raise rxbuff or the maximum packet size."),
    (810, "The will goes to a topic that does nothing.", "Use ds/NAME, event/CODE or meta/NAME."),
];

impl From<Refused> for Declined {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<PayloadFault> for Declined {
    fn from(fault: PayloadFault) -> Self {
        Self::Payload(fault)
    }
}

impl Declined {
    /// The number in its code.
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Topic => 801,
            Self::Name | Self::Refused(Refused::Fault(Fault::NoDatastream { .. })) => 802,
            Self::Refused(Refused::NotStored | Refused::StoreFailed) | Self::Busy => 805,
            Self::Refused(Refused::EventTooSoon | Refused::EventsUsedUp | Refused::EventCodeUsedUp(_))
            | Self::Quota => 804,
            Self::Refused(
                Refused::NothingThere | Refused::TokenIsSecret | Refused::NoSuchEvent | Refused::NoSuchStream(_),
            )
            | Self::NoPlace => 806,
            Self::Refused(_) | Self::Empty | Self::EventTooLong | Self::MetaTooLong | Self::Property => 803,
            Self::Payload(_) | Self::NotText | Self::Pointer => 807,
            Self::Unsubscribed => 808,
            Self::AnswerTooLarge { .. } => 809,
            Self::WillTopic => 810,
        }
    }

    /// What PUBACK of MQTT 5 says.
    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::Topic | Self::Name | Self::WillTopic => Reason::TopicNameInvalid,
            Self::Refused(
                Refused::Fault(Fault::NoDatastream { .. })
                | Refused::NoSuchEvent
                | Refused::NothingThere
                | Refused::TokenIsSecret,
            ) => Reason::TopicNameInvalid,
            Self::Refused(Refused::EventTooSoon | Refused::EventsUsedUp | Refused::EventCodeUsedUp(_))
            | Self::Quota => Reason::QuotaExceeded,
            Self::Refused(Refused::OtherTemplate) => Reason::NotAuthorized,
            Self::Refused(Refused::Fault(_) | Refused::Time(_))
            | Self::Payload(_)
            | Self::NotText
            | Self::Empty
            | Self::EventTooLong
            | Self::MetaTooLong
            | Self::Property
            | Self::Pointer => Reason::PayloadFormatInvalid,
            Self::Refused(_) | Self::Busy | Self::Unsubscribed | Self::AnswerTooLarge { .. } | Self::NoPlace => {
                Reason::ImplementationSpecificError
            }
        }
    }
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{:04} ", self.number())?;
        match self {
            Self::Topic => {
                f.write_str("no such topic: publish to ds/NAME, batch_ds, event/CODE or another of the device API")
            }
            Self::Name => {
                f.write_str("no such datastream: check the name, or use V0 to V255 if the device has no template")
            }
            Self::Refused(refused) => refused.fmt(f),
            Self::Quota => {
                f.write_str("too many messages, this one was dropped: send fewer, or several values in one batch_ds")
            }
            Self::Payload(fault) => fault.fmt(f),
            Self::NotText => f.write_str("the payload is no text: send UTF-8"),
            Self::Empty => f.write_str("the value is empty: send 1 to 1,024 bytes, or publish to ds/NAME/erase"),
            Self::EventTooLong => write!(
                f,
                "the event is too long: a code has {MAX_EVENT_CODE_BYTES} bytes at most, a description {MAX_EVENT_DESCRIPTION_CHARS} characters; shorten it"
            ),
            Self::MetaTooLong => write!(
                f,
                "the metadata is too long: a name has {MAX_META_NAME_BYTES} bytes at most, a value {MAX_META_VALUE_BYTES}; shorten it"
            ),
            Self::Property => f.write_str("no property has this name: check its spelling, case matters"),
            Self::Busy => f.write_str("the server has just started and still reads what devices wrote last: ask again"),
            Self::Pointer => {
                f.write_str("the payload has no value where the template's map looks: check the JSON pointer")
            }
            Self::Unsubscribed => f.write_str("the answer has no subscription: subscribe to downlink/# first"),
            Self::AnswerTooLarge { len_bytes, limit_bytes } => write!(
                f,
                "an answer of {len_bytes} bytes was left out, the device takes {limit_bytes}: raise rxbuff or maximum packet size"
            ),
            Self::NoPlace => f.write_str("the device has no place: nothing is known of its latitude and longitude"),
            Self::WillTopic => {
                f.write_str("the will goes to a topic that does nothing: use ds/NAME, event/CODE or meta/NAME")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_and_documented() {
        let page = include_str!("../../../../docs/mqtt.md");
        let sample = [
            Declined::Topic,
            Declined::Name,
            Declined::Property,
            Declined::Quota,
            Declined::Busy,
            Declined::NoPlace,
            Declined::Pointer,
            Declined::Unsubscribed,
            Declined::AnswerTooLarge { len_bytes: 9, limit_bytes: 8 },
            Declined::WillTopic,
        ];
        assert!(sample.iter().map(|it| it.number()).eq(MESSAGE_CODES.iter().map(|it| it.0)));
        for declined in sample {
            let text = declined.to_string();
            let code = format!("E{:04}", declined.number());
            assert!(text.starts_with(&code) && text.contains(':'), "{text} says what to do");
            assert!(page.contains(&code), "docs/mqtt.md has no {code}");
        }
    }
}
