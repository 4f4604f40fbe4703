//! Topics of a firmware's own, mapped to datastreams.

use crate::limits::{MAX_POINTER_BYTES, MAX_TOPIC_BYTES};

use super::Pin;

/// Is this a code point that no text of MQTT holds: NUL, other control characters, what is no character? The standard
/// forbids NUL and lets a receiver end the connection at the others; so do clients and brokers that check texts.
#[must_use]
pub fn is_barred_in_topics(c: char) -> bool {
    c.is_control() || matches!(c as u32 & 0xffff, 0xfffe | 0xffff) || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

/// Can this be (part of) a topic's name?
#[must_use]
pub fn fits_topics(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c| matches!(c, '+' | '#') || is_barred_in_topics(c))
}

/// One value of one topic of MQTT: firmware that publishes elsewhere than to the device API needs no change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMapping {
    /// The topic, without wildcards.
    pub topic: Box<str>,
    /// Where the value stands in the JSON payload (RFC 6901); empty: the payload is the value.
    pub pointer: Box<str>,
    /// What it sets.
    pub pin: Pin,
}

impl TopicMapping {
    /// Check and make.
    ///
    /// # Errors
    /// What the topic or the pointer must be.
    pub fn new(topic: &str, pointer: &str, pin: Pin) -> Result<Self, &'static str> {
        let is_topic = topic.len() <= MAX_TOPIC_BYTES && fits_topics(topic);
        if !is_topic || topic.starts_with("downlink/") {
            return Err("a topic has 1 to 128 bytes, no +, # or control character, and is not below downlink/");
        }
        let is_pointer = pointer.is_empty() || pointer.starts_with('/');
        if !is_pointer || pointer.len() > MAX_POINTER_BYTES {
            return Err("a JSON pointer is empty or begins with /, and has at most 128 bytes");
        }
        Ok(Self { topic: topic.into(), pointer: pointer.into(), pin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_pointers_are_checked() {
        let pin = Pin::new_virtual(1);
        for (topic, pointer) in [("home/kitchen", ""), ("tele/x/SENSOR", "/AM2301/Temperature"), ("a", "/")] {
            assert!(TopicMapping::new(topic, pointer, pin).is_ok(), "{topic} {pointer}");
        }
        let long = "x".repeat(MAX_TOPIC_BYTES + 1);
        for (topic, pointer) in
            [("", ""), ("a/#", ""), ("a/+", ""), ("a\n", ""), ("downlink/a", ""), ("a", "b"), (long.as_str(), "")]
        {
            assert!(TopicMapping::new(topic, pointer, pin).is_err(), "{topic} {pointer}");
        }
    }
}
