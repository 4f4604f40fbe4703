//! What a device hears over MQTT.

use linchpin_protocol::model::Pin;
use linchpin_protocol::mqtt::{Downlink, Published, Qos, payload};

use super::declined::Declined;
use crate::connection::{Connection, Ticks, gate};
use crate::device::templates::PinName;
use crate::device::verbs::{Delivery, PLACE, Refused};
use crate::store::identity::FieldWay;
use crate::{Push, Shard, Slot, Turn, limits};

/// Write a message for a connection that speaks MQTT. One that a newer one may replace while the socket is full has no id
/// that an answer would be waited for.
fn write(
    connection: &mut Connection,
    key: Option<Pin>,
    downlink: Downlink<'_>,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Published {
    let may_be_replaced = key.is_some() && connection.gate & gate::BLOCKED != 0;
    let best = if may_be_replaced { Qos::AtMostOnce } else { Qos::AtLeastOnce };
    match connection.wire.speech.mqtt() {
        Some(session) => session.publish(downlink, payload, best, out),
        None => Published::Unwanted,
    }
}

impl Shard {
    /// Publish to a device. A newer message with the same `key` replaces an older one that still waits.
    fn publish(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        key: Option<Pin>,
        downlink: Downlink<'_>,
        payload: &[u8],
    ) -> Result<(), Declined> {
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let published = write(&mut self.connections[slot], key, downlink, payload, &mut out);
        self.send_published(turn, slot, key, published, out)
    }

    fn send_published(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        key: Option<Pin>,
        published: Published,
        out: Vec<u8>,
    ) -> Result<(), Declined> {
        if published == Published::Sent {
            self.push(turn, slot, key, |frames| frames.extend_from_slice(&out));
        }
        self.scratch = out;
        match published {
            Published::Sent => Ok(()),
            Published::Unwanted => Err(Declined::Unsubscribed),
            Published::TooLarge { len_bytes, limit_bytes } => {
                self.counters.unsendable += 1;
                Err(Declined::AnswerTooLarge { len_bytes, limit_bytes })
            }
        }
    }

    /// The value of a pin, to its datastream's topic.
    fn publish_value(&mut self, turn: &mut Turn<'_>, slot: Slot, pin: Pin, value: &[u8]) -> Result<(), Declined> {
        let mut text = PinName::default();
        let number = self.devices[self.connections[slot].device].template;
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let name = self.catalog.templates.name_of(number, pin, &mut text);
        let published = write(&mut self.connections[slot], Some(pin), Downlink::Value { name }, value, &mut out);
        self.send_published(turn, slot, Some(pin), published, out)
    }

    /// A write of somebody else. Without a subscription the device asks for the value when it wants it.
    pub(crate) fn publish_write(&mut self, turn: &mut Turn<'_>, slot: Slot, pin: Pin, value: &[u8]) -> Delivery {
        match self.publish_value(turn, slot, pin, value) {
            Ok(()) => Delivery::Sent,
            Err(declined @ Declined::AnswerTooLarge { .. }) => {
                self.diag(turn, slot, declined);
                Delivery::Waits
            }
            Err(_) => Delivery::Waits,
        }
    }

    /// Say what the client does wrong, at most once in `limits::MQTT_DIAG_MS`.
    pub(super) fn diag(&mut self, turn: &mut Turn<'_>, slot: Slot, declined: Declined) {
        self.counters.declined += 1;
        // A live MQTT connection has no other use for its deadline.
        let connection = &mut self.connections[slot];
        if !connection.is_live() || connection.deadline.millis() > turn.now.mono {
            return;
        }
        connection.deadline = Ticks::at(turn.now.mono.after(limits::MQTT_DIAG_MS));
        // A text that the client cannot hold is left out.
        let _ = self.publish(turn, slot, None, Downlink::Diag, declined.to_string().as_bytes());
    }

    /// `get/ds`: the values of these datastreams.
    pub(super) fn sync_names(&mut self, turn: &mut Turn<'_>, slot: Slot, payload: &[u8]) -> Result<(), Declined> {
        let number = self.devices[self.connections[slot].device].template;
        let names = payload::names(payload)?;
        let pins: Vec<Pin> = names.clone().filter_map(|name| self.catalog.templates.pin_of(number, name)).collect();
        let is_whole = pins.len() == names.count();
        self.sync_mqtt(turn, slot, Some(&pins))?;
        if is_whole { Ok(()) } else { Err(Declined::Name) }
    }

    /// The values of these pins; `None`: all that are meant to be synced.
    pub(super) fn sync_mqtt(&mut self, turn: &mut Turn<'_>, slot: Slot, pins: Option<&[Pin]>) -> Result<(), Declined> {
        if self.store.parked.is_some() {
            return if self.park(slot, 0, pins.map(Into::into)) { Ok(()) } else { Err(Declined::Busy) };
        }
        self.publish_values(turn, slot, pins)
    }

    /// As [`Self::sync_mqtt`], once all values of the last run have come.
    pub(crate) fn publish_values(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        pins: Option<&[Pin]>,
    ) -> Result<(), Declined> {
        let position = self.connections[slot].device;
        let values: Vec<(Pin, Box<[u8]>)> = match pins {
            None => self.read_synced(position).map(|(pin, value)| (pin, value.into())).collect(),
            Some(pins) => pins.iter().filter_map(|pin| Some((*pin, self.read(position, *pin)?.into()))).collect(),
        };
        let mut done = Ok(());
        for (pin, value) in values {
            done = done.and(self.publish_value(turn, slot, pin, &value));
        }
        done
    }

    /// `get/meta`: these fields.
    pub(super) fn answer_metadata(&mut self, turn: &mut Turn<'_>, slot: Slot, payload: &[u8]) -> Result<(), Declined> {
        let position = self.connections[slot].device;
        let mut done = Ok(());
        for name in payload::names(payload)? {
            if self.asks_identity(turn, position, name, (self.conn_ref(slot), FieldWay::Mqtt)) {
                continue;
            }
            let answer = match self.metadata(position, name) {
                Ok(value) => {
                    let value = value.to_owned();
                    self.publish(turn, slot, None, Downlink::Meta { name }, value.as_bytes())
                }
                Err(refused) => Err(refused.into()),
            };
            done = done.and(answer);
        }
        done
    }

    /// What the store knows of a field.
    pub(crate) fn publish_field(&mut self, turn: &mut Turn<'_>, slot: Slot, name: &str, value: Option<&str>) {
        let done = match value {
            Some(value) => self.publish(turn, slot, None, Downlink::Meta { name }, value.as_bytes()),
            None => Err(Refused::NothingThere.into()),
        };
        if let Err(declined) = done {
            self.diag(turn, slot, declined);
        }
    }

    /// `get/loc/all`.
    pub(super) fn answer_place(&mut self, turn: &mut Turn<'_>, slot: Slot) -> Result<(), Declined> {
        let position = self.connections[slot].device;
        let place = self.metadata(position, PLACE).map_err(|_| Declined::NoPlace)?.replacen(' ', ",", 1);
        self.publish(turn, slot, None, Downlink::Place, place.as_bytes())
    }

    /// `get/utc/all/json`.
    pub(super) fn answer_clock(&mut self, turn: &mut Turn<'_>, slot: Slot) -> Result<(), Declined> {
        let text = payload::clock(turn.now.wall);
        self.publish(turn, slot, None, Downlink::Clock, text.as_bytes())
    }

    /// An order of an operator.
    pub(crate) fn push_mqtt(&mut self, turn: &mut Turn<'_>, slot: Slot, push: &Push) -> Result<(), Refused> {
        let done = match push {
            Push::Write { .. } | Push::Event { .. } | Push::Property { .. } | Push::Points { .. } => return Ok(()),
            Push::Ota { url } => self.publish(turn, slot, None, Downlink::Ota, payload::firmware(url).as_bytes()),
            Push::Reboot => self.publish(turn, slot, None, Downlink::Reboot, b""),
            Push::Reconfigure => self.publish(turn, slot, None, Downlink::Reconfigure, b""),
            Push::Ping => self.publish(turn, slot, None, Downlink::Ping, b""),
            Push::Debug { text } => self.publish(turn, slot, None, Downlink::Diag, text.as_bytes()),
        };
        done.map_err(|declined| match declined {
            Declined::AnswerTooLarge { limit_bytes, .. } => {
                Refused::TooLarge { buff_in: u16::try_from(limit_bytes).unwrap_or(u16::MAX), pin: None }
            }
            _ => Refused::Unsubscribed,
        })
    }

    /// Send the device to another server.
    pub(crate) fn redirect_mqtt(&mut self, turn: &mut Turn<'_>, slot: Slot, host: &str, port: u16) {
        let wire = &self.connections[slot].wire;
        let (scheme, path) = match (wire.framing.is_websocket(), wire.tls.is_on()) {
            (false, false) => ("mqtt", ""),
            (false, true) => ("mqtts", ""),
            (true, false) => ("ws", "/mqtt"),
            (true, true) => ("wss", "/mqtt"),
        };
        let uri = format!("{scheme}://{host}:{port}{path}");
        // A client that cannot hold it is closed all the same, and comes back here.
        let _ = self.publish(turn, slot, None, Downlink::Redirect, uri.as_bytes());
    }
}
