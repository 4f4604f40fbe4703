//! What a peer may ask, whatever wire it uses: where the protocols meet.

use crate::limits::DEFAULT_BUFF_IN_BYTES;
use crate::model::{Pin, PinKind, TemplateId, Token, UnixMillis, ValueRef};
use crate::{Fault, Status};

/// One request, checked as far as the wire goes. Borrows from the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Log in. Answered with OK, or with the status of a refusal and a close.
    Login {
        /// Who it says it is.
        token: Token,
        /// The peer used command 2: such clients read only the first frame of what arrives at once, so they get one
        /// frame a send.
        first_frame_only: bool,
    },
    /// Answered with OK.
    Ping,
    /// Set a pin. Not answered unless refused.
    Write {
        /// Which.
        pin: Pin,
        /// To what, 1 to `limits::MAX_VALUE_BYTES` bytes.
        value: ValueRef<'a>,
        /// The time of its group; `None`: now.
        at: Option<UnixMillis>,
    },
    /// Modes of pins, as `pin NUL mode NUL ...`. Devices do not send it in earnest; nothing is answered.
    PinMode {
        /// As on the wire, unchecked.
        pairs: &'a [u8],
    },
    /// Send the latest values of these pins, each as a write with the request's id.
    Sync(SyncPins<'a>),
    /// Change how pins are shown. Answered with OK.
    Property {
        /// Virtual pins, at least one.
        pins: PinList<'a>,
        /// A name of [`crate::model::is_known_property`].
        name: &'a str,
        /// The new value or values, not empty.
        values: ValueRef<'a>,
    },
    /// An event happened.
    EventLog {
        /// Its code, not empty.
        code: &'a str,
        /// More about it, not empty.
        description: Option<&'a str>,
    },
    /// An event is resolved.
    EventClear {
        /// Its code, not empty.
        code: &'a str,
        /// All open ones of this code, not only the most recent.
        all: bool,
    },
    /// What the device says about itself. Answered with OK.
    Info(InfoPairs<'a>),
    /// What time is it? See [`crate::blynk::internal::clock_answer`].
    Clock(ClockQuery),
    /// Read a field of the device's metadata. See [`crate::blynk::internal::meta_answer`].
    MetaGet {
        /// The field's name, not empty.
        name: &'a str,
    },
    /// Write a field of the device's metadata. Answered with OK.
    MetaSet {
        /// The field's name, not empty.
        name: &'a str,
        /// Its value; may be empty.
        value: &'a str,
    },
    /// From now on `slot` stands for the device with this token. Answered with OK.
    BridgeInit {
        /// The peer's name for it.
        slot: u8,
        /// The target's token.
        token: Token,
    },
    /// Set a pin of the device that `slot` stands for. Not answered unless refused.
    BridgeWrite {
        /// See [`Action::BridgeInit`].
        slot: u8,
        /// The target's pin.
        pin: Pin,
        /// To what.
        value: ValueRef<'a>,
    },
    /// A notification whose body is in order. Without such a channel the answer is [`Channel::refusal`].
    Notify {
        /// The way that it should take.
        channel: Channel,
    },
    /// The device's answer to something. Its id is not reliable: some libraries answer with an id of their own.
    Answer {
        /// The number as received; see [`Status::from_code`].
        status: u16,
    },
    /// Legal, and nothing to do: no answer.
    Nothing,
}

/// Ways of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A mail.
    Email,
    /// A push notification to the owner's phone.
    Push,
    /// A post.
    Tweet,
    /// A short message.
    Sms,
}

impl Channel {
    /// What a server answers that does not have the channel.
    #[must_use]
    pub const fn refusal(self) -> Status {
        match self {
            Self::Email => Status::NotAllowed,
            Self::Push | Self::Tweet | Self::Sms => Status::NotificationNotAuthorized,
        }
    }
}

/// What a device wants to know about time and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockQuery {
    /// `rtc`: Unix seconds, shifted to local time.
    Rtc,
    /// `utc time`: Unix ms.
    Time,
    /// `utc iso`: local time with offset, ISO 8601.
    Iso,
    /// `utc tz`: offsets of zone and summer time, minutes.
    Tz,
    /// `utc tz_name`: the zone's name.
    TzName,
    /// `utc tz_rule`: the zone's rule, POSIX.
    TzRule,
    /// `utc dst_next`: the next two changes of the offset.
    DstNext,
}

/// Which pins to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPins<'a> {
    /// All whose datastream says so.
    All,
    /// These, whatever their datastream says; those without a value are skipped silently.
    Listed(PinList<'a>),
}

/// Pins as a frame lists them: checked, not copied. Empty fields are skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PinList<'a> {
    kind: PinKind,
    fields: &'a [u8],
}

impl<'a> PinList<'a> {
    /// Check NUL-joined pin numbers.
    ///
    /// # Errors
    /// When a field is neither empty nor a pin of this kind, or when there are more than `limit`.
    pub(crate) fn parse(kind: PinKind, fields: &'a [u8], limit: usize) -> Result<Self, PinListError> {
        let mut count = 0;
        for field in fields.split(|byte| *byte == 0).filter(|field| !field.is_empty()) {
            Pin::parse(kind.letter(), field).ok_or(PinListError::NotAPin)?;
            count += 1;
        }
        if count > limit { Err(PinListError::TooMany) } else { Ok(Self { kind, fields }) }
    }

    /// The pins, in the frame's order.
    pub fn iter(&self) -> impl Iterator<Item = Pin> + Clone + use<'a> {
        let kind = self.kind;
        self.fields.split(|byte| *byte == 0).filter_map(move |field| Pin::parse(kind.letter(), field))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// None at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl std::fmt::Debug for PinList<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Why a list of pins is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PinListError {
    NotAPin,
    TooMany,
}

/// What a device says about itself: keys and values in any order, NUL-joined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InfoPairs<'a>(&'a [u8]);

impl<'a> InfoPairs<'a> {
    /// Read pairs out of these bytes: a body of INTERNAL, or what was stored of one.
    #[must_use]
    pub const fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// The bytes as they came.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.0
    }

    /// The pairs that are UTF-8 and whose key is not empty, in the order of the frame. A last key alone has an empty
    /// value.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut fields = self.0.split(|byte| *byte == 0);
        std::iter::from_fn(move || {
            let key = fields.next()?;
            Some((key, fields.next().unwrap_or_default()))
        })
        .filter_map(|(key, value)| Some((std::str::from_utf8(key).ok()?, std::str::from_utf8(value).ok()?)))
        .filter(|(key, _)| !key.is_empty())
    }

    /// The value of the first pair with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        // Keys are compared as bytes: only the value that is asked for is looked at as text.
        let (mut rest, mut is_last) = (self.0, false);
        while !is_last {
            let found = field(&mut rest, &mut is_last);
            let value = field(&mut rest, &mut is_last);
            if found == key.as_bytes()
                && !key.is_empty()
                && let Ok(text) = std::str::from_utf8(value)
            {
                return Some(text);
            }
        }
        None
    }

    /// `h-beat`: seconds between pings of the device, as it says; not 0.
    #[must_use]
    pub fn heartbeat_s(&self) -> Option<u32> {
        self.get("h-beat")?.parse().ok().filter(|seconds| *seconds > 0)
    }

    /// `buff-in`: the device takes bodies shorter than this, bytes; not 0.
    #[must_use]
    pub fn buff_in(&self) -> Option<usize> {
        self.get("buff-in")?.parse().ok().filter(|bytes| *bytes > 0)
    }

    /// As [`InfoPairs::buff_in`], with the default for a device that does not say.
    #[must_use]
    pub fn buff_in_or_default(&self) -> usize {
        self.buff_in().unwrap_or(DEFAULT_BUFF_IN_BYTES)
    }

    /// `tmpl`: the template that the firmware was made for; an empty one counts as none.
    ///
    /// # Errors
    /// [`Fault::TemplateIdShape`]: it names one that cannot be, so it cannot be the device's either.
    pub fn template(&self) -> Result<Option<TemplateId>, Fault> {
        match self.get("tmpl").filter(|text| !text.is_empty()) {
            Some(text) => TemplateId::parse(text.as_bytes()).map(Some),
            None => Ok(None),
        }
    }

    /// Version of the firmware: `mcu`, `fw` or, of a network co-processor alone, `ncp`.
    #[must_use]
    pub fn firmware(&self) -> Option<&'a str> {
        ["mcu", "fw", "ncp"].iter().find_map(|key| self.get(key))
    }

    /// Version of the Blynk library: `blynk`, before 1.4 `ver`.
    #[must_use]
    pub fn library(&self) -> Option<&'a str> {
        ["blynk", "ver"].iter().find_map(|key| self.get(key))
    }
}

/// Take the next field off; fields end at a zero byte. Eight bytes are looked at at once: every login asks for three.
fn field<'a>(rest: &mut &'a [u8], is_last: &mut bool) -> &'a [u8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let bytes = *rest;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(|left| left.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let zeros = word.wrapping_sub(ONES) & !word & HIGHS;
        if zeros != 0 {
            let end = at + (zeros.trailing_zeros() / 8) as usize;
            *rest = &bytes[end + 1..];
            return &bytes[..end];
        }
        at += 8;
    }
    let left = &bytes[at..];
    match left.iter().position(|byte| *byte == 0) {
        Some(zero) => {
            *rest = &left[zero + 1..];
            &bytes[..at + zero]
        }
        None => {
            (*rest, *is_last) = (&[], true);
            bytes
        }
    }
}

impl std::fmt::Debug for InfoPairs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_in_any_order() {
        let pairs = InfoPairs::new(
            b"mcu\x000.1.0\0fw-type\0TMPL1\0blynk\x001.4.0\0h-beat\x0050\0buff-in\x001024\0tmpl\0TMPL1\0",
        );
        assert_eq!((pairs.heartbeat_s(), pairs.buff_in()), (Some(50), Some(1024)));
        assert_eq!((pairs.firmware(), pairs.library()), (Some("0.1.0"), Some("1.4.0")));
        assert_eq!(pairs.template(), TemplateId::parse(b"TMPL1").map(Some));
        assert_eq!(pairs.iter().count(), 6);
    }

    #[test]
    fn absent_and_unreadable_values_are_none() {
        let pairs = InfoPairs::new(b"ver\x000.5.4\0h-beat\0soon\0buff-in\x000\0dev");
        assert_eq!((pairs.heartbeat_s(), pairs.buff_in(), pairs.firmware()), (None, None, None));
        assert_eq!(pairs.buff_in_or_default(), DEFAULT_BUFF_IN_BYTES);
        assert_eq!((pairs.library(), pairs.get("dev"), pairs.get("De")), (Some("0.5.4"), Some(""), None));
        assert_eq!(pairs.template(), Ok(None));
        let wrong = InfoPairs::new(b"tmpl\0TMPL 1");
        assert_eq!(wrong.template(), Err(Fault::TemplateIdShape { len_bytes: 6 }));
        assert_eq!(InfoPairs::new(b"\xff\0a\0b\0c\0\0d").iter().collect::<Vec<_>>(), [("b", "c")]);
    }

    #[test]
    fn pin_lists_skip_empty_fields_and_refuse_others() {
        let list = PinList::parse(PinKind::Virtual, b"1\x002\0\0V255\0", 3).expect("three pins");
        assert_eq!(list.iter().map(|pin| pin.index).collect::<Vec<_>>(), [1, 2, 255]);
        assert_eq!((list.len(), list.is_empty()), (3, false));
        assert_eq!(PinList::parse(PinKind::Virtual, b"1\x002", 1), Err(PinListError::TooMany));
        assert_eq!(PinList::parse(PinKind::Virtual, b"1\x00256", 9), Err(PinListError::NotAPin));
        assert!(PinList::parse(PinKind::Analog, b"", 0).is_ok_and(|list| list.is_empty()));
    }
}
