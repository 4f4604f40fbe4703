//! The MQTT 3.1.1 client of one device, sans-IO. The codec is mqtt-proto's; here are its turns and their order.

use mqtt_proto::v3::{Connect, ConnectReturnCode, Header, Packet, Publish, Subscribe, SubscribeReturnCode};
use mqtt_proto::{Pid, QoS, QosPid, TopicFilter, TopicName, total_len};

use crate::limits::PACKET_BYTES;

/// How a device logs in.
#[derive(Clone, Copy)]
pub(crate) struct LoginNames<'a> {
    pub(crate) client_id: &'a str,
    /// Without a name there is no password either.
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    /// The broker may end the connection after one and a half of it without a packet.
    pub(crate) keep_alive_s: u16,
}

/// What a broker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The login is accepted.
    Accepted,
    /// What was asked for with SUBSCRIBE comes from now on.
    Subscribed,
    /// A value at QoS 1 arrived.
    Acknowledged { id: u16 },
    /// The answer to the so-many-th ping of this connection.
    Pong { turn: u32 },
    /// Somebody's value.
    Arrived { topic: String, payload: Vec<u8> },
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The login is refused.
    Refused(&'static str),
    /// The broker breaks the protocol, or sends what nobody asked for.
    Broken,
}

/// One client.
#[derive(Default)]
pub(crate) struct Client {
    /// The start of a packet whose rest has not come.
    carry: Vec<u8>,
    last_id: u16,
    pings: u32,
    pongs: u32,
}

/// What is carried may be anything; only its length is shown.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client {{ pings: {}, pongs: {}, carried_bytes: {} }}", self.pings, self.pongs, self.carry.len())
    }
}

const fn words(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Accepted => "accepted",
        ConnectReturnCode::UnacceptableProtocolVersion => "CONNACK 1, it does not speak MQTT 3.1.1",
        ConnectReturnCode::IdentifierRejected => "CONNACK 2, it does not take this client id; see mqtt.client_id",
        ConnectReturnCode::ServerUnavailable => "CONNACK 3, it is not available",
        ConnectReturnCode::BadUserNameOrPassword => "CONNACK 4, wrong user name or password; see --tokens",
        ConnectReturnCode::NotAuthorized => "CONNACK 5, this user name and password may not log in; see --tokens",
    }
}

fn put(packet: &Packet, out: &mut Vec<u8>) {
    // What can fail is a name beyond 65,535 bytes: templates and values are far below.
    if let Ok(bytes) = packet.encode() {
        out.extend_from_slice(bytes.as_ref());
    }
}

/// The first whole packet and its length. `None`: more bytes are needed.
fn first(bytes: &[u8]) -> Result<Option<(usize, Packet)>, Fault> {
    let len = match Header::decode(bytes) {
        Ok(header) => total_len(header.remaining_len as usize).map_err(|_| Fault::Broken)?,
        Err(error) if error.is_eof() => return Ok(None),
        Err(_) => return Err(Fault::Broken),
    };
    if len > PACKET_BYTES {
        return Err(Fault::Broken);
    }
    let Some(whole) = bytes.get(..len) else { return Ok(None) };
    match Packet::decode(whole) {
        Ok(Some(packet)) => Ok(Some((len, packet))),
        // The packet says that it is longer than it is.
        Ok(None) | Err(_) => Err(Fault::Broken),
    }
}

impl Client {
    /// A connection begins.
    pub(crate) fn start(&mut self, names: LoginNames<'_>, out: &mut Vec<u8>) {
        *self = Self::default();
        let mut connect = Connect::new(names.client_id.into(), names.keep_alive_s);
        connect.username = names.username.map(Into::into);
        connect.password = names.username.and(names.password).map(|text| text.as_bytes().to_vec().into());
        put(&connect.into(), out);
    }

    fn next_id(&mut self) -> Pid {
        // 0 is no id; a device never has 65,535 requests on their way.
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        Pid::try_from(self.last_id).unwrap_or_default()
    }

    /// Ask for what is published to a topic. An invalid one asks for nothing.
    pub(crate) fn subscribe(&mut self, filter: &str, out: &mut Vec<u8>) {
        if let Ok(filter) = TopicFilter::try_from(filter) {
            put(&Subscribe::new(self.next_id(), vec![(filter, QoS::Level0)]).into(), out);
        }
    }

    /// Send a value that nobody answers (QoS 0).
    pub(crate) fn tell(&mut self, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        self.publish(QosPid::Level0, topic, payload, out);
    }

    /// Send a value that the broker acknowledges (QoS 1); returns its id.
    pub(crate) fn confirm(&mut self, topic: &str, payload: &[u8], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id();
        self.publish(QosPid::Level1(id), topic, payload, out);
        id.value()
    }

    fn publish(&self, qos_pid: QosPid, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        if let Ok(topic) = TopicName::try_from(topic) {
            put(&Publish::new(qos_pid, topic, payload.to_vec().into()).into(), out);
        }
    }

    /// PINGREQ; returns which one of this connection it is.
    pub(crate) fn ping(&mut self, out: &mut Vec<u8>) -> u32 {
        put(&Packet::Pingreq, out);
        self.pings = self.pings.wrapping_add(1);
        self.pings
    }

    /// Take what came; answers are appended to `out`.
    pub(crate) fn on_bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>, on: &mut dyn FnMut(Said)) -> Result<(), Fault> {
        if self.carry.is_empty() {
            let used = self.take_all(bytes, out, on)?;
            self.carry.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(bytes);
        let used = self.take_all(&carry, out, on)?;
        carry.drain(..used);
        // An idle device keeps no buffer.
        self.carry = if carry.is_empty() { Vec::new() } else { carry };
        Ok(())
    }

    fn take_all(&mut self, bytes: &[u8], out: &mut Vec<u8>, on: &mut dyn FnMut(Said)) -> Result<usize, Fault> {
        let mut used = 0;
        while let Some((len, packet)) = first(&bytes[used..])? {
            used += len;
            self.take(packet, out, on)?;
        }
        Ok(used)
    }

    fn take(&mut self, packet: Packet, out: &mut Vec<u8>, on: &mut dyn FnMut(Said)) -> Result<(), Fault> {
        match packet {
            Packet::Connack(connack) if connack.code == ConnectReturnCode::Accepted => on(Said::Accepted),
            Packet::Connack(connack) => return Err(Fault::Refused(words(connack.code))),
            Packet::Suback(suback) => {
                if suback.topics.contains(&SubscribeReturnCode::Failure) {
                    return Err(Fault::Refused("SUBACK 128, this user may not listen to the topic; see mqtt.listen"));
                }
                on(Said::Subscribed);
            }
            Packet::Puback(id) => on(Said::Acknowledged { id: id.value() }),
            Packet::Pingresp => {
                self.pongs = self.pongs.wrapping_add(1);
                on(Said::Pong { turn: self.pongs });
            }
            Packet::Publish(publish) => {
                match publish.qos_pid {
                    QosPid::Level0 => {}
                    QosPid::Level1(id) => put(&Packet::Puback(id), out),
                    // The subscription asks for QoS 0.
                    QosPid::Level2(_) => return Err(Fault::Broken),
                }
                on(Said::Arrived { topic: publish.topic_name.to_string(), payload: publish.payload.to_vec() });
            }
            _ => return Err(Fault::Broken),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(client: &mut Client, bytes: &[u8]) -> (Vec<Said>, Vec<u8>, Result<(), Fault>) {
        let (mut said, mut out) = (Vec::new(), Vec::new());
        let result = client.on_bytes(bytes, &mut out, &mut |what| said.push(what));
        (said, out, result)
    }

    #[test]
    fn a_login_has_the_bytes_of_the_standard() {
        let (mut client, mut out) = (Client::default(), Vec::new());
        let names = LoginNames { client_id: "c1", username: Some("u"), password: Some("pw"), keep_alive_s: 40 };
        client.start(names, &mut out);
        assert_eq!(out, b"\x10\x15\x00\x04MQTT\x04\xc2\x00\x28\x00\x02c1\x00\x01u\x00\x02pw".as_slice());
        out.clear();
        client.start(LoginNames { username: None, ..names }, &mut out);
        assert_eq!(out, b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x28\x00\x02c1", "without a name no password");
        out.clear();
        client.subscribe("a/+", &mut out);
        assert_eq!(out, b"\x82\x08\x00\x01\x00\x03a/+\x00");
        out.clear();
        client.tell("a/1", b"23", &mut out);
        assert_eq!((client.confirm("a/1", b"24", &mut out), client.ping(&mut out)), (2, 1));
        assert_eq!(out, b"\x30\x07\x00\x03a/123\x32\x09\x00\x03a/1\x00\x0224\xc0\x00");
    }

    #[test]
    fn packets_are_found_however_they_are_cut() {
        let stream = b"\x20\x02\x00\x00\x90\x03\x00\x01\x00\x40\x02\x00\x07\xd0\x00\x30\x07\x00\x03a/123\xd0\x00";
        let expected = [
            Said::Accepted,
            Said::Subscribed,
            Said::Acknowledged { id: 7 },
            Said::Pong { turn: 1 },
            Said::Arrived { topic: "a/1".into(), payload: b"23".to_vec() },
            Said::Pong { turn: 2 },
        ];
        for step in 1..=stream.len() {
            let (mut client, mut all) = (Client::default(), Vec::new());
            for part in stream.chunks(step) {
                let (said, out, result) = heard(&mut client, part);
                assert!(result.is_ok() && out.is_empty());
                all.extend(said);
            }
            assert_eq!((all.as_slice(), client.carry.capacity()), (&expected[..], 0), "in steps of {step}");
        }
    }

    #[test]
    fn a_value_at_qos_1_is_acknowledged() {
        let (said, out, _) = heard(&mut Client::default(), b"\x32\x09\x00\x03a/1\x00\x0923");
        assert_eq!((said.len(), out.as_slice()), (1, &b"\x40\x02\x00\x09"[..]));
    }

    #[test]
    fn refusals_say_why_and_nonsense_ends_it() {
        for (bytes, words) in [(&b"\x20\x02\x00\x05"[..], "CONNACK 5"), (b"\x90\x03\x00\x01\x80", "SUBACK 128")] {
            let fault = heard(&mut Client::default(), bytes).2.expect_err("a refusal");
            assert!(matches!(fault, Fault::Refused(text) if text.contains(words)), "{fault:?}");
        }
        for bytes in [
            &b"\x00\x00"[..],
            b"\xf0\x00",
            // A topic longer than its packet; a length of 200 MB; QoS 2, and QoS 3.
            b"\x30\x04\x00\x09ab",
            b"\x30\xff\xff\xff\x7f",
            b"\x34\x07\x00\x03a/1\x00\x01",
            b"\x36\x07\x00\x03a/1\x00\x01",
            // What only clients send.
            b"\xc0\x00",
        ] {
            assert_eq!(heard(&mut Client::default(), bytes).2, Err(Fault::Broken), "{bytes:?}");
        }
    }
}
