//! Bodies of the commands that a device sends, except INTERNAL.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till};
use nom::combinator::{eof, map_opt, opt, rest, verify};
use nom::number::complete::be_u8;
use nom::sequence::terminated;
use nom::{IResult, Parser};

use crate::action::PinListError;
use crate::limits::{
    MAX_EVENT_CODE_BYTES, MAX_EVENT_DESCRIPTION_CHARS, MAX_PINS_LISTED, MAX_PROPERTY_NAME_BYTES, MAX_PUSH_CHARS,
    MAX_SMS_CHARS, MAX_TWEET_CHARS, MAX_VALUE_BYTES,
};
use crate::model::{Pin, PinKind, Token, UnixMillis, ValueRef, is_known_property};
use crate::{Action, Channel, Fault, PinList, SyncPins};

use super::Command;

const NUL: &[u8] = b"\0";

/// A field, without the NUL behind it; the last one has none.
#[inline]
pub(super) fn field(input: &[u8]) -> IResult<&[u8], &[u8]> {
    terminated(take_till(|byte| byte == 0), opt(tag(NUL))).parse(input)
}

/// A field with a NUL behind it.
#[inline]
fn inner_field(input: &[u8]) -> IResult<&[u8], &[u8]> {
    terminated(take_till(|byte| byte == 0), tag(NUL)).parse(input)
}

/// A field that is UTF-8 and not empty.
#[inline]
pub(super) fn text_field(input: &[u8]) -> IResult<&[u8], &str> {
    map_opt(verify(field, |text: &[u8]| !text.is_empty()), |text| std::str::from_utf8(text).ok()).parse(input)
}

#[inline]
fn pin_kind(input: &[u8]) -> IResult<&[u8], PinKind> {
    map_opt(be_u8, PinKind::from_letter).parse(input)
}

/// `vw|dw|aw NUL pin NUL value`, all of it with something in it. The value runs to the end and may hold anything.
#[inline]
fn write_operation(input: &[u8]) -> IResult<&[u8], (Pin, ValueRef<'_>)> {
    let (input, kind) = terminated(pin_kind, tag(&b"w\0"[..])).parse(input)?;
    let (input, pin) = map_opt(inner_field, |text| Pin::parse(kind.letter(), text)).parse(input)?;
    let (input, value) = verify(rest, |value: &[u8]| !value.is_empty()).parse(input)?;
    Ok((input, (pin, ValueRef(value))))
}

/// The value that a parser found, if it found one.
pub(super) fn found<T>(result: IResult<&[u8], T>) -> Option<T> {
    result.ok().map(|(_, value)| value)
}

pub(super) const fn wrong_shape(command: Command, expected: &'static str) -> Fault {
    Fault::BodyShape { command, expected }
}

pub(super) const fn check_len(command: Command, part: &'static str, len: usize, limit: usize) -> Result<(), Fault> {
    if len > limit { Err(Fault::TextTooLong { command, part, len, limit }) } else { Ok(()) }
}

#[inline]
fn checked_value(value: ValueRef<'_>) -> Result<ValueRef<'_>, Fault> {
    let len_bytes = value.as_bytes().len();
    if len_bytes > MAX_VALUE_BYTES {
        return Err(Fault::ValueTooLong { len_bytes, limit_bytes: MAX_VALUE_BYTES });
    }
    Ok(value)
}

/// HARDWARE. Only writes do something: what else a device sends is an echo of the server's own questions.
#[inline]
pub(super) fn hardware(body: &[u8], at: Option<UnixMillis>) -> Result<Action<'_>, Fault> {
    const WRITE: &str = "vw, dw or aw, NUL, a pin from 0 to 255, NUL, a value";
    let wrong = wrong_shape(Command::Hardware, WRITE);
    match body {
        [] | [_] | [_, _] | [_, _, _] => Err(wrong),
        [b'p', b'm', 0, pairs @ ..] => Ok(Action::PinMode { pairs }),
        [_, b'w', ..] => {
            let (pin, value) = found(write_operation(body)).ok_or(wrong)?;
            Ok(Action::Write { pin, value: checked_value(value)?, at })
        }
        _ => Ok(Action::Nothing),
    }
}

/// HARDWARE_SYNC: nothing at all, or `vr|dr|ar` and pins.
pub(super) fn sync(body: &[u8]) -> Result<Action<'_>, Fault> {
    const COMMAND: Command = Command::Sync;
    let wrong = wrong_shape(COMMAND, "empty, or vr, dr or ar, NUL, and pins from 0 to 255 joined by NUL");
    if body.is_empty() {
        return Ok(Action::Sync(SyncPins::All));
    }
    let (pins, operation) = field(body).map_err(|_| wrong)?;
    let kind = match operation {
        // An empty pin asks for nothing, which is legal; no pin at all is no question.
        [letter, b'r'] if body.len() > 2 => PinKind::from_letter(*letter).ok_or(wrong)?,
        _ => return Err(wrong),
    };
    let pins = PinList::parse(kind, pins, MAX_PINS_LISTED).map_err(|error| pin_fault(error, COMMAND, wrong))?;
    Ok(Action::Sync(SyncPins::Listed(pins)))
}

fn pin_fault(error: PinListError, command: Command, wrong: Fault) -> Fault {
    match error {
        PinListError::NotAPin => wrong,
        PinListError::TooMany => Fault::TooManyPins { command, limit: MAX_PINS_LISTED },
    }
}

/// SET_WIDGET_PROPERTY: one or more pins, a name, one or more values. Names start with a letter, so the numbers in front
/// are the pins.
pub(super) fn property(body: &[u8]) -> Result<Action<'_>, Fault> {
    const COMMAND: Command = Command::Property;
    let wrong = wrong_shape(COMMAND, "pins from 0 to 255, the name of a property and its values, joined by NUL");
    let mut left = body;
    let is_number = |input: &[u8]| input.first().is_some_and(u8::is_ascii_digit);
    while is_number(left) {
        (left, _) = inner_field(left).map_err(|_| wrong)?;
    }
    let pins = &body[..body.len() - left.len()];
    let pins =
        PinList::parse(PinKind::Virtual, pins, MAX_PINS_LISTED).map_err(|error| pin_fault(error, COMMAND, wrong))?;
    let (values, name) = text_field(left).map_err(|_| wrong)?;
    if pins.is_empty() || values.is_empty() {
        return Err(wrong);
    }
    check_len(COMMAND, "name of the property", name.len(), MAX_PROPERTY_NAME_BYTES)?;
    if !is_known_property(name) {
        return Err(Fault::UnknownProperty);
    }
    Ok(Action::Property { pins, name, values: checked_value(ValueRef(values))? })
}

/// EVENT_LOG: a code and perhaps a description, which runs to the end.
pub(super) fn event_log(body: &[u8]) -> Result<Action<'_>, Fault> {
    const COMMAND: Command = Command::EventLog;
    let wrong = wrong_shape(COMMAND, "the code of an event, or the code, NUL and a description, in UTF-8");
    let (description, code) = text_field(body).map_err(|_| wrong)?;
    let description = std::str::from_utf8(description).map_err(|_| wrong)?;
    let description = description.strip_suffix('\0').unwrap_or(description);
    check_len(COMMAND, "code", code.len(), MAX_EVENT_CODE_BYTES)?;
    check_len(COMMAND, "description", description.chars().count(), MAX_EVENT_DESCRIPTION_CHARS)?;
    Ok(Action::EventLog { code, description: Some(description).filter(|text| !text.is_empty()) })
}

/// EVENT_CLEAR: a code and perhaps the word `all`.
pub(super) fn event_clear(body: &[u8]) -> Result<Action<'_>, Fault> {
    const COMMAND: Command = Command::EventClear;
    let wrong = wrong_shape(COMMAND, "the code of an event, or the code, NUL and the word all, in UTF-8");
    let (scope, code) = text_field(body).map_err(|_| wrong)?;
    check_len(COMMAND, "code", code.len(), MAX_EVENT_CODE_BYTES)?;
    let all = match found(field(scope)).unwrap_or_default() {
        b"" => false,
        b"all" => true,
        _ => return Err(wrong),
    };
    Ok(Action::EventClear { code, all })
}

/// The first field of BRIDGE: a number that stands for another device.
fn bridge_slot(input: &[u8]) -> IResult<&[u8], u8> {
    map_opt(inner_field, |text| Pin::parse(b'v', text).map(|pin| pin.index)).parse(input)
}

/// BRIDGE: `slot NUL i NUL token`, or a slot and a write.
pub(super) fn bridge(body: &[u8]) -> Result<Action<'_>, Fault> {
    const SHAPE: &str = "a bridge pin, NUL, and either i, NUL, a token, or vw, dw or aw, NUL, a pin, NUL, a value";
    let wrong = wrong_shape(Command::Bridge, SHAPE);
    let (operation, slot) = bridge_slot(body).map_err(|_| wrong)?;
    if let Some(token) = operation.strip_prefix(b"i\0") {
        let token = Token::parse(token).map_err(|fault| match fault {
            Fault::TokenShape { len_bytes } => Fault::BridgeToken { len_bytes },
            other => other,
        })?;
        return Ok(Action::BridgeInit { slot, token });
    }
    let (pin, value) = found(write_operation(operation)).ok_or(wrong)?;
    Ok(Action::BridgeWrite { slot, pin, value: checked_value(value)? })
}

/// TWEET, PUSH_NOTIFICATION, SMS: a text.
pub(super) fn notification(command: Command, body: &[u8]) -> Result<Action<'_>, Fault> {
    let (channel, limit) = match command {
        Command::Tweet => (Channel::Tweet, MAX_TWEET_CHARS),
        Command::Sms => (Channel::Sms, MAX_SMS_CHARS),
        _ => (Channel::Push, MAX_PUSH_CHARS),
    };
    let text = std::str::from_utf8(body).ok().filter(|text| !text.is_empty());
    let text = text.ok_or(wrong_shape(command, "a text in UTF-8"))?;
    check_len(command, "text", text.chars().count(), limit)?;
    Ok(Action::Notify { channel })
}

/// EMAIL: `to NUL subject NUL text`, or without the first.
pub(super) fn email(body: &[u8]) -> Result<Action<'_>, Fault> {
    let parts = body.split(|byte| *byte == 0).filter(|part| !part.is_empty()).count();
    if parts < 2 || std::str::from_utf8(body).is_err() {
        return Err(wrong_shape(
            Command::Email,
            "an address, NUL, a subject, NUL, a text, or without the address, in UTF-8",
        ));
    }
    Ok(Action::Notify { channel: Channel::Email })
}

/// What a GROUP frame asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupMark {
    /// Begin, with the server's time.
    Begin,
    /// Begin, with the device's time.
    BeginAt(UnixMillis),
    /// End.
    End,
}

/// GROUP: `b`, `t NUL ms` or `e`.
pub(super) fn group(body: &[u8]) -> Result<GroupMark, Fault> {
    let stamp = map_opt(field, |text| std::str::from_utf8(text).ok()?.parse().ok().map(UnixMillis));
    let begin_at = (tag(&b"t\0"[..]), stamp).map(|(_, stamp)| GroupMark::BeginAt(stamp));
    let begin = tag(&b"b"[..]).map(|_| GroupMark::Begin);
    let end = tag(&b"e"[..]).map(|_| GroupMark::End);
    let mut mark = terminated(alt((begin_at, begin, end)), (opt(tag(NUL)), eof));
    found(mark.parse(body)).ok_or(wrong_shape(Command::Group, "b, or t, NUL, a Unix time in ms, or e"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    const TOKEN: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";

    fn refused(result: Result<Action<'_>, Fault>, status: Status) {
        let fault = result.expect_err("must be refused");
        assert_eq!((fault.status(), fault.ends()), (Some(status), false), "{fault}");
    }

    fn write(kind: PinKind, index: u8, value: &[u8]) -> Result<Action<'_>, Fault> {
        Ok(Action::Write { pin: Pin { kind, index }, value: ValueRef(value), at: None })
    }

    #[test]
    fn writes_keep_everything_behind_the_pin() {
        assert_eq!(hardware(b"vw\x001\x0042", None), write(PinKind::Virtual, 1, b"42"));
        assert_eq!(hardware(b"vw\x000\0hi\x001\x002.5", None), write(PinKind::Virtual, 0, b"hi\x001\x002.5"));
        assert_eq!(hardware(b"vw\x007\0\0\x01\xff", None), write(PinKind::Virtual, 7, b"\0\x01\xff"));
        assert_eq!(hardware(b"dw\x003\x000", None), write(PinKind::Digital, 3, b"0"));
        assert_eq!(hardware(b"aw\0A0\x00512", None), write(PinKind::Analog, 0, b"512"));
        let long = [&b"vw\x001\0"[..], &[b'x'; MAX_VALUE_BYTES]].concat();
        assert_eq!(hardware(&long, None), write(PinKind::Virtual, 1, &long[5..]));
    }

    #[test]
    fn malformed_writes_are_illegal_commands() {
        let bad: [&[u8]; 12] = [
            b"",
            b"vw\0",
            b"aw\x001",
            b"aw\x001\0",
            b"vw\0\x001",
            b"vw\0x\x001",
            b"vw\x00256\x001",
            b"vw\x00-1\x001",
            b"xw\x001\x001",
            b"vww\x001\x001",
            b"\0w\x001\x001",
            b"vw 1 1",
        ];
        for body in bad {
            refused(hardware(body, None), Status::IllegalCommand);
        }
        let long = [&b"vw\x001\0"[..], &[b'x'; MAX_VALUE_BYTES + 1]].concat();
        refused(hardware(&long, None), Status::IllegalCommandBody);
    }

    #[test]
    fn echoes_of_the_servers_questions_do_nothing() {
        for body in [&b"vr\x005"[..], b"dr\x003", b"ar\x001", b"vu\x001"] {
            assert_eq!(hardware(body, None), Ok(Action::Nothing));
        }
        assert_eq!(hardware(b"pm\x001\0out", None), Ok(Action::PinMode { pairs: b"1\0out" }));
    }

    #[test]
    fn syncs_name_pins_or_nothing() {
        assert_eq!(sync(b""), Ok(Action::Sync(SyncPins::All)));
        let pins = |body| match sync(body) {
            Ok(Action::Sync(SyncPins::Listed(pins))) => pins.iter().map(|pin| pin.to_string()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(pins(b"vr\x000\x001\x009"), ["V0", "V1", "V9"]);
        assert_eq!(pins(b"dr\x003"), ["D3"]);
        assert_eq!(pins(b"vr\0\x001\0"), ["V1"]);
        assert_eq!(pins(b"vr\0").len(), 0);
        for body in [&b"\0"[..], b"v", b"vw\x001", b"xr\x001", b"vr\0x", b"vr\x00256"] {
            refused(sync(body), Status::IllegalCommand);
        }
        let many = [&b"vr"[..], &b"\x001".repeat(MAX_PINS_LISTED)].concat();
        assert!(sync(&many).is_ok());
        refused(sync(&[&many[..], b"\x001"].concat()), Status::IllegalCommand);
    }

    #[test]
    fn properties_have_leading_pins() {
        let Ok(Action::Property { pins, name, values }) = property(b"1\x002\x003\0labels\0a\0b") else {
            panic!("three pins and two values")
        };
        assert_eq!(pins.iter().map(|pin| pin.index).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((name, values), ("labels", ValueRef(b"a\0b")));
        let bad: [&[u8]; 11] = [
            b"",
            b"0",
            b"0\0",
            b"0\0color",
            b"0\0color\0",
            b"color\0#23C48E",
            b"256\0color\0x",
            b"1x\0color\0x",
            b"0\0Color\0x",
            b"0\0\0x",
            b"0\0\xff\0x",
        ];
        for body in bad {
            refused(property(body), Status::IllegalCommandBody);
        }
    }

    #[test]
    fn events_have_codes() {
        let log = |code, description| Ok(Action::EventLog { code, description });
        assert_eq!(event_log(b"ev"), log("ev", None));
        assert_eq!(event_log(b"ev\0"), log("ev", None));
        assert_eq!(event_log("ev\0über\0".as_bytes()), log("ev", Some("über")));
        let longest = format!("ev\0{}", "ü".repeat(MAX_EVENT_DESCRIPTION_CHARS));
        assert!(event_log(longest.as_bytes()).is_ok(), "the limit counts characters");
        for body in [b"".to_vec(), b"\0x".to_vec(), b"ev\0\xff".to_vec(), (longest + "x").into_bytes(), vec![b'c'; 65]]
        {
            refused(event_log(&body), Status::IllegalCommandBody);
        }
        let clear = |code, all| Ok(Action::EventClear { code, all });
        assert_eq!(event_clear(b"ev"), clear("ev", false));
        assert_eq!(event_clear(b"ev\0all"), clear("ev", true));
        refused(event_clear(b"ev\0some"), Status::IllegalCommandBody);
        refused(event_clear(b""), Status::IllegalCommandBody);
    }

    #[test]
    fn bridges_open_and_write() {
        let init = [&b"9\0i\0"[..], TOKEN].concat();
        let token = Token::parse(TOKEN).expect("valid");
        assert_eq!(bridge(&init), Ok(Action::BridgeInit { slot: 9, token }));
        let (pin, value) = (Pin::new_virtual(3), ValueRef(b"1"));
        assert_eq!(bridge(b"9\0vw\x003\x001"), Ok(Action::BridgeWrite { slot: 9, pin, value }));
        refused(bridge(&init[..init.len() - 1]), Status::NotAllowed);
        for body in [&b""[..], b"9", b"9\0", b"9\0i", b"x\0i\0t", b"9\0vr\x003", b"9\0vw\x003\0", b"256\0vw\x003\x001"]
        {
            refused(bridge(body), Status::IllegalCommand);
        }
    }

    #[test]
    fn notifications_are_checked_before_they_are_refused() {
        let notify = |channel| Ok(Action::Notify { channel });
        assert_eq!(notification(Command::Push, "ü".repeat(255).as_bytes()), notify(Channel::Push));
        assert_eq!(notification(Command::Sms, &[b's'; 160]), notify(Channel::Sms));
        assert_eq!(notification(Command::Tweet, b"t"), notify(Channel::Tweet));
        let longest = [(Command::Push, 256), (Command::Sms, 161), (Command::Tweet, 281)];
        for (command, len) in longest {
            refused(notification(command, &vec![b'x'; len]), Status::NotificationInvalidBody);
            refused(notification(command, b""), Status::NotificationInvalidBody);
            refused(notification(command, b"\xff"), Status::NotificationInvalidBody);
        }
        assert_eq!(email(b"a@b.c\0s\0m"), notify(Channel::Email));
        assert_eq!(email(b"subject\0text"), notify(Channel::Email));
        refused(email(b"text"), Status::IllegalCommand);
        refused(email(b"text\0"), Status::IllegalCommand);
        assert_eq!(Channel::Email.refusal(), Status::NotAllowed);
        for channel in [Channel::Push, Channel::Sms, Channel::Tweet] {
            assert_eq!(channel.refusal(), Status::NotificationNotAuthorized);
        }
    }

    #[test]
    fn groups_have_three_marks() {
        assert_eq!(group(b"b"), Ok(GroupMark::Begin));
        assert_eq!(group(b"e\0"), Ok(GroupMark::End));
        assert_eq!(group(b"t\x001700000000123"), Ok(GroupMark::BeginAt(UnixMillis(1_700_000_000_123))));
        for body in
            [&b""[..], b"x", b"bb", b"t", b"t\0", b"t\0x", b"t\0-1", b"t\x0018446744073709551616", b"t\x001\x002"]
        {
            let fault = group(body).expect_err("must be refused");
            assert_eq!(fault.status(), Some(Status::IllegalCommandBody), "{body:?}");
        }
    }
}
