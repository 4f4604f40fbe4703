//! What is written is read again as the same; what cannot be is refused, never misread.

use linchpin_protocol::blynk::codec::{self, device};
use linchpin_protocol::blynk::{Command, HEADER_BYTES, Session, Split, split};
use linchpin_protocol::limits::{MAX_BODY_BYTES, MAX_VALUE_BYTES};
use linchpin_protocol::model::{Pin, TemplateId, Token, UnixMillis, ValueRef};
use linchpin_protocol::{Action, InfoPairs, Status, SyncPins};
use proptest::prelude::*;

const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

fn any_pin() -> impl Strategy<Value = Pin> {
    (0_u16..0x300).prop_map(|packed| Pin::from_u16(packed).expect("three kinds"))
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..=MAX_VALUE_BYTES)
}

fn any_token() -> impl Strategy<Value = Token> {
    any::<[u8; 24]>().prop_map(|seed| Token::from_random(&seed))
}

/// A session that is logged in.
fn live() -> Session {
    let mut session = Session::new();
    let mut login = Vec::new();
    device::login(&mut login, 1, Command::Login, &Token::from_random(&[7; 24]));
    assert!(matches!(read(&mut session, &login).1, Action::Login { .. }));
    session.accept();
    session
}

/// The one frame in `bytes`: its id and what it asks.
fn read<'a>(session: &mut Session, bytes: &'a [u8]) -> (u16, Action<'a>) {
    match split(bytes, MAX_BODY_BYTES) {
        Ok(Split::Frame { frame, used }) => {
            assert_eq!(used, bytes.len());
            let request = session.on_frame(WALL, frame).expect("well formed");
            (request.id, request.action)
        }
        other => panic!("{other:?}"),
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

proptest! {
    #[test]
    fn writes_are_read_as_they_were_written(id: u16, pin in any_pin(), value in any_value()) {
        let bytes = written(|out| device::write(out, id, pin, &value));
        let expected = Action::Write { pin, value: ValueRef(&value), at: None };
        prop_assert_eq!(read(&mut live(), &bytes), (id, expected));
    }

    #[test]
    fn both_directions_write_pins_alike(id in 1_u16.., pin in any_pin(), value in any_value()) {
        let server = written(|out| codec::hardware_write(out, id, pin, &value));
        prop_assert_eq!(&server, &written(|out| device::write(out, id, pin, &value)));
        prop_assert_eq!(server.len() - HEADER_BYTES, codec::hardware_write_len(pin, &value));
    }

    #[test]
    fn logins_and_bridges_carry_tokens(id: u16, slot: u8, token in any_token(), pin in any_pin(), value in any_value()) {
        let bytes = written(|out| device::login(out, id, Command::LoginOld, &token));
        let login = Action::Login { token, first_frame_only: true };
        prop_assert_eq!(read(&mut Session::new(), &bytes), (id, login));
        let bytes = written(|out| device::bridge_init(out, id, slot, &token));
        prop_assert_eq!(read(&mut live(), &bytes), (id, Action::BridgeInit { slot, token }));
        let bytes = written(|out| device::bridge_write(out, id, slot, pin, &value));
        let expected = Action::BridgeWrite { slot, pin, value: ValueRef(&value) };
        prop_assert_eq!(read(&mut live(), &bytes), (id, expected));
    }

    #[test]
    fn syncs_list_their_pins(id: u16, indexes in prop::collection::vec(any::<u8>(), 1..=256)) {
        let pins: Vec<_> = indexes.iter().map(|index| Pin::new_virtual(*index)).collect();
        let bytes = written(|out| device::sync(out, id, &pins));
        let (_, Action::Sync(SyncPins::Listed(listed))) = read(&mut live(), &bytes) else { panic!("a list") };
        prop_assert_eq!(listed.iter().collect::<Vec<_>>(), pins);
    }

    #[test]
    fn events_and_metadata_carry_text(id: u16, code in "[a-z_]{1,64}", text in "[^\0]{1,300}", name in "[^\0]{1,16}") {
        let bytes = written(|out| device::event_log(out, id, &code, Some(&text)));
        let expected = Action::EventLog { code: &code, description: Some(&text) };
        prop_assert_eq!(read(&mut live(), &bytes), (id, expected));
        let value: String = text.chars().take(256).collect();
        let bytes = written(|out| device::internal(out, id, &[b"meta", b"set", name.as_bytes(), value.as_bytes()]));
        prop_assert_eq!(read(&mut live(), &bytes), (id, Action::MetaSet { name: &name, value: &value }));
    }

    #[test]
    fn pairs_are_found_by_key(pairs in prop::collection::btree_map("[a-z-]{1,9}", "[ -~]{0,20}", 1..12)) {
        let body: Vec<u8> = pairs.iter().flat_map(|(key, value)| format!("{key}\0{value}\0").into_bytes()).collect();
        let info = InfoPairs::new(&body);
        prop_assert_eq!(info.iter().count(), pairs.len());
        for (key, value) in &pairs {
            prop_assert_eq!(info.get(key), Some(value.as_str()));
        }
    }

    #[test]
    fn template_ids_keep_their_text(text in "[A-Za-z0-9_-]{1,16}") {
        let id = TemplateId::parse(text.as_bytes()).expect("valid");
        prop_assert_eq!(id.as_str(), text);
    }

    #[test]
    fn tokens_of_any_seed_are_valid(token in any_token()) {
        prop_assert_eq!(Token::parse(token.expose().as_bytes()), Ok(token));
    }

    #[test]
    fn any_text_is_a_pin_only_if_it_is_a_small_number(text in "[vV]?[0-9+-]{0,4}") {
        let digits = text.trim_start_matches(['v', 'V']);
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() <= 3;
        let expected = digits.parse::<u8>().ok().filter(|_| plain).map(Pin::new_virtual);
        prop_assert_eq!(Pin::parse(b'v', text.as_bytes()), expected);
    }

    #[test]
    fn whole_numbers_survive(number: i64) {
        let text = number.to_string();
        prop_assert_eq!(ValueRef(text.as_bytes()).as_integer(), Some(number));
    }

    #[test]
    fn statuses_are_read_as_they_were_written(id in 1_u16.., code in 0_u16..300) {
        if let Some(status) = Status::from_code(code) {
            let bytes = written(|out| codec::response(out, id, status));
            prop_assert_eq!(read(&mut live(), &bytes), (id, Action::Answer { status: code }));
        }
    }
}
