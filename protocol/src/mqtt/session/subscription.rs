//! What a client wants to hear: filters below `downlink/`.

use crate::limits::{MQTT_FILTER_BYTES, MQTT_FILTERS};

use super::super::{Level, Property, Qos, Reason, Subscribe, Topics, encode};
use super::MqttSession;

/// Filters that have a bit of their own.
const USUAL: [&str; 5] = ["downlink/#", "downlink/ds/#", "downlink/meta/#", "downlink/utc/#", "downlink/loc/#"];

/// Bit of [`USUAL`]'s first: everything.
pub(super) const ALL: u8 = 1;

/// Why a filter is refused; `None`: it is taken.
fn refusal(filter: &str) -> Option<Reason> {
    if filter.starts_with("$share/") {
        Some(Reason::SharedSubscriptionsNotSupported)
    } else if filter.contains('+') {
        Some(Reason::WildcardSubscriptionsNotSupported)
    } else if filter.strip_prefix("downlink/").is_none_or(str::is_empty) {
        Some(Reason::NotAuthorized)
    } else if filter.len() > MQTT_FILTER_BYTES {
        Some(Reason::TopicFilterInvalid)
    } else {
        None
    }
}

/// Does a filter without + cover a topic that stands in parts?
pub(super) fn covers(filter: &str, topic: &[&str]) -> bool {
    let topic = || topic.iter().flat_map(|part| part.bytes());
    match filter.strip_suffix("/#") {
        Some(prefix) => {
            let mut rest = topic();
            prefix.bytes().all(|byte| rest.next() == Some(byte)) && matches!(rest.next(), None | Some(b'/'))
        }
        None => filter.bytes().eq(topic()),
    }
}

impl MqttSession {
    fn filter_count(&self) -> usize {
        self.usual.subscribed.count_ones() as usize + self.extra.as_ref().map_or(0, |extra| extra.named.len())
    }

    fn is_known(&self, filter: &str) -> bool {
        match USUAL.iter().position(|usual| *usual == filter) {
            Some(bit) => self.usual.subscribed & 1 << bit != 0,
            None => self.extra.as_ref().is_some_and(|extra| extra.named.iter().any(|named| *named.0 == *filter)),
        }
    }

    /// Take one filter; the answer's code.
    fn add(&mut self, filter: &str, options: u8) -> Result<Qos, Reason> {
        if let Some(reason) = refusal(filter) {
            return Err(reason);
        }
        if self.filter_count() >= MQTT_FILTERS && !self.is_known(filter) {
            return Err(Reason::QuotaExceeded);
        }
        let qos = if options & 3 == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce };
        match USUAL.iter().position(|usual| *usual == filter) {
            Some(at) => {
                let bit = 1 << at;
                self.usual.subscribed |= bit;
                self.usual.at_qos1 =
                    if qos == Qos::AtMostOnce { self.usual.at_qos1 & !bit } else { self.usual.at_qos1 | bit };
            }
            None => {
                let named = &mut self.extra.get_or_insert_default().named;
                match named.iter_mut().find(|known| *known.0 == *filter) {
                    Some(known) => known.1 = qos,
                    None => named.push((filter.into(), qos)),
                }
            }
        }
        Ok(qos)
    }

    fn remove(&mut self, filter: &str) -> bool {
        let was_known = self.is_known(filter);
        match USUAL.iter().position(|usual| *usual == filter) {
            Some(at) => self.usual.subscribed &= !(1 << at),
            None => {
                if let Some(extra) = &mut self.extra {
                    extra.named.retain(|named| *named.0 != *filter);
                }
            }
        }
        was_known
    }

    pub(super) fn subscribe(&mut self, subscribe: &Subscribe<'_>, out: &mut Vec<u8>) {
        let has_id = subscribe.properties.iter().any(|property| matches!(property, Property::SubscriptionId(_)));
        let level = self.level();
        self.answer_list(0x90, subscribe.id, subscribe.filters.iter().count(), out, |session, out| {
            for (filter, options) in subscribe.filters.iter() {
                let granted = if has_id {
                    Err(Reason::SubscriptionIdentifiersNotSupported)
                } else {
                    session.add(filter, options)
                };
                out.push(match (granted, level) {
                    (Ok(qos), _) => qos as u8,
                    (Err(_), Level::V4) => Reason::UnspecifiedError.code(),
                    (Err(reason), Level::V5) => reason.code(),
                });
            }
        });
    }

    pub(super) fn unsubscribe(&mut self, id: u16, topics: Topics<'_>, out: &mut Vec<u8>) {
        let codes = if self.level == Level::V5 { topics.iter().count() } else { 0 };
        self.answer_list(0xb0, id, codes, out, |session, out| {
            for filter in topics.iter() {
                let was_known = session.remove(filter);
                if session.level == Level::V5 {
                    let reason = if was_known { Reason::Success } else { Reason::NoSubscriptionExisted };
                    out.push(reason.code());
                }
            }
        });
    }

    /// SUBACK or UNSUBACK with so many codes, which `write` appends.
    fn answer_list(
        &mut self,
        first: u8,
        id: u16,
        codes: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Self, &mut Vec<u8>),
    ) {
        let properties: &[u8] = if self.level == Level::V5 { &[0] } else { &[] };
        encode::packet(out, first, 2 + properties.len() + codes, |out| {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(properties);
            write(self, out);
        });
    }

    /// At which QoS does the client want this topic? `usual`: bits of the usual filters that cover it.
    pub(super) fn wanted(&self, usual: u8, topic: &[&str]) -> Option<Qos> {
        let qos =
            if self.usual.subscribed & self.usual.at_qos1 & usual != 0 { Qos::AtLeastOnce } else { Qos::AtMostOnce };
        let by_bits = (self.usual.subscribed & usual != 0).then_some(qos);
        let named = self.extra.as_ref().map_or(&[][..], |extra| &extra.named);
        let by_name = named.iter().filter(|named| covers(&named.0, topic)).map(|named| named.1).max();
        by_bits.max(by_name)
    }

    /// The bit of the usual filter for topics that begin so, and of the one for everything.
    pub(super) fn usual_bits(prefix: &str) -> u8 {
        let own = USUAL.iter().position(|usual| usual.strip_suffix('#') == Some(prefix));
        ALL | own.map_or(0, |at| 1 << at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_cover_topics_in_parts() {
        assert!(covers("downlink/ds/#", &["downlink/ds/", "A"]));
        assert!(covers("downlink/ds/A", &["downlink/ds/", "A"]));
        assert!(covers("downlink/ds/A/#", &["downlink/ds/", "A"]));
        assert!(covers("downlink/ds/A/#", &["downlink/ds/", "A/B"]));
        assert!(!covers("downlink/ds/A/#", &["downlink/ds/", "AB"]));
        assert!(!covers("downlink/ds/A", &["downlink/ds/", "A/B"]));
        assert!(!covers("downlink/ds/AB", &["downlink/ds/", "A"]));
    }

    #[test]
    fn only_filters_below_downlink_are_taken() {
        for good in ["downlink/#", "downlink/ds/#", "downlink/ds/Set Point", "downlink/ping"] {
            assert_eq!(refusal(good), None, "{good}");
        }
        assert_eq!(refusal("#"), Some(Reason::NotAuthorized));
        assert_eq!(refusal("downlink/"), Some(Reason::NotAuthorized));
        assert_eq!(refusal("ds/#"), Some(Reason::NotAuthorized));
        assert_eq!(refusal("+/ds"), Some(Reason::WildcardSubscriptionsNotSupported));
        assert_eq!(refusal("$share/g/downlink/#"), Some(Reason::SharedSubscriptionsNotSupported));
        let long = format!("downlink/{}", "x".repeat(MQTT_FILTER_BYTES));
        assert_eq!(refusal(&long), Some(Reason::TopicFilterInvalid));
    }

    #[test]
    fn usual_filters_have_bits() {
        assert_eq!(MqttSession::usual_bits("downlink/ds/"), 0b00011);
        assert_eq!(MqttSession::usual_bits("downlink/loc/"), 0b10001);
        assert_eq!(MqttSession::usual_bits("downlink/"), 0b00001);
        assert_eq!(MqttSession::usual_bits("downlink/ota/"), 0b00001);
    }
}
