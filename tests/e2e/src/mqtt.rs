//! An MQTT client of version 5 that waits for each answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use linchpin_compat::Device;
use linchpin_compat::limits::EFFECT;
use linchpin_protocol::mqtt::{
    Connect, Cut, Level, Packet, Property, PropertyList, Publish, Qos, Sender, Will, cut, decode,
};

/// See the module's page.
#[derive(Debug)]
pub struct Mqtt {
    stream: TcpStream,
    received: Vec<u8>,
    last_id: u16,
}

impl Mqtt {
    /// Log in as a device.
    ///
    /// # Panics
    /// When the login is refused.
    #[must_use]
    pub fn login(address: SocketAddr, device: &Device) -> Self {
        Self::login_with_will(address, device, None)
    }

    /// Log in as a device. `will`: its topic, its payload and its delay, s.
    ///
    /// # Panics
    /// When the login is refused.
    #[must_use]
    pub fn login_with_will(address: SocketAddr, device: &Device, will: Option<(&str, &str, u32)>) -> Self {
        let mut delay = Vec::new();
        if let Some((.., delay_s)) = will {
            Property::WillDelay(delay_s).write(&mut delay);
        }
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(EFFECT)).expect("an open socket");
        stream.set_nodelay(true).expect("an open socket");
        let mut mqtt = Self { stream, received: Vec::new(), last_id: 0 };
        mqtt.send(&Packet::Connect(Connect {
            level: Level::V5,
            clean: true,
            keep_alive_s: 60,
            properties: PropertyList::default(),
            client_id: "",
            will: will.map(|(topic, payload, _)| Will {
                topic,
                payload: payload.as_bytes(),
                qos: Qos::AtMostOnce,
                retain: false,
                properties: PropertyList::of_written(&delay),
            }),
            user: Some("device"),
            password: Some(device.token.as_bytes()),
        }));
        assert_eq!(mqtt.code(2), 0, "CONNACK");
        mqtt
    }

    /// Publish at QoS 1; the reason of the answer.
    ///
    /// # Panics
    /// Without an answer.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) -> u8 {
        self.last_id += 1;
        let (id, qos, properties) = (self.last_id, Qos::AtLeastOnce, PropertyList::default());
        self.send(&Packet::Publish(Publish { dup: false, qos, retain: false, topic, id, properties, payload }));
        self.code(4)
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let mut out = Vec::new();
        packet.write(Level::V5, &mut out);
        self.stream.write_all(&out).expect("the connection stands");
    }

    /// Wait for the next packet of this kind; its code.
    fn code(&mut self, kind: u8) -> u8 {
        loop {
            while let Ok(Cut::Packet { packet, used }) = cut(&self.received, usize::MAX) {
                let code = match decode(Level::V5, Sender::Server, packet).expect("a packet of a server") {
                    Packet::Connack(it) if kind == 2 => Some(it.code),
                    Packet::Puback(it) if kind == 4 && it.id == self.last_id => Some(it.reason.code()),
                    _ => None,
                };
                self.received.drain(..used);
                if let Some(code) = code {
                    return code;
                }
            }
            let mut bytes = [0; 4_096];
            let got = self.stream.read(&mut bytes).expect("an answer in time");
            assert!(got > 0, "closed after {:?}", self.received);
            self.received.extend_from_slice(&bytes[..got]);
        }
    }
}
