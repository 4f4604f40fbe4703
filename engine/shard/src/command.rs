//! What the control plane asks of a shard, and the answers.

use linchpin_protocol::http::{AssetTable, Reply};
use linchpin_protocol::model::{DeviceId, OrgId, Pin, Template, TemplateId};

use crate::device::verbs::Refused;
use crate::live::Revocation;
use crate::{AwaitedAnswer, ConnRef, Digest, End, EventId, FieldAsk, Intake, Restored, Settings, TokenRight};

/// The asker's number; comes back with the [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// Something the server itself does with a device: an order that is sent to it, or a verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// `HARDWARE vw|dw|aw`: set a pin. Also becomes the latest value.
    Write {
        /// The pin.
        pin: Pin,
        /// Raw value.
        value: Box<[u8]>,
    },
    /// `INTERNAL ota url`: fetch and install firmware.
    Ota {
        /// Where from, http or https.
        url: Box<str>,
    },
    /// Log an event, as the device does.
    Event {
        /// Its code.
        code: Box<str>,
        /// What is said of it; may be empty.
        description: Box<str>,
    },
    /// Set how a pin is shown.
    Property {
        /// The pin.
        pin: Pin,
        /// The property's name.
        name: Box<str>,
        /// Raw value.
        value: Box<[u8]>,
    },
    /// Points of one pin with times of their own: all of them or none.
    Points {
        /// The pin.
        pin: Pin,
        /// Unix ms and raw value.
        points: Vec<(u64, Box<[u8]>)>,
    },
    /// `INTERNAL dbg reboot`.
    Reboot,
    /// `downlink/reconfigure`: go to the setup of Wi-Fi. The Blynk wire has no such order.
    Reconfigure,
    /// `downlink/ping` at QoS 1: its answer shows that the device is there. No PING is ever sent by the Blynk wire.
    Ping,
    /// `DEBUG_PRINT` text, or `downlink/diag`.
    Debug {
        /// The text.
        text: Box<str>,
    },
}

/// One question or order. Every command with a [`RequestId`] is answered exactly once, in the same call of `handle`;
/// [`Command::Tap`] goes on to be answered.
#[derive(Debug)]
pub enum Command {
    /// Add or replace a template (to every shard).
    PutTemplate(Box<Template>),
    /// Add a device, or say anew what is known of it (to its home). Answered by nothing: given at start and at each change.
    AddDevice {
        /// The device.
        device: DeviceId,
        /// Its organization.
        org: OrgId,
        /// Its template, if it has one; must be known.
        template: Option<TemplateId>,
        /// Which of its tokens is the last one: see [`Command::Revoke`].
        token_epoch: u16,
    },
    /// Add an index entry (to the digest's owner).
    IndexToken {
        /// Keyed digest of the device's token.
        digest: Digest,
        /// The device, and which of its tokens it is.
        right: TokenRight,
    },
    /// What the store has of a device (to its home, after [`Command::AddDevice`]). Answered by nothing.
    Restore {
        /// The device.
        device: DeviceId,
        /// What it had.
        restored: Box<Restored>,
    },
    /// All values of the last run have come: reads that waited for them are answered. Answered by nothing.
    Replayed,
    /// What the store takes from now on. Answered by nothing.
    Intake(Intake),
    /// What was found in history, for a connection of this shard. Answered by nothing.
    HistoryAnswer {
        /// The connection that waits.
        asker: ConnRef,
        /// The answer.
        reply: Box<Reply>,
    },
    /// What the store knows of a device, for a connection of this shard. Answered by nothing.
    FieldAnswer {
        /// What was asked.
        ask: FieldAsk,
        /// What there is.
        value: Option<Box<str>>,
    },
    /// All that was handed over before an answer is committed, or could not be. Answered by nothing.
    Stored {
        /// The answer, for a connection of this shard.
        answer: AwaitedAnswer,
        /// Is it?
        is_stored: bool,
    },
    /// New settings (reload); open connections go on with what they were admitted with.
    Configure(Box<Settings>),
    /// Other files of the browser application (while it is being changed). Answered by nothing.
    Assets(AssetTable),
    /// What a shard holds and counts.
    Status(RequestId),
    /// The latest ends of connections, newest first.
    Diary {
        /// Where to answer.
        request: RequestId,
        /// Only those of this device, which lives here; `None`: of everybody.
        device: Option<DeviceId>,
        /// At most this many.
        limit: u32,
    },
    /// Show the frames of a device as they come and go: answered at once, then with [`Report::Frame`] for each.
    Tap {
        /// Where to answer.
        request: RequestId,
        /// The device; this shard is its home.
        device: DeviceId,
        /// For how long at most, 1 to `limits::TAP_S`.
        seconds: u32,
    },
    /// Stop showing them. Answered by nothing.
    Untap(RequestId),
    /// Remove a device (from its home) and end its connection.
    RemoveDevice {
        /// Where to answer.
        request: RequestId,
        /// The device.
        device: DeviceId,
    },
    /// What lists need of some devices that live here, at most `limits::LIST_ROWS`: answered by [`Report::Glances`].
    Glance {
        /// Where to answer.
        request: RequestId,
        /// The devices, each with the pin whose latest value is wanted; `None`: the first that has one.
        devices: Vec<(DeviceId, Option<Pin>)>,
    },
    /// The same of all devices that live here, in the order of their ids: at most `limit` with ids above `after`.
    GlanceAbove {
        /// Where to answer.
        request: RequestId,
        /// Only ids above this one; 0 = from the first.
        after: u32,
        /// At most this many rows.
        limit: u32,
    },
    /// The same of those that have come, gone or been described anew since this was last asked, by whoever it was.
    GlanceChanged {
        /// Where to answer.
        request: RequestId,
        /// At most this many rows.
        limit: u32,
    },
    /// Set fields of a device's metadata, or remove those without a value: all of them or none.
    Describe {
        /// Where to answer.
        request: RequestId,
        /// The device; this shard is its home.
        device: DeviceId,
        /// Name and value.
        fields: Vec<(Box<str>, Option<Box<str>>)>,
    },
    /// Forget what a device has reported: latest values and open events. It goes on as it is.
    ForgetReports {
        /// Where to answer.
        request: RequestId,
        /// The device; this shard is its home.
        device: DeviceId,
    },
    /// Answered once the store has all that the device wrote before it belonged to this organization:
    /// [`Report::NoSuchDevice`] if it does not yet.
    Settle {
        /// Where to answer.
        request: RequestId,
        /// The device; this shard is its home.
        device: DeviceId,
        /// Whose it is now.
        org: OrgId,
    },
    /// An event was resolved by a person: forget that it is open.
    ForgetEvent {
        /// Where to answer.
        request: RequestId,
        /// The device; this shard is its home.
        device: DeviceId,
        /// Which event.
        id: EventId,
    },
    /// Tokens of a device before this one are good no more (to its home): its connection ends, and what is still under way
    /// with such a token is refused. When this is answered nothing that came with one is accepted any more.
    Revoke {
        /// Where to answer.
        request: RequestId,
        /// The device.
        device: DeviceId,
        /// Which of its tokens is the first that is good.
        token_epoch: u16,
    },
    /// Remove an index entry (from the digest's owner). Answered by nothing.
    UnindexToken(Digest),
    /// Rows of the devices that live here, ordered by id: at most `limit` with ids above `after`.
    Devices {
        /// Where to answer.
        request: RequestId,
        /// Only ids above this one; 0 = from the first.
        after: u32,
        /// At most this many rows.
        limit: u32,
    },
    /// One device with its latest values.
    Device {
        /// Where to answer.
        request: RequestId,
        /// The device; this shard is its home.
        device: DeviceId,
    },
    /// Send something to a device.
    Push {
        /// Where to answer.
        request: RequestId,
        /// The device; this shard is its home.
        device: DeviceId,
        /// What to send.
        push: Push,
    },
    /// Rights have ended (to every shard): live sockets that had them end before the answer.
    RevokeRights {
        /// Where to answer.
        request: RequestId,
        /// Whose, and which.
        revocation: Revocation,
    },
    /// Stop taking logins and end all connections, at most `per_second` of them a second; devices that understand it
    /// are told where to go first.
    Drain {
        /// Host and port for CONNECT_REDIRECT; `None` = close only.
        redirect: Option<(Box<str>, u16)>,
        /// Pace; at least 1.
        per_second: u32,
    },
    /// Write the wills that wait for their delay: this process ends, and connections stay.
    WriteWills,
    /// Take a drain back: what is left stays, and logins are taken again.
    Undrain,
}

impl Command {
    /// The request of a command whose answer comes behind all that the shard has said to the store until then: whoever
    /// asked erases or moves there what the device wrote.
    #[must_use]
    pub const fn fenced(&self) -> Option<RequestId> {
        match self {
            Self::RemoveDevice { request, .. } | Self::ForgetReports { request, .. } | Self::Settle { request, .. } => {
                Some(*request)
            }
            _ => None,
        }
    }
}

/// The answer to a [`Command`].
#[derive(Debug)]
pub enum Report {
    /// Done; for `Push`: handed to the connection.
    Done,
    /// The id is not known here.
    NoSuchDevice,
    /// The device is not connected; a pin value was stored and will be there at its next sync.
    Offline,
    /// It was not carried out.
    Rejected(Refused),
    /// The device announced a receive buffer that is too small for it; nothing was sent.
    TooLarge {
        /// The announced size, bytes.
        buff_in: u16,
    },
    /// There are too many of these already.
    TooMany {
        /// So many may be.
        limit: usize,
    },
    /// Answer to `Diary`.
    Diary(Vec<DiaryEntry>),
    /// A frame of a tapped device.
    Frame(Box<TappedFrame>),
    /// Answer to `Status`.
    Status(Box<ShardStatus>),
    /// Answer to `Devices`.
    Devices(Vec<DeviceRow>),
    /// Answer to `Device`.
    Device(Box<DeviceView>),
    /// Answer to `Glance`, `GlanceAbove` and `GlanceChanged`.
    Glances {
        /// A row a device.
        rows: Vec<DeviceGlance>,
        /// There are more: ask again.
        is_more: bool,
        /// Changes were lost: all devices must be looked at.
        has_lost: bool,
    },
}

/// What a list of devices needs of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceGlance {
    /// The device.
    pub id: DeviceId,
    /// It has a connection that is logged in.
    pub is_online: bool,
    /// When it came or went, Unix seconds; 0 = not since the start.
    pub since_s: u64,
    /// When it was last heard, Unix seconds; 0 = not since the start.
    pub seen_s: u64,
    /// How its previous connection ended.
    pub last_end: Option<End>,
    /// The template that its firmware names.
    pub named: Option<TemplateId>,
    /// Metadata: name, value.
    pub metadata: Vec<(Box<str>, Box<str>)>,
    /// A latest value with its pin, and when it was written, Unix ms; only in answers to `Glance`.
    pub value: Option<(Pin, Box<[u8]>, u64)>,
}

/// An ended connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiaryEntry {
    /// When it ended, Unix seconds.
    pub at_s: u64,
    /// How long it had stood, s.
    pub lasted_s: u32,
    /// Frames that it had brought.
    pub frames: u32,
    /// The device, if it had logged in.
    pub device: Option<DeviceId>,
    /// The peer.
    pub peer: std::net::SocketAddr,
    /// Why it ended.
    pub end: End,
    /// What the firmware had said of itself.
    pub firmware: Vec<(Box<str>, Box<str>)>,
}

/// A frame of a tapped device, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TappedFrame {
    /// To the device, not from it.
    pub is_sent: bool,
    /// A packet of MQTT, not a frame.
    pub is_mqtt: bool,
    /// Command number, or the first byte of a packet.
    pub command: u8,
    /// Message id; 0 for a packet.
    pub id: u16,
    /// Status of a RESPONSE, else the length of the body.
    pub status_or_len: u16,
    /// The body, at most `limits::TAPPED_BODY_BYTES` of it.
    pub body: Box<[u8]>,
}

/// A line of a device list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// The device.
    pub id: DeviceId,
    /// Its template.
    pub template: Option<TemplateId>,
    /// Has a logged-in connection.
    pub online: bool,
    /// When it was last heard, Unix seconds; 0 = never since the start.
    pub last_seen_s: u64,
}

/// Everything a shard knows of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// The list's line.
    pub row: DeviceRow,
    /// Away, and still shown as online: the wait of its template is not over.
    pub absent: bool,
    /// Latest values in the order of their pins: pin, raw value, Unix ms of the write.
    pub values: Vec<(Pin, Box<[u8]>, u64)>,
    /// Properties: pin, name, raw value.
    pub properties: Vec<(Pin, Box<str>, Box<[u8]>)>,
    /// Metadata: name, value.
    pub metadata: Vec<(Box<str>, Box<str>)>,
    /// The key/value pairs of the device's INTERNAL info.
    pub firmware: Vec<(Box<str>, Box<str>)>,
    /// Most recent events, oldest first: code, description, Unix ms.
    pub events: Vec<(Box<str>, Box<str>, u64)>,
    /// Peer address of the connection.
    pub peer: Option<std::net::SocketAddr>,
    /// How the previous connection ended.
    pub last_end: Option<End>,
}

impl DeviceView {
    /// Is it shown as online: it is, or it is away and its wait is not over (docs/decisions/0192)?
    #[must_use]
    pub const fn is_shown_online(&self) -> bool {
        self.row.online || self.absent
    }
}

/// What a shard holds and has counted since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardStatus {
    /// Connections in the table, in any state.
    pub connections: u64,
    /// Logged-in connections.
    pub online: u64,
    /// Devices that live here.
    pub devices: u64,
    /// Bytes that connections hold beyond their fixed structures.
    pub ledger_bytes: u64,
    /// Memory of the diary, bytes.
    pub diary_bytes: u64,
    /// Frames received from logged-in devices.
    pub frames: u64,
    /// The same by command number, only numbers that occurred.
    pub commands: Vec<(u8, u64)>,
    /// Logged-in connections that speak MQTT.
    pub online_mqtt: u64,
    /// Packets received from logged-in MQTT devices.
    pub packets: u64,
    /// Messages over MQTT that did nothing.
    pub declined: u64,
    /// Wills of MQTT devices that were written.
    pub wills: u64,
    /// Bytes of wills that wait for their delay.
    pub will_bytes: u64,
    /// Devices that are away and still shown as online: their template's wait is not over.
    pub absent: u64,
    /// HTTP requests.
    pub requests: u64,
    /// Requests that the control plane was asked to answer.
    pub asks: u64,
    /// Requests for it that were refused: of a foreign host, malformed, or too many.
    pub asks_refused: u64,
    /// Those under way, with files that are being written.
    pub asks_under_way: u64,
    /// Bytes that they hold.
    pub ask_bytes: u64,
    /// Live sockets.
    pub live_sockets: u64,
    /// Devices that they watch.
    pub live_watched: u64,
    /// Devices of this shard that are watched, counted once a watching shard.
    pub live_watchers: u64,
    /// Memory of live sockets and of what is known of the devices that they watch, bytes.
    pub live_bytes: u64,
    /// Times that a live socket was told something.
    pub live_flushes: u64,
    /// Frames that were not sent because the device's receive buffer is too small for them.
    pub unsendable: u64,
    /// Successful logins.
    pub logins: u64,
    /// TLS handshakes that were completed in full.
    pub handshakes_full: u64,
    /// TLS handshakes that continued an earlier session.
    pub handshakes_resumed: u64,
    /// TLS handshakes under way.
    pub handshakes_running: u64,
    /// Clients that wait for their TLS handshake to begin.
    pub handshakes_waiting: u64,
    /// Bytes of TLS records that wait for their rest.
    pub assembly_bytes: u64,
    /// Frames dropped by the message quota.
    pub dropped: u64,
    /// Connections that moved to another shard.
    pub moved_out: u64,
    /// No new connections are taken.
    pub draining: bool,
    /// Ended connections by end code, only codes that occurred, in the order of their codes.
    pub ends: Vec<(End, u64)>,
}
