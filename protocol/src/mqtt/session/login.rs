//! CONNECT and its answer.

use crate::limits::{MQTT_CLIENT_ID_CHARS, MQTT_PACKET_BYTES, MQTT_RECEIVE_MAXIMUM, MQTT_WILL_BYTES};
use crate::model::Token;

use super::super::{
    Connack, Connect, Level, MqttFault, Packet, Property, PropertyList, RawPacket, Reason, Sender, Will, decode,
};
use super::{MqttAsk, MqttSession, WillMessage, flag};

/// The user name of devices.
const USER: &str = "device";

/// What a client hears that may come in.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    /// Longest keep alive, seconds, not 0; who asks for a longer one or none gets this.
    pub keep_alive_cap_s: u16,
    /// Client id for those who gave none.
    pub assigned_id: &'a str,
}

const fn refused<T>(reason: Reason) -> Result<T, MqttFault> {
    Err(MqttFault::Refused(reason))
}

/// Does the body of a CONNECT name version 5?
fn says_5(body: &[u8]) -> bool {
    body.starts_with(b"\0\x04MQTT\x05")
}

/// The will to store. Its topic is not judged here: a template may map it.
fn stored(will: &Will<'_>) -> WillMessage {
    let delay_s = will.properties.iter().find_map(|property| match property {
        Property::WillDelay(delay_s) => Some(delay_s),
        _ => None,
    });
    WillMessage { topic: will.topic.into(), payload: will.payload.into(), delay_s: delay_s.unwrap_or(0) }
}

impl MqttSession {
    pub(super) fn log_in<'a>(&mut self, raw: RawPacket<'a>) -> Result<MqttAsk<'a>, MqttFault> {
        if raw.first != 0x10 {
            return Err(MqttFault::NotConnect);
        }
        let connect = match decode(Level::V4, Sender::Client, raw) {
            Ok(Packet::Connect(connect)) => connect,
            Err(MqttFault::Refused(reason)) => {
                // Who says MQIsdp reads the older answer.
                let is_older = raw.body.get(1) == Some(&6);
                self.flags = flag::KNOWN;
                self.level = if is_older { Level::V4 } else { Level::V5 };
                return refused(reason);
            }
            Ok(_) => return Err(MqttFault::NotConnect),
            Err(fault) => {
                // MQTT 5 has an answer to a CONNECT that is broken behind its version, 3.1.1 has none.
                if says_5(raw.body) {
                    (self.flags, self.level) = (flag::KNOWN | flag::TEXTS, Level::V5);
                }
                return Err(fault);
            }
        };
        self.flags = flag::KNOWN | flag::TEXTS;
        self.level = connect.level;
        self.read_wishes(&connect)?;
        let is_nameless = connect.client_id.is_empty();
        if connect.client_id.chars().count() > MQTT_CLIENT_ID_CHARS
            || (is_nameless && !connect.clean && connect.level == Level::V4)
        {
            return refused(Reason::ClientIdentifierNotValid);
        }
        self.flags |= if is_nameless { flag::NO_ID } else { 0 };
        let Some(token) =
            connect.password.filter(|_| connect.user == Some(USER)).and_then(|password| Token::parse(password).ok())
        else {
            return refused(Reason::BadUserNameOrPassword);
        };
        if let Some(will) = connect.will {
            if will.topic.len() + will.payload.len() > MQTT_WILL_BYTES {
                return refused(Reason::PacketTooLarge);
            }
            self.extra.get_or_insert_default().will = Some(stored(&will));
        }
        self.flags |= flag::PENDING;
        Ok(MqttAsk::Login { token })
    }

    /// Keep alive and the properties of CONNECT.
    fn read_wishes(&mut self, connect: &Connect<'_>) -> Result<(), MqttFault> {
        self.keep_alive_s = connect.keep_alive_s;
        self.receive_max = u8::MAX;
        for property in connect.properties.iter() {
            match property {
                Property::AuthMethod(_) => return refused(Reason::BadAuthenticationMethod),
                Property::SessionExpiry(1..) => self.flags |= flag::EXPIRY,
                Property::RequestProblemTexts(false) => self.flags &= !flag::TEXTS,
                Property::ReceiveMaximum(most) => self.receive_max = u8::try_from(most).unwrap_or(u8::MAX),
                Property::MaximumPacketSize(bytes) => self.max_packet_bytes = bytes,
                _ => {}
            }
        }
        Ok(())
    }

    /// The login is answered with success: other packets may come. To be called once, after [`MqttAsk::Login`].
    pub fn accept(&mut self, welcome: &Welcome<'_>, out: &mut Vec<u8>) {
        debug_assert!(self.has(flag::PENDING), "accept without a login that waits");
        let asked_s = self.keep_alive_s;
        let is_capped = asked_s == 0 || asked_s > welcome.keep_alive_cap_s;
        if is_capped {
            self.keep_alive_s = welcome.keep_alive_cap_s;
        }
        self.flags = self.flags & !flag::PENDING | flag::LIVE;
        let mut written = Vec::new();
        if self.level() == Level::V5 {
            let mut say = |property: Property<'_>| property.write(&mut written);
            if self.has(flag::EXPIRY) {
                say(Property::SessionExpiry(0));
            }
            say(Property::ReceiveMaximum(MQTT_RECEIVE_MAXIMUM));
            say(Property::RetainAvailable(false));
            say(Property::MaximumPacketSize(MQTT_PACKET_BYTES as u32));
            if self.has(flag::NO_ID) {
                say(Property::AssignedClientId(welcome.assigned_id));
            }
            say(Property::SubscriptionIdAvailable(false));
            say(Property::SharedAvailable(false));
            if is_capped {
                say(Property::ServerKeepAlive(welcome.keep_alive_cap_s));
            }
        }
        self.connack(Reason::Success, PropertyList::of_written(&written), out);
    }

    pub(super) fn refuse(&self, reason: Reason, text: &str, out: &mut Vec<u8>) {
        let mut written = Vec::new();
        let properties = self.reason_string(reason, text, &mut written);
        self.connack(reason, properties, out);
    }

    fn connack(&self, reason: Reason, properties: PropertyList<'_>, out: &mut Vec<u8>) {
        let level = self.level();
        let code = if level == Level::V5 { reason.code() } else { reason.return_code() };
        Packet::Connack(Connack { session_present: false, code, properties }).write(level, out);
    }
}
