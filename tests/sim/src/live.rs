//! A person's page on a live socket: it watches, writes, and remembers what it was told last.

use std::collections::BTreeMap;

use linchpin_protocol::live::{
    self, LiveAsk, LiveOutcome, LivePresence, LiveReport, LiveSelection, LiveValue, Subjects,
};
use linchpin_protocol::live::{WatchedPins, binary, json};
use linchpin_protocol::model::Pin;
use linchpin_protocol::ws::{self, Decoder, FrameKind, Piece, Role};

use crate::World;
use crate::driver::Conn;

/// See the module's page.
#[derive(Debug)]
pub struct Page {
    /// Its connection.
    pub conn: Conn,
    is_json: bool,
    head: Vec<u8>,
    /// Status of the answer to its request; 101: it is a live socket.
    pub status: Option<u16>,
    decoder: Decoder,
    message: Vec<u8>,
    /// All that it was told, in order, with the time.
    pub reports: Vec<(u64, LiveReport)>,
    /// Latest values by device and pin.
    pub values: BTreeMap<(u32, Pin), LiveValue>,
    /// Presence by device.
    pub presence: BTreeMap<u32, LivePresence>,
    /// Watches whose snapshot came, with their devices.
    pub snapshots: BTreeMap<u16, Vec<u32>>,
    /// What became of writes.
    pub wrote: BTreeMap<u32, (LiveOutcome, u16)>,
    /// The server said goodbye.
    pub is_closed: bool,
    /// Pings that it has not answered: a page that is gone answers none.
    pub answers_pings: bool,
}

impl Page {
    /// Ask for the live socket that was granted as this number.
    pub fn connect(world: &mut World, address: [u8; 4], number: usize, is_json: bool) -> Self {
        let conn = world.connect(address);
        let protocol = if is_json { live::JSON } else { live::BINARY };
        let head = format!(
            "GET /api/v1/live?{number} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: other, {protocol}\r\n\r\n"
        );
        world.send(conn, head.as_bytes());
        Self {
            conn,
            is_json,
            head: Vec::new(),
            status: None,
            decoder: Decoder::of_messages(Role::Client, is_json),
            message: Vec::new(),
            reports: Vec::new(),
            values: BTreeMap::new(),
            presence: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            wrote: BTreeMap::new(),
            is_closed: false,
            answers_pings: true,
        }
    }

    /// The same, and wait for its first report.
    ///
    /// # Panics
    /// When it does not become a live socket.
    pub fn open(world: &mut World, number: usize, is_json: bool) -> Self {
        let mut page = Self::connect(world, [127, 0, 0, 77], number, is_json);
        page.run(world, 100);
        assert_eq!(page.status, Some(101));
        assert!(matches!(page.reports.first(), Some((_, LiveReport::Hello { .. }))), "{:?}", page.reports);
        page
    }

    /// Say something.
    pub fn say(&self, world: &mut World, ask: &LiveAsk) {
        let mut message = Vec::new();
        let kind = if self.is_json {
            message.extend_from_slice(json::encode_ask(ask).to_string().as_bytes());
            FrameKind::Text
        } else {
            binary::encode_ask(ask, &mut message);
            FrameKind::Binary
        };
        let mut out = Vec::new();
        ws::client_frame(&mut out, kind, &message, [7, 1, 200, 0]);
        world.send(self.conn, &out);
    }

    /// Watch devices: values of these pins (none listed: all) and presence.
    pub fn watch(&self, world: &mut World, set: u16, devices: &[u32], pins: &[u8]) {
        let pins = if pins.is_empty() {
            WatchedPins::All
        } else {
            WatchedPins::Some(pins.iter().map(|pin| Pin::new_virtual(*pin)).collect())
        };
        let what = Subjects { values: true, presence: true, ..Subjects::default() };
        let select = LiveSelection::Devices(devices.to_vec());
        self.say(world, &LiveAsk::Watch { set, what, select, pins, every: Vec::new() });
    }

    /// Watch an organization and those below it.
    pub fn watch_org(&self, world: &mut World, set: u16, org: u32, what: Subjects) {
        let select = LiveSelection::Subtree { org, below: true };
        self.say(world, &LiveAsk::Watch { set, what, select, pins: WatchedPins::All, every: Vec::new() });
    }

    /// Write a value.
    pub fn write(&self, world: &mut World, request: u32, device: u32, pin: u8, value: &str) {
        let (pin, value) = (Pin::new_virtual(pin), LiveValue::Bytes(value.as_bytes().to_vec()));
        self.say(world, &LiveAsk::Write { request, device, pin, value });
    }

    /// Let time pass and read all the while.
    pub fn run(&mut self, world: &mut World, ms: u64) {
        let end = world.now_ms() + ms;
        while world.now_ms() < end {
            world.run_ms(10.min(end - world.now_ms()));
            self.read(world);
        }
    }

    /// Read what has come.
    pub fn read(&mut self, world: &mut World) {
        while let Some(segment) = world.read(self.conn) {
            if self.status.is_none() {
                self.head.extend_from_slice(&segment);
                let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                let rest = self.head.split_off(end + 4);
                let head = String::from_utf8_lossy(&self.head);
                self.status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
                if self.status == Some(101) {
                    assert!(head.contains("Sec-WebSocket-Protocol: linchpin.live."), "{head}");
                    self.frames(world, rest);
                }
            } else if self.status == Some(101) {
                self.frames(world, segment);
            }
        }
    }

    fn frames(&mut self, world: &mut World, mut segment: Vec<u8>) {
        let mut rest = segment.as_mut_slice();
        loop {
            let (piece, after) = self.decoder.next(rest).expect("the server keeps to the rules");
            match piece {
                Piece::Data(data) => {
                    self.message.extend_from_slice(data);
                    if self.decoder.is_at_end() {
                        let message = std::mem::take(&mut self.message);
                        self.take(world.now_ms(), &message);
                    }
                }
                Piece::Ping(payload) if self.answers_pings => {
                    let mut out = Vec::new();
                    ws::client_frame(&mut out, FrameKind::Pong, &payload, [1; 4]);
                    world.send(self.conn, &out);
                }
                Piece::Ping(_) => {}
                Piece::Close => self.is_closed = true,
                Piece::End => return,
            }
            rest = after;
        }
    }

    fn take(&mut self, now_ms: u64, message: &[u8]) {
        let report = if self.is_json { json::decode_report(message) } else { binary::decode_report(message) };
        let report = report.expect("the server keeps to its encoding");
        match &report {
            LiveReport::Values { rows } => {
                for row in rows {
                    self.values.insert((row.device, row.pin), row.value.clone());
                }
            }
            LiveReport::Presence { rows } => {
                for row in rows {
                    self.presence.insert(row.device, row.state);
                }
            }
            LiveReport::Snapshot { set, devices, .. } => drop(self.snapshots.insert(*set, devices.clone())),
            LiveReport::Wrote { request, outcome, code } => drop(self.wrote.insert(*request, (*outcome, *code))),
            _ => {}
        }
        self.reports.push((now_ms, report));
    }

    /// The latest value of a virtual pin as text; `None`: it was told none, or that there is none.
    #[must_use]
    pub fn value(&self, device: u32, pin: u8) -> Option<String> {
        let value = self.values.get(&(device, Pin::new_virtual(pin)))?.to_bytes()?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// Has it ended, one way or the other?
    #[must_use]
    pub fn is_over(&self, world: &World) -> bool {
        self.is_closed || world.is_over(self.conn)
    }
}
