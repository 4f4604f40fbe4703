//! An MQTT client that does what a test orders, packet by packet.

use linchpin_protocol::model::Token;
use linchpin_protocol::mqtt::{
    Ack, Connect, Cut, Disconnect, Level, Packet, PropertyList, Publish, Qos, Reason, Sender, Will, cut, decode,
};

use crate::World;
use crate::driver::Conn;

/// What a server sent, as far as tests look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// CONNACK, PUBLISH and the like.
    pub kind: &'static str,
    /// Return code or reason; of a SUBACK the first.
    pub code: u8,
    /// Of a message.
    pub topic: String,
    /// Of a message, as text.
    pub payload: String,
    /// Of a message.
    pub qos: u8,
    /// The packet id; 0 without one.
    pub id: u16,
    /// Properties of MQTT 5, as text.
    pub properties: String,
}

/// One scripted connection.
#[derive(Debug)]
pub struct MqttScript {
    /// Its connection.
    pub conn: Conn,
    level: Level,
    received: Vec<u8>,
    next_id: u16,
}

/// How a client logs in.
#[derive(Clone, Copy, Debug)]
pub struct MqttLogin<'a> {
    /// The version.
    pub level: Level,
    /// Seconds.
    pub keep_alive_s: u16,
    /// Topic, payload and, in MQTT 5, the delay in seconds.
    pub will: Option<(&'a str, &'a str, u32)>,
    /// The user name.
    pub user: &'a str,
    /// Properties of MQTT 5 as bytes without their length.
    pub properties: &'a [u8],
}

impl MqttLogin<'_> {
    /// One of this version with a keep alive of a minute.
    #[must_use]
    pub const fn new(level: Level) -> Self {
        Self { level, keep_alive_s: 60, will: None, user: "device", properties: &[] }
    }

    /// CONNECT.
    #[must_use]
    pub fn bytes(&self, password: &str) -> Vec<u8> {
        let mut delay = Vec::new();
        if let Some((_, _, delay_s)) = self.will {
            delay.push(0x18);
            delay.extend_from_slice(&delay_s.to_be_bytes());
        }
        let connect = Connect {
            level: self.level,
            clean: true,
            keep_alive_s: self.keep_alive_s,
            properties: PropertyList::of_written(self.properties),
            client_id: "",
            will: self.will.map(|(topic, payload, _)| Will {
                topic,
                payload: payload.as_bytes(),
                qos: Qos::AtLeastOnce,
                retain: false,
                properties: PropertyList::of_written(&delay),
            }),
            user: Some(self.user),
            password: Some(password.as_bytes()),
        };
        let mut out = Vec::new();
        Packet::Connect(connect).write(self.level, &mut out);
        out
    }
}

impl MqttScript {
    /// Connect, and say nothing.
    pub fn connect(world: &mut World, level: Level) -> Self {
        Self { conn: world.connect([127, 0, 0, 1]), level, received: Vec::new(), next_id: 0 }
    }

    /// Connect and log in.
    ///
    /// # Panics
    /// When the login is refused.
    pub fn login(world: &mut World, login: &MqttLogin<'_>, token: &Token) -> Self {
        let mut script = Self::connect(world, login.level);
        let heard = script.log_in(world, login, token);
        assert_eq!(heard.first().map(|it| (it.kind, it.code)), Some(("CONNACK", 0)), "{heard:?}");
        script
    }

    /// Log in; what was heard.
    pub fn log_in(&mut self, world: &mut World, login: &MqttLogin<'_>, token: &Token) -> Vec<Heard> {
        world.send(self.conn, &login.bytes(token.expose()));
        self.hear(world)
    }

    /// Send one packet.
    pub fn send(&mut self, world: &mut World, packet: &Packet<'_>) {
        let mut out = Vec::new();
        packet.write(self.level, &mut out);
        world.send(self.conn, &out);
    }

    /// SUBSCRIBE to one filter and wait; the code.
    ///
    /// # Panics
    /// Without an answer.
    pub fn subscribe(&mut self, world: &mut World, filter: &str, qos: u8) -> u8 {
        self.next_id += 1;
        let mut body = self.next_id.to_be_bytes().to_vec();
        if self.level == Level::V5 {
            body.push(0);
        }
        body.extend_from_slice(&(filter.len() as u16).to_be_bytes());
        body.extend_from_slice(filter.as_bytes());
        body.push(qos);
        world.send(self.conn, &[&[0x82, body.len() as u8], &body[..]].concat());
        let heard = self.hear(world);
        heard.iter().find(|it| it.kind == "SUBACK").expect("an answer").code
    }

    /// Publish; returns the packet id.
    pub fn publish(&mut self, world: &mut World, qos: u8, topic: &str, payload: &[u8]) -> u16 {
        let qos = Qos::from_bits(qos).expect("a QoS");
        self.next_id += u16::from(qos != Qos::AtMostOnce);
        let id = if qos == Qos::AtMostOnce { 0 } else { self.next_id };
        let properties = PropertyList::default();
        self.send(world, &Packet::Publish(Publish { dup: false, qos, retain: false, topic, id, properties, payload }));
        id
    }

    /// Publish at QoS 1 and wait; the reason of the answer.
    ///
    /// # Panics
    /// Without an answer.
    pub fn confirm(&mut self, world: &mut World, topic: &str, payload: &str) -> u8 {
        let id = self.publish(world, 1, topic, payload.as_bytes());
        let heard = self.hear(world);
        heard.iter().find(|it| it.kind == "PUBACK" && it.id == id).unwrap_or_else(|| panic!("{heard:?}")).code
    }

    /// Publish at QoS 0, wait, and return the messages that come.
    pub fn ask(&mut self, world: &mut World, topic: &str, payload: &str) -> Vec<(String, String)> {
        self.publish(world, 0, topic, payload.as_bytes());
        self.messages(world)
    }

    /// The messages that come, by topic and payload.
    pub fn messages(&mut self, world: &mut World) -> Vec<(String, String)> {
        self.hear(world).into_iter().filter(|it| it.kind == "PUBLISH").map(|it| (it.topic, it.payload)).collect()
    }

    /// DISCONNECT.
    pub fn leave(&mut self, world: &mut World, reason: Reason) {
        self.send(world, &Packet::Disconnect(Disconnect { reason, properties: PropertyList::default() }));
        world.run_ms(20);
    }

    /// PUBACK.
    pub fn acknowledge(&mut self, world: &mut World, id: u16) {
        let ack = Ack { id, reason: Reason::Success, properties: PropertyList::default() };
        self.send(world, &Packet::Puback(ack));
    }

    /// Wait a moment, then read all whole packets.
    ///
    /// # Panics
    /// When what comes is no packet of a server.
    pub fn hear(&mut self, world: &mut World) -> Vec<Heard> {
        world.run_ms(50);
        while let Some(segment) = world.read(self.conn) {
            self.received.extend_from_slice(&segment);
        }
        let mut heard = Vec::new();
        let mut used = 0;
        while let Ok(Cut::Packet { packet, used: len }) = cut(&self.received[used..], usize::MAX) {
            used += len;
            heard.push(heard_of(decode(self.level, Sender::Server, packet).expect("a packet of a server")));
        }
        self.received.drain(..used);
        heard
    }

    /// Has the server ended it?
    pub fn is_over(&mut self, world: &mut World) -> bool {
        world.run_ms(50);
        while world.read(self.conn).is_some() {}
        world.is_over(self.conn)
    }
}

fn heard_of(packet: Packet<'_>) -> Heard {
    let none = Heard::default();
    let list = |list: PropertyList<'_>| format!("{list:?}");
    let ack = |kind, ack: Ack<'_>| Heard {
        kind,
        id: ack.id,
        code: ack.reason.code(),
        properties: list(ack.properties),
        ..Heard::default()
    };
    match packet {
        Packet::Connack(it) => Heard { kind: "CONNACK", code: it.code, properties: list(it.properties), ..none },
        Packet::Publish(it) => Heard {
            kind: "PUBLISH",
            topic: it.topic.to_owned(),
            payload: String::from_utf8_lossy(it.payload).into_owned(),
            qos: it.qos as u8,
            id: it.id,
            ..none
        },
        Packet::Puback(it) => ack("PUBACK", it),
        Packet::Pubrec(it) => ack("PUBREC", it),
        Packet::Pubrel(it) => ack("PUBREL", it),
        Packet::Pubcomp(it) => ack("PUBCOMP", it),
        Packet::Suback { id, codes, .. } => Heard { kind: "SUBACK", id, code: codes[0], ..none },
        Packet::Unsuback { id, .. } => Heard { kind: "UNSUBACK", id, ..none },
        Packet::Pingresp => Heard { kind: "PINGRESP", ..none },
        Packet::Disconnect(it) => {
            Heard { kind: "DISCONNECT", code: it.reason.code(), properties: list(it.properties), ..none }
        }
        other => panic!("a server sends no {other:?}"),
    }
}
