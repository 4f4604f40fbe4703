//! SUBSCRIBE and UNSUBSCRIBE.

use nom::Parser as _;
use nom::number::complete::u8 as any_byte;

use super::packet::properties_of;
use super::property::AllowedPackets;
use super::wire::{Parsed, broken, malformed, packet_id, text, whole};
use super::{Level, MqttFault, PropertyList, Qos};

/// A question for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The packet id.
    pub id: u16,
    /// MQTT 5 only.
    pub properties: PropertyList<'a>,
    /// At least one.
    pub filters: Filters<'a>,
}

/// Filters with their options: checked, read where they stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filters<'a>(&'a [u8]);

/// Filters without options: checked, read where they stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Topics<'a>(&'a [u8]);

impl<'a> Filters<'a> {
    /// Each filter and its byte of options: QoS in the lowest two bits.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, u8)> + use<'a> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let (rest, found) = filter_and_options(left).ok()?;
            left = rest;
            Some(found)
        })
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Topics<'a> {
    /// Each filter.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let (rest, found) = text(left).ok()?;
            left = rest;
            Some(found)
        })
    }

    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl std::fmt::Debug for Filters<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl std::fmt::Debug for Topics<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn filter_and_options(input: &[u8]) -> Parsed<'_, (&str, u8)> {
    let (left, filter) = text(input)?;
    let (left, options) = any_byte.parse(left)?;
    Ok((left, (filter, options)))
}

/// Are the wildcards where they may be: + a level of its own, # the last one?
fn is_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_last = levels.peek().is_none();
        let is_right = match level {
            "+" => true,
            "#" => is_last,
            level => !level.contains(['+', '#']),
        };
        if !is_right {
            return false;
        }
    }
    !filter.is_empty()
}

/// `$share/NAME/FILTER` needs a name without wildcards and a filter.
fn is_share_name(filter: &str) -> bool {
    let Some(rest) = filter.strip_prefix("$share/") else { return true };
    rest.split_once('/')
        .is_some_and(|(name, filter)| !name.is_empty() && !name.contains(['+', '#']) && is_filter(filter))
}

fn check_filter(filter: &str) -> Result<(), nom::Err<MqttFault>> {
    if is_filter(filter) && is_share_name(filter) { Ok(()) } else { malformed("a topic filter is not one") }
}

fn check_options(level: Level, filter: &str, options: u8) -> Result<(), nom::Err<MqttFault>> {
    const NO_LOCAL: u8 = 0x04;
    const RETAIN_HANDLING: u8 = 0x30;
    let reserved = match level {
        Level::V4 => 0xfc,
        Level::V5 => 0xc0,
    };
    if options & reserved != 0 {
        return malformed("options of a subscription that do not exist");
    }
    if Qos::from_bits(options & 3).is_none() || options & RETAIN_HANDLING == RETAIN_HANDLING {
        return broken("options of a subscription have a value that does not exist");
    }
    if options & NO_LOCAL != 0 && filter.starts_with("$share/") {
        return broken("a shared subscription does without messages of its own");
    }
    Ok(())
}

fn subscription(level: Level, body: &[u8]) -> Parsed<'_, Subscribe<'_>> {
    let (left, id) = packet_id(body)?;
    let (list, properties) = properties_of(level, AllowedPackets::SUBSCRIBE)(left)?;
    if list.is_empty() {
        return broken("a subscription without a filter");
    }
    let mut left = list;
    while !left.is_empty() {
        let (rest, (filter, options)) = filter_and_options(left)?;
        check_filter(filter)?;
        check_options(level, filter, options)?;
        left = rest;
    }
    Ok((left, Subscribe { id, properties, filters: Filters(list) }))
}

pub(super) fn subscribe(level: Level, body: &[u8]) -> Result<Subscribe<'_>, MqttFault> {
    whole(subscription(level, body))
}

fn end_of_subscription(level: Level, body: &[u8]) -> Parsed<'_, (u16, PropertyList<'_>, Topics<'_>)> {
    let (left, id) = packet_id(body)?;
    let (list, properties) = properties_of(level, AllowedPackets::UNSUBSCRIBE)(left)?;
    if list.is_empty() {
        return broken("an end of subscriptions without a filter");
    }
    let mut left = list;
    while !left.is_empty() {
        let (rest, filter) = text(left)?;
        check_filter(filter)?;
        left = rest;
    }
    Ok((left, (id, properties, Topics(list))))
}

pub(super) fn unsubscribe(level: Level, body: &[u8]) -> Result<(u16, PropertyList<'_>, Topics<'_>), MqttFault> {
    whole(end_of_subscription(level, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_have_their_places() {
        for good in ["a", "/", "a/", "#", "+", "a/#", "+/a/+", "/#", "downlink/ds/Set Point", "$share/g/a/#"] {
            assert!(is_filter(good) && is_share_name(good), "{good}");
        }
        for bad in ["", "a#", "a/#/b", "#/", "a+", "+a/b", "$share/g", "$share//a", "$share/+/a", "$share/g/"] {
            assert!(!is_filter(bad) || !is_share_name(bad), "{bad}");
        }
    }
}
