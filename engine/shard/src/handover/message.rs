//! What the two processes of a hand-over say to each other: length (4 bytes, of what follows), kind (1), fields.
//! Descriptors travel beside a message, in the order of what it lists.

use std::fmt;

use linchpin_protocol::pack::{PackReader, Unreadable, put_bytes};

use crate::limits::{BATCH_CONNECTIONS, FREIGHT_BYTES, HANDOVER_LISTENERS, HANDOVER_MESSAGE_BYTES};

/// The newest format of messages and freights that this version writes.
pub const FORMAT: u16 = 1;
/// The oldest one that it reads and writes.
pub const OLDEST_FORMAT: u16 = 1;
/// Length of the longest text, bytes.
const TEXT_BYTES: usize = 4_096;
/// In front of the first message: whoever inherits another socket by mistake hears it at once.
const MAGIC: [u8; 8] = *b"linchpin";

/// Formats that a version reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatRange {
    /// The oldest.
    pub oldest: u16,
    /// The newest.
    pub newest: u16,
}

impl FormatRange {
    /// Those of this version.
    pub const OURS: Self = Self { oldest: OLDEST_FORMAT, newest: FORMAT };

    /// The newest that both have.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

/// A listener whose descriptor travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentListener {
    /// What it is for, as the engine numbers its doors.
    pub door: u8,
    /// The address as it was configured; port 0 where any would do.
    pub configured: String,
}

/// A message. A freight is bytes here: it has keys, and is wiped by who holds it.
#[derive(Clone, PartialEq, Eq)]
pub enum HandoverMessage {
    /// New: I live, and read these formats.
    Hello {
        /// Formats.
        formats: FormatRange,
        /// Version of the binary, for the log.
        version: String,
    },
    /// Old: we speak this one.
    Offer {
        /// The format.
        format: u16,
        /// Number of the attempt, for the operator.
        attempt: u64,
        /// Process id of the old one: if the socket closes and this is not the parent any more, it has died.
        old_pid: u32,
    },
    /// New: configuration, certificates and driver are good.
    Ready,
    /// Old: some of the listeners, with their descriptors.
    Listeners(Vec<SentListener>),
    /// Old: everything stands still and the store is closed.
    Stand,
    /// New: the store is open, the shards are loaded.
    Opened,
    /// Old: connections, with their descriptors.
    Batch(Vec<Vec<u8>>),
    /// New: what became of each: 0 taken, else the number of its end.
    Taken(Vec<u16>),
    /// Old: that was all.
    End {
        /// Connections of all batches.
        sent: u64,
    },
    /// New: as many came, and so many were taken.
    Complete {
        /// Connections that the new process goes on with.
        taken: u64,
    },
    /// Old: they are yours.
    Go {
        /// How long connections have stood still until now, ms.
        paused_ms: u64,
        /// Connections that could not go along.
        left: u64,
    },
    /// New: I serve.
    Running,
    /// New: it cannot be done.
    Failed {
        /// Why, for the operator.
        text: String,
    },
}

impl fmt::Debug for HandoverMessage {
    /// No freight is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(freights) => write!(f, "Batch({} connections)", freights.len()),
            Self::Failed { text } => write!(f, "Failed({text:?})"),
            other => f.write_str(other.name()),
        }
    }
}

impl HandoverMessage {
    /// Its name, for the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "Hello",
            Self::Offer { .. } => "Offer",
            Self::Ready => "Ready",
            Self::Listeners(_) => "Listeners",
            Self::Stand => "Stand",
            Self::Opened => "Opened",
            Self::Batch(_) => "Batch",
            Self::Taken(_) => "Taken",
            Self::End { .. } => "End",
            Self::Complete { .. } => "Complete",
            Self::Go { .. } => "Go",
            Self::Running => "Running",
            Self::Failed { .. } => "Failed",
        }
    }

    /// Descriptors that travel beside it.
    #[must_use]
    pub const fn descriptors(&self) -> usize {
        match self {
            Self::Listeners(listeners) => listeners.len(),
            Self::Batch(freights) => freights.len(),
            _ => 0,
        }
    }
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFault {
    /// Longer than [`HANDOVER_MESSAGE_BYTES`].
    TooLong {
        /// What its header says, bytes.
        len_bytes: usize,
    },
    /// It breaks the format.
    Unread(Unreadable),
}

impl fmt::Display for MessageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len_bytes } => {
                write!(f, "a message of {len_bytes} bytes, of {HANDOVER_MESSAGE_BYTES} at most")
            }
            Self::Unread(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for MessageFault {}

impl From<Unreadable> for MessageFault {
    fn from(why: Unreadable) -> Self {
        Self::Unread(why)
    }
}

/// Append a message.
pub fn write_message(out: &mut Vec<u8>, message: &HandoverMessage) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    match message {
        HandoverMessage::Hello { formats, version } => {
            out.push(1);
            out.extend_from_slice(&MAGIC);
            out.extend_from_slice(&formats.oldest.to_be_bytes());
            out.extend_from_slice(&formats.newest.to_be_bytes());
            put_bytes(out, version.as_bytes());
        }
        HandoverMessage::Offer { format, attempt, old_pid } => {
            out.push(2);
            out.extend_from_slice(&format.to_be_bytes());
            out.extend_from_slice(&attempt.to_be_bytes());
            out.extend_from_slice(&old_pid.to_be_bytes());
        }
        HandoverMessage::Ready => out.push(3),
        HandoverMessage::Listeners(listeners) => {
            out.push(4);
            out.extend_from_slice(&(listeners.len() as u32).to_be_bytes());
            for listener in listeners {
                out.push(listener.door);
                put_bytes(out, listener.configured.as_bytes());
            }
        }
        HandoverMessage::Stand => out.push(5),
        HandoverMessage::Opened => out.push(6),
        HandoverMessage::Batch(freights) => {
            out.push(7);
            out.reserve(freights.iter().map(|freight| freight.len() + 4).sum::<usize>() + 4);
            out.extend_from_slice(&(freights.len() as u32).to_be_bytes());
            freights.iter().for_each(|freight| put_bytes(out, freight));
        }
        HandoverMessage::Taken(ends) => {
            out.push(8);
            out.extend_from_slice(&(ends.len() as u32).to_be_bytes());
            ends.iter().for_each(|end| out.extend_from_slice(&end.to_be_bytes()));
        }
        HandoverMessage::End { sent } => {
            out.push(9);
            out.extend_from_slice(&sent.to_be_bytes());
        }
        HandoverMessage::Complete { taken } => {
            out.push(10);
            out.extend_from_slice(&taken.to_be_bytes());
        }
        HandoverMessage::Go { paused_ms, left } => {
            out.push(11);
            out.extend_from_slice(&paused_ms.to_be_bytes());
            out.extend_from_slice(&left.to_be_bytes());
        }
        HandoverMessage::Running => out.push(12),
        HandoverMessage::Failed { text } => {
            out.push(13);
            let cut = text.floor_char_boundary(TEXT_BYTES);
            put_bytes(out, &text.as_bytes()[..cut]);
        }
    }
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

/// Read the first message of `bytes`: it, and how many bytes it takes. `None`: it is not whole.
///
/// # Errors
/// It is no message; nothing more can be read.
pub fn read_message(bytes: &[u8]) -> Result<Option<(HandoverMessage, usize)>, MessageFault> {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(None) };
    let len_bytes = u32::from_be_bytes(*head) as usize;
    if len_bytes > HANDOVER_MESSAGE_BYTES {
        return Err(MessageFault::TooLong { len_bytes });
    }
    let Some(body) = bytes.get(4..4 + len_bytes) else { return Ok(None) };
    let mut from = PackReader::new(body);
    let message = read_body(&mut from)?;
    from.end("a message")?;
    Ok(Some((message, 4 + len_bytes)))
}

fn count(from: &mut PackReader<'_>, most: usize) -> Result<usize, Unreadable> {
    let count = from.u32()? as usize;
    if count <= most { Ok(count) } else { Err(Unreadable::new("a message", "a count")) }
}

fn read_body(from: &mut PackReader<'_>) -> Result<HandoverMessage, Unreadable> {
    Ok(match from.u8()? {
        1 => {
            if from.raw(MAGIC.len())? != MAGIC {
                return Err(Unreadable::new("a message", "what speaks"));
            }
            let formats = FormatRange { oldest: from.u16()?, newest: from.u16()? };
            HandoverMessage::Hello { formats, version: from.text(TEXT_BYTES)?.to_owned() }
        }
        2 => HandoverMessage::Offer { format: from.u16()?, attempt: from.u64()?, old_pid: from.u32()? },
        3 => HandoverMessage::Ready,
        4 => {
            let mut listeners = Vec::new();
            for _ in 0..count(from, HANDOVER_LISTENERS)? {
                listeners.push(SentListener { door: from.u8()?, configured: from.text(TEXT_BYTES)?.to_owned() });
            }
            HandoverMessage::Listeners(listeners)
        }
        5 => HandoverMessage::Stand,
        6 => HandoverMessage::Opened,
        7 => {
            let mut freights = Vec::new();
            for _ in 0..count(from, BATCH_CONNECTIONS)? {
                freights.push(from.bytes(FREIGHT_BYTES)?.to_vec());
            }
            HandoverMessage::Batch(freights)
        }
        8 => {
            let mut ends = Vec::new();
            for _ in 0..count(from, BATCH_CONNECTIONS)? {
                ends.push(from.u16()?);
            }
            HandoverMessage::Taken(ends)
        }
        9 => HandoverMessage::End { sent: from.u64()? },
        10 => HandoverMessage::Complete { taken: from.u64()? },
        11 => HandoverMessage::Go { paused_ms: from.u64()?, left: from.u64()? },
        12 => HandoverMessage::Running,
        13 => HandoverMessage::Failed { text: from.text(TEXT_BYTES)?.to_owned() },
        _ => return Err(Unreadable::new("a message", "its kind")),
    })
}
