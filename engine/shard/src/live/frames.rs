//! Reports as WebSocket frames, in the encoding of a socket.

use linchpin_protocol::limits::LIVE_MESSAGE_BYTES;
use linchpin_protocol::live::binary::{self, ValueRows};
use linchpin_protocol::live::{self, LiveAsk, LiveFault, LiveReport, LiveValue, ValueRow, json};
use linchpin_protocol::model::{DeviceId, Pin, ValueRef};
use linchpin_protocol::ws::{FrameKind, frame_header};

/// How a socket's messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveEncoding {
    /// `linchpin.live.1`.
    Binary,
    /// `linchpin.live.json.1`.
    Json,
}

impl LiveEncoding {
    /// The first one that a client offers and that is spoken here.
    pub(crate) fn offered(protocols: &str) -> Option<Self> {
        protocols.split(',').find_map(|protocol| match protocol.trim() {
            live::BINARY => Some(Self::Binary),
            live::JSON => Some(Self::Json),
            _ => None,
        })
    }

    /// Its subprotocol.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Binary => live::BINARY,
            Self::Json => live::JSON,
        }
    }

    pub(crate) fn read(self, message: &[u8]) -> Result<LiveAsk, LiveFault> {
        match self {
            Self::Binary => binary::decode_ask(message),
            Self::Json => json::decode_ask(message),
        }
    }
}

/// A latest value, to be written. `None`: the pin has none.
pub(super) type LatestRow<'a> = (DeviceId, Pin, u64, Option<&'a [u8]>);

/// Room in a message for what is not the value of a row: in JSON a byte may take six.
const ROW_BYTES: usize = 64;
const ESCAPED: usize = 6;

/// Writes frames for one socket.
#[derive(Debug)]
pub(super) struct LiveFrames {
    encoding: LiveEncoding,
    /// Whole frames.
    pub(super) out: Vec<u8>,
    message: Vec<u8>,
}

impl LiveFrames {
    pub(super) const fn new(encoding: LiveEncoding) -> Self {
        Self { encoding, out: Vec::new(), message: Vec::new() }
    }

    /// One report.
    pub(super) fn report(&mut self, report: &LiveReport) {
        self.message.clear();
        match self.encoding {
            LiveEncoding::Binary => binary::encode_report(report, &mut self.message),
            LiveEncoding::Json => self.message.extend_from_slice(json::encode_report(report).to_string().as_bytes()),
        }
        self.frame();
    }

    fn frame(&mut self) {
        let kind = match self.encoding {
            LiveEncoding::Binary => FrameKind::Binary,
            LiveEncoding::Json => FrameKind::Text,
        };
        frame_header(&mut self.out, kind, self.message.len());
        self.out.extend_from_slice(&self.message);
    }

    /// Latest values, in as many reports as it takes.
    pub(super) fn values<'a>(&mut self, rows: impl Iterator<Item = LatestRow<'a>>) {
        match self.encoding {
            LiveEncoding::Binary => self.binary_values(rows),
            LiveEncoding::Json => self.json_values(rows),
        }
    }

    fn binary_values<'a>(&mut self, rows: impl Iterator<Item = LatestRow<'a>>) {
        let mut gone = Vec::new();
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            self.message.clear();
            let mut report = ValueRows::begin(&mut self.message);
            while let Some((device, pin, at_ms, value)) = rows.peek() {
                let Some(value) = value else {
                    gone.push(ValueRow { device: device.get(), pin: *pin, at_ms: *at_ms, value: LiveValue::Nothing });
                    rows.next();
                    continue;
                };
                let is_full = report.len_bytes() + ROW_BYTES + value.len() > LIVE_MESSAGE_BYTES;
                if is_full || !report.push(device.get(), *pin, *at_ms, ValueRef(value)) {
                    break;
                }
                rows.next();
            }
            if report.finish() > 0 {
                self.frame();
            }
        }
        if !gone.is_empty() {
            self.report(&LiveReport::Values { rows: gone });
        }
    }

    fn json_values<'a>(&mut self, rows: impl Iterator<Item = LatestRow<'a>>) {
        let (mut report, mut bytes) = (Vec::new(), 0);
        for (device, pin, at_ms, value) in rows {
            let more = ROW_BYTES + value.map_or(0, |value| ESCAPED * value.len());
            if bytes + more > LIVE_MESSAGE_BYTES {
                self.report(&LiveReport::Values { rows: std::mem::take(&mut report) });
                bytes = 0;
            }
            bytes += more;
            let value = value.map_or(LiveValue::Nothing, |value| LiveValue::of(ValueRef(value)));
            report.push(ValueRow { device: device.get(), pin, at_ms, value });
        }
        if !report.is_empty() {
            self.report(&LiveReport::Values { rows: report });
        }
    }
}
