//! A freight as bytes. Version of the whole in front, then the fields, then the layers, each in a section of its own.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use linchpin_protocol::blynk::Session;
use linchpin_protocol::http::ChunksSeen;
use linchpin_protocol::limits::{BRIDGES, HTTP_HEAD_BYTES};
use linchpin_protocol::model::DeviceId;
use linchpin_protocol::mqtt::MqttSession;
use linchpin_protocol::pack::{Pack, PackReader, Unreadable, put_bytes, put_pin, section};
use linchpin_protocol::ws::Decoder;
use linchpin_tls::Away;

use super::freight::{Cover, Footing, Freight, Spans};
use crate::TokenRight;
use crate::connection::outbound::WaitingFrame;
use crate::connection::{Announced, Exchange, Framing, Speech, gate};
use crate::limits::{CARRY_BYTES, FREIGHT_FRAMES, FREIGHT_UNSENT_BYTES, INFO_BYTES};

/// Of the fields. N - 1 and N - 2 are read, too, once there are such.
const VERSION: u8 = 1;
const NAME: &str = "a connection";

/// Kinds of sections that have no layer of their own.
const PLAIN: u8 = 0;
const PROXY: u8 = b'P';
const DUE: u8 = b'D';
const TLS: u8 = b'T';

fn unknown(why: &'static str) -> Unreadable {
    Unreadable::new(NAME, why)
}

impl Pack for Exchange {
    const NAME: &'static str = "an HTTP connection";
    const KIND: u8 = b'H';
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        // Others do not travel: `Shard::readiness`.
        let (verified, need) = match *self {
            Self::Reading { verified, need, .. } => (verified, need),
            _ => (false, 0),
        };
        out.push(u8::from(verified));
        out.extend_from_slice(&need.to_be_bytes());
    }

    fn read(version: u8, from: &mut PackReader<'_>) -> Result<Self, Unreadable> {
        if version != Self::VERSION {
            return Err(Unreadable::new(Self::NAME, "its version"));
        }
        Ok(Self::Reading { verified: from.flag()?, need: from.u32()?, seen: ChunksSeen::NONE })
    }
}

impl Speech {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            // A live socket does not travel: its page comes back by itself.
            Self::Unknown | Self::Live => section(out, PLAIN, 1, |_| {}),
            Self::Proxy => section(out, PROXY, 1, |_| {}),
            Self::Blynk(session, _) => session.pack(out),
            Self::Mqtt(session) => session.pack(out),
            Self::Http(exchange) => exchange.pack(out),
        }
    }

    fn unpack(from: &mut PackReader<'_>) -> Result<Self, Unreadable> {
        let (kind, _, _) = from.clone().section(NAME)?;
        Ok(match kind {
            Session::KIND => Self::Blynk(Session::unpack(from)?, Announced::default()),
            MqttSession::KIND => Self::Mqtt(MqttSession::unpack(from)?),
            Exchange::KIND => Self::Http(Exchange::unpack(from)?),
            PLAIN => empty(from, Self::Unknown)?,
            PROXY => empty(from, Self::Proxy)?,
            _ => return Err(unknown("what it speaks")),
        })
    }
}

impl Framing {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Stream => section(out, PLAIN, 1, |_| {}),
            Self::WebSocket(decoder) => decoder.pack(out),
        }
    }

    fn unpack(from: &mut PackReader<'_>) -> Result<Self, Unreadable> {
        match from.clone().section(NAME)?.0 {
            Decoder::KIND => Ok(Self::WebSocket(Box::new(Decoder::unpack(from)?))),
            PLAIN => empty(from, Self::Stream),
            _ => Err(unknown("its framing")),
        }
    }
}

impl Cover {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Off => section(out, PLAIN, 1, |_| {}),
            Self::Due { mutual } => section(out, DUE, 1, |out| out.push(u8::from(*mutual))),
            Self::Away(away) => section(out, TLS, 1, |out| away.pack(out)),
        }
    }

    fn unpack(from: &mut PackReader<'_>) -> Result<Self, Unreadable> {
        let (kind, version, mut inner) = from.section(NAME)?;
        match (kind, version) {
            (PLAIN, 1) => inner.end(NAME).map(|()| Self::Off),
            (DUE, 1) => {
                let mutual = inner.flag()?;
                inner.end(NAME).map(|()| Self::Due { mutual })
            }
            (TLS, 1) => {
                let bytes = inner.rest();
                Away::unpack(bytes).map(Self::Away).map_err(|_| unknown("its TLS session"))
            }
            _ => Err(unknown("its TLS")),
        }
    }
}

/// A section without anything in it.
fn empty<T>(from: &mut PackReader<'_>, it: T) -> Result<T, Unreadable> {
    let (_, version, inner) = from.section(NAME)?;
    if version == 1 { inner.end(NAME).map(|()| it) } else { Err(unknown("the version of a layer")) }
}

impl Freight {
    /// Write it down, raw keys included; the caller wipes `out`. What holds keys is written last, once there is room for
    /// it: no copy of them stays behind.
    pub fn pack(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let device = self.device().map_or(0, DeviceId::get);
        out.push(VERSION);
        out.extend_from_slice(&device.to_be_bytes());
        out.push(u8::from(self.footing == Footing::Serving));
        let ip = match self.peer.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        out.extend_from_slice(&ip.octets());
        out.extend_from_slice(&self.peer.port().to_be_bytes());
        let Spans { heard_ms, begun_ms, left_ms, paced_ms } = self.times;
        for number in [heard_ms, begun_ms, left_ms, paced_ms, self.frames] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for number in [self.heartbeat_s, self.buff_in] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.push(self.gate);
        for bytes in [&self.carry[..], &self.unsent, &self.firmware] {
            put_bytes(out, bytes);
        }
        out.extend_from_slice(&(self.waiting.len() as u32).to_be_bytes());
        for (pin, bytes) in &self.waiting {
            out.push(u8::from(pin.is_some()));
            pin.iter().for_each(|pin| put_pin(out, *pin));
            put_bytes(out, bytes);
        }
        out.push(self.bridges.len() as u8);
        for (pin, TokenRight { device, epoch }) in &self.bridges {
            out.push(*pin);
            out.extend_from_slice(&device.get().to_be_bytes());
            out.extend_from_slice(&epoch.to_be_bytes());
        }
        self.framing.pack(out);
        self.speech.pack(out);
        debug_assert!(out.len() - start <= crate::limits::FREIGHT_BYTES);
        if let Cover::Away(away) = &self.tls {
            out.reserve(away.packed_bytes() + 16);
        }
        self.tls.pack(out);
    }

    /// Read what [`Freight::pack`] wrote.
    ///
    /// # Errors
    /// It is of a newer version, damaged, or holds more than this version allows: end that connection.
    pub fn unpack(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut from = PackReader::new(bytes);
        let from = &mut from;
        if from.u8()? != VERSION {
            return Err(unknown("its version"));
        }
        let footing = match (DeviceId::new(from.u32()?), from.flag()?) {
            (Some(device), false) => Footing::Live(device),
            (None, true) => Footing::Serving,
            (None, false) => Footing::Opening,
            (Some(_), true) => return Err(unknown("where it stands")),
        };
        let mut ip = [0; 16];
        ip.copy_from_slice(from.raw(16)?);
        let peer = SocketAddr::new(Ipv6Addr::from(ip).to_canonical(), from.u16()?);
        let (heard_ms, begun_ms, left_ms, paced_ms) = (from.u32()?, from.u32()?, from.u32()?, from.u32()?);
        let (frames, heartbeat_s, buff_in, gate) = (from.u32()?, from.u16()?, from.u16()?, from.u8()?);
        if gate & !gate::ALL != 0 {
            return Err(unknown("its gate"));
        }
        let carry = from.bytes(CARRY_BYTES.max(HTTP_HEAD_BYTES))?.to_vec();
        let unsent = from.bytes(FREIGHT_UNSENT_BYTES)?.to_vec();
        let firmware = from.bytes(INFO_BYTES)?.into();
        let (waiting, bridges) = (read_waiting(from)?, read_bridges(from)?);
        let (framing, speech) = (Framing::unpack(from)?, Speech::unpack(from)?);
        let tls = Cover::unpack(from)?;
        from.end(NAME)?;
        let this = Self {
            peer,
            unsent,
            footing,
            tls,
            framing,
            speech,
            carry,
            waiting,
            bridges,
            firmware,
            times: Spans { heard_ms, begun_ms, left_ms, paced_ms },
            frames,
            heartbeat_s,
            buff_in,
            gate,
        };
        if this.fits() { Ok(this) } else { Err(unknown("its layers together")) }
    }

    /// Could a shard have made this? What stands where it does speaks what one there speaks, and has logged in.
    fn fits(&self) -> bool {
        match (&self.footing, &self.speech) {
            (Footing::Live(_), Speech::Blynk(session, _)) => session.is_live(),
            (Footing::Live(_), Speech::Mqtt(session)) => session.is_live() && !self.framing.is_websocket(),
            (Footing::Serving, Speech::Http(_)) => !self.framing.is_websocket(),
            (Footing::Opening, Speech::Unknown) => true,
            (Footing::Opening, Speech::Proxy) => matches!(self.tls, Cover::Off) && !self.framing.is_websocket(),
            _ => false,
        }
    }
}

fn read_waiting(from: &mut PackReader<'_>) -> Result<Vec<WaitingFrame>, Unreadable> {
    let count = from.u32()? as usize;
    if count > FREIGHT_FRAMES {
        return Err(unknown("the number of its frames"));
    }
    let mut waiting = Vec::new();
    for _ in 0..count {
        let pin = if from.flag()? { Some(from.pin()?) } else { None };
        waiting.push((pin, from.bytes(CARRY_BYTES)?.into()));
    }
    Ok(waiting)
}

fn read_bridges(from: &mut PackReader<'_>) -> Result<Vec<(u8, TokenRight)>, Unreadable> {
    let count = usize::from(from.u8()?);
    if count > BRIDGES {
        return Err(unknown("the number of its bridges"));
    }
    let mut bridges = Vec::new();
    for _ in 0..count {
        let pin = from.u8()?;
        let device = DeviceId::new(from.u32()?).ok_or(unknown("a device"))?;
        bridges.push((pin, TokenRight { device, epoch: from.u16()? }));
    }
    Ok(bridges)
}

#[cfg(test)]
mod tests;
