//! Topics of a firmware's own, mapped to datastreams.

use crate::limits::{MAX_POINTER_BYTES, MAX_TOPIC_BYTES};

use super::Pin;

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
        let is_topic = (1..=MAX_TOPIC_BYTES).contains(&topic.len()) && !topic.contains(['+', '#', '\0']);
        if !is_topic || topic.starts_with("downlink/") {
            return Err("a topic has 1 to 128 bytes, no +, # or NUL, and is not below downlink/");
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
            [("", ""), ("a/#", ""), ("a/+", ""), ("downlink/a", ""), ("a", "b"), (long.as_str(), "")]
        {
            assert!(TopicMapping::new(topic, pointer, pin).is_err(), "{topic} {pointer}");
        }
    }
}
