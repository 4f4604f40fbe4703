//! What long bodies and refused peers cost a shard, as far as it can be told without counting instructions.

use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, Millis, Now, OrgId, Token, UnixMillis};

use crate::connection::Exchange;
use crate::{
    Command, Effect, Effects, End, HttpOptions, Input, Intake, LoginFailures, Receive, Settings, Shard, ShardId,
    ShardOptions, Slot, TokenRight, Via, digest, limits,
};

const NOW: Now = Now { mono: Millis(1_000), wall: UnixMillis(1_700_000_000_000) };
const KEY: [u8; 32] = [9; 32];
const SLOT: Slot = Slot(0);

fn shard(token: &Token) -> (Shard, Effects) {
    let options = ShardOptions {
        id: ShardId(0),
        shards: 1,
        slots: 8,
        seed: [7; 16],
        digest_key: KEY,
        settings: Settings::default(),
        intake: Intake::All,
        replaying: false,
        tls: None,
        failures: Arc::new(LoginFailures::new([7; 16])),
        http: HttpOptions::default(),
    };
    let (mut shard, mut fx) = (Shard::new(options, NOW), Effects::new());
    let device = DeviceId::new(1).expect("not 0");
    let add = Command::AddDevice { device, org: OrgId::FIRST, template: None, token_epoch: 0 };
    let index = Command::IndexToken { digest: digest(&KEY, token), right: TokenRight { device, epoch: 0 } };
    for command in [add, index] {
        shard.handle(NOW, Input::Command(command), &mut fx);
    }
    (shard, fx)
}

fn accept(shard: &mut Shard, fx: &mut Effects) {
    let peer = ([127, 0, 0, 1], 40_000).into();
    shard.handle(NOW, Input::Accepted { slot: SLOT, peer, via: Via::Direct }, fx);
}

/// Each read of the socket brings a chunk. Whoever began at the first one each time would look at a thousand chunks half a
/// million times.
#[test]
fn chunks_of_a_long_body_are_gone_through_once() {
    let token = Token::from_random(&[5; 24]);
    let (mut shard, mut fx) = shard(&token);
    accept(&mut shard, &mut fx);
    let head = format!("PUT /{}/update/v7 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", token.expose());
    let chunk = format!("1f8\r\n{}\r\n", " ".repeat(0x1f8));
    let mut feed = |shard: &mut Shard, bytes: &str| {
        shard.handle(NOW, Input::Received { slot: SLOT, bytes: &mut bytes.as_bytes().to_vec() }, &mut fx);
        let answer = String::from_utf8_lossy(fx.pending(SLOT)).into_owned();
        fx.clear();
        answer
    };
    assert_eq!(feed(&mut shard, &(head.clone() + "1\r\n[\r\n")), "");
    let begun = head.len() + "1\r\n[\r\n".len();
    for count in 1..=400 {
        assert_eq!(feed(&mut shard, &chunk), "", "chunk {count}");
        let come = begun + count * chunk.len();
        // The first 8 KiB are read before its token is known.
        let is_long = come > linchpin_protocol::limits::HTTP_HEAD_BYTES + 2 * chunk.len();
        let Some(Exchange::Reading { seen, verified, .. }) = shard.connections[SLOT].exchange() else {
            panic!("chunk {count}: {:?}", shard.connections[SLOT].exchange())
        };
        assert!(!is_long || (verified, seen.bytes()) == (true, come), "chunk {count}: {seen:?} of {come}, {verified}");
    }
    let answer = feed(&mut shard, "4\r\n\"7\"]\r\n0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// A peer that goes on sending is read for as long as a request is, so that it sees its answer; then it waits for the close,
/// and costs nothing. A device stays armed, so it is closed then.
#[test]
fn who_was_refused_is_read_for_as_long_as_a_request_is() {
    const READ: usize = 16 * 1_024;
    let token = Token::from_random(&[5; 24]);
    let stranger = [&[29, 0, 1, 0, 32][..], &[b'x'; 32]].concat();
    let upload = format!("PUT /{}/update/v7 HTTP/1.1\r\nContent-Length: 9000\r\n\r\n{:9000}", "x".repeat(32), "");
    for first in [&stranger[..], upload.as_bytes(), b"GET\r\n\r\n"] {
        let (mut shard, mut fx) = shard(&token);
        accept(&mut shard, &mut fx);
        let mut feed = |bytes: &[u8]| {
            fx.clear();
            shard.handle(NOW, Input::Received { slot: SLOT, bytes: &mut bytes.to_vec() }, &mut fx);
            let armed = |effect: &Effect| matches!(effect, Effect::Arm { receive: Receive::Once, .. });
            let arms = fx.list.iter().filter(|effect| armed(effect)).count();
            (arms, fx.pending(SLOT).len())
        };
        let (arms, answer) = feed(first);
        assert!(arms == 1 && answer > 0, "{}: {arms}, {answer}", first.escape_ascii());
        let reads = std::iter::repeat_with(|| feed(&[0; READ])).take_while(|(arms, ..)| *arms == 1).count() + 1;
        assert_eq!(reads * READ, limits::REFUSED_KIB as usize * 1_024, "{}", first.escape_ascii());
    }
    let (mut shard, mut fx) = shard(&token);
    accept(&mut shard, &mut fx);
    let login = [&[29, 0, 1, 0, 32][..], token.expose().as_bytes()].concat();
    shard.handle(NOW, Input::Received { slot: SLOT, bytes: &mut { login } }, &mut fx);
    shard.connections[SLOT].refuse(End::Redirected, Receive::Stay);
    let mut feed = |bytes: &[u8]| {
        shard.handle(NOW, Input::Received { slot: SLOT, bytes: &mut bytes.to_vec() }, &mut fx);
        fx.list.iter().any(|effect| matches!(effect, Effect::Close { .. }))
    };
    let reads = std::iter::repeat_with(|| feed(&[0; READ])).take_while(|is_closed| !is_closed).count() + 1;
    assert_eq!(reads * READ, limits::REFUSED_KIB as usize * 1_024, "a device");
}
