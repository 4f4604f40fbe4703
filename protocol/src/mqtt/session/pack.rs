//! An MQTT session on its way to another process.

use super::super::{Level, Qos};
use super::{Extra, MqttSession, Usual, WillMessage};
use crate::limits::{MQTT_FILTER_BYTES, MQTT_FILTERS, MQTT_WILL_BYTES};
use crate::pack::{Pack, PackReader, Unreadable, put_bytes};

impl Pack for MqttSession {
    const NAME: &'static str = "an MQTT session";
    const KIND: u8 = b'M';
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        let Self { max_packet_bytes, keep_alive_s, last_id, ping_id, .. } = self;
        out.extend_from_slice(&max_packet_bytes.to_be_bytes());
        for number in [keep_alive_s, last_id, ping_id] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        let level = self.level as u8;
        out.extend_from_slice(&[
            self.receive_max,
            self.in_flight,
            self.flags,
            level,
            self.usual.subscribed,
            self.usual.at_qos1,
        ]);
        out.push(u8::from(self.extra.is_some()));
        let Some(extra) = &self.extra else { return };
        out.push(u8::from(extra.will.is_some()));
        if let Some(will) = &extra.will {
            put_bytes(out, will.topic.as_bytes());
            put_bytes(out, &will.payload);
            out.extend_from_slice(&will.delay_s.to_be_bytes());
        }
        out.push(extra.named.len() as u8);
        for (filter, qos) in &extra.named {
            put_bytes(out, filter.as_bytes());
            out.push(*qos as u8);
        }
    }

    fn read(version: u8, from: &mut PackReader<'_>) -> Result<Self, Unreadable> {
        if version != Self::VERSION {
            return Err(Unreadable::new(Self::NAME, "its version"));
        }
        let max_packet_bytes = from.u32()?;
        let (keep_alive_s, last_id, ping_id) = (from.u16()?, from.u16()?, from.u16()?);
        let (receive_max, in_flight, flags) = (from.u8()?, from.u8()?, from.u8()?);
        let level = match from.u8()? {
            4 => Level::V4,
            5 => Level::V5,
            _ => return Err(Unreadable::new(Self::NAME, "its level")),
        };
        let usual = Usual { subscribed: from.u8()?, at_qos1: from.u8()? };
        let extra = if from.flag()? { Some(Box::new(read_extra(from)?)) } else { None };
        Ok(Self {
            extra,
            max_packet_bytes,
            keep_alive_s,
            last_id,
            ping_id,
            receive_max,
            in_flight,
            flags,
            usual,
            level,
        })
    }
}

fn read_extra(from: &mut PackReader<'_>) -> Result<Extra, Unreadable> {
    let will = if from.flag()? {
        let (topic, payload) = (from.text(MQTT_WILL_BYTES)?.into(), from.bytes(MQTT_WILL_BYTES)?.into());
        Some(WillMessage { topic, payload, delay_s: from.u32()? })
    } else {
        None
    };
    let count = usize::from(from.u8()?);
    if count > MQTT_FILTERS {
        return Err(Unreadable::new(MqttSession::NAME, "the number of its filters"));
    }
    let mut named = Vec::with_capacity(count);
    for _ in 0..count {
        let filter = from.text(MQTT_FILTER_BYTES)?.into();
        let qos = match from.u8()? {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            2 => Qos::ExactlyOnce,
            _ => return Err(Unreadable::new(MqttSession::NAME, "a quality of service")),
        };
        named.push((filter, qos));
    }
    Ok(Extra { will, named })
}
