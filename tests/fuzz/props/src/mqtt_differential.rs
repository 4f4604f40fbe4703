//! MQTT beside another implementation: what both accept means the same to both.

use linchpin_protocol::mqtt::{Level, Packet, PropertyList, RawPacket, decode};
use mqtt_proto::{v3, v5};

use crate::mqtt::{first, parse};

/// A packet without its properties, and those, each list in an order of its own.
fn apart(mut packet: Packet<'_>) -> (Packet<'_>, Vec<Vec<String>>) {
    let mut lists = Vec::new();
    let mut take = |list: &mut PropertyList<'_>| {
        let mut texts: Vec<_> = list.iter().map(|property| format!("{property:?}")).collect();
        texts.sort_unstable();
        lists.push(texts);
        *list = PropertyList::default();
    };
    match &mut packet {
        Packet::Connect(connect) => {
            take(&mut connect.properties);
            if let Some(will) = &mut connect.will {
                take(&mut will.properties);
            }
        }
        Packet::Connack(it) => take(&mut it.properties),
        Packet::Publish(it) => take(&mut it.properties),
        Packet::Puback(it) | Packet::Pubrec(it) | Packet::Pubrel(it) | Packet::Pubcomp(it) => take(&mut it.properties),
        Packet::Subscribe(it) => take(&mut it.properties),
        Packet::Suback { properties, .. }
        | Packet::Unsubscribe { properties, .. }
        | Packet::Unsuback { properties, .. } => take(properties),
        Packet::Disconnect(it) | Packet::Auth(it) => take(&mut it.properties),
        Packet::Pingreq | Packet::Pingresp => {}
    }
    (packet, lists)
}

/// The packet as the other writes it after it has read it; `None`: it does not take it.
fn rewritten(level: Level, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match level {
        // It writes the failure of a SUBACK as 3 instead of 0x80.
        Level::V4 if bytes[0] == 0x90 => return None,
        Level::V4 => v3::Packet::decode(bytes).ok()??.encode().ok()?.as_ref().to_vec(),
        Level::V5 => v5::Packet::decode(bytes).ok()??.encode().ok()?.as_ref().to_vec(),
    })
}

/// The version of a CONNECT is its own.
fn level_of(level: Level, raw: RawPacket<'_>) -> Level {
    match (raw.first >> 4, raw.body.get(6)) {
        (1, Some(5)) => Level::V5,
        (1, _) => Level::V4,
        _ => level,
    }
}

/// See the module's page.
pub fn mqtt_differential(input: &[u8]) {
    let (level, sender, mut stream) = parse(input);
    while let Some((raw, used)) = first(stream) {
        let level = level_of(level, raw);
        if let (Ok(packet), Some(other)) = (decode(level, sender, raw), rewritten(level, &stream[..used])) {
            let (again, _) = first(&other).expect("a whole packet");
            let read = decode(level, sender, again).map(apart);
            assert_eq!(read, Ok(apart(packet)), "{sender:?} {level:?}");
        }
        stream = &stream[used..];
    }
}
