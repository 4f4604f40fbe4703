//! Connections go to another process and devices notice nothing.

use linchpin_protocol::ws;
use linchpin_shard::End;
use linchpin_sim::script::frame;

use super::*;

/// The values that a device writes and reads back, with a hand-over between every two frames, and in the middle of one.
#[test]
fn a_device_goes_on_at_any_byte() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    script.ask(&mut world, command::INTERNAL, b"ver\x001.0\0h-beat\x0045");
    for n in 0..40u32 {
        let write = frame(command::HARDWARE, 9, format!("vw\x001\0{n}").as_bytes());
        let cut = n as usize % write.len();
        world.send(script.conn, &write[..cut]);
        world.run_ms(30);
        let (moved, left) = world.hand_over();
        assert_eq!((moved, left), (1, 0));
        world.send(script.conn, &write[cut..]);
        world.run_ms(30);
        assert_eq!(world.value(1, 1), Some(n.to_string()), "write {n}, cut after {cut} bytes");
    }
    assert!(!world.is_over(script.conn));
    assert_eq!(world.view(1).firmware.first().map(|pair| &*pair.1), Some("1.0"), "what its firmware said is known");
    // It is still heard: its time runs on over the hand-overs.
    world.run_ms(60_000);
    world.hand_over();
    world.run_ms(150_000);
    while world.read(script.conn).is_some() {}
    assert!(world.is_over(script.conn), "its heartbeat is missed");
    assert_eq!(world.diary(None)[0].end, End::HeartbeatMissed);
}

#[test]
fn a_websocket_and_http_go_on_between_and_within_frames() {
    let (mut world, token) = world();
    let conn = world.connect([127, 0, 0, 1]);
    let mut bytes = Vec::new();
    ws::upgrade_request(&mut bytes, "/websockets", "x", &[1; 16]);
    world.send(conn, &bytes);
    world.run_ms(50);
    world.hand_over();
    let mut stream = Vec::new();
    ws::client_frame(&mut stream, ws::FrameKind::Binary, &frame(command::LOGIN, 1, token.expose().as_bytes()), [7; 4]);
    ws::client_frame(&mut stream, ws::FrameKind::Binary, &frame(command::HARDWARE, 2, b"vw\x003\x0077"), [9; 4]);
    for byte in stream {
        world.send(conn, &[byte]);
        world.run_ms(8);
        world.hand_over();
    }
    world.run_ms(50);
    assert_eq!(world.value(1, 3), Some("77".to_owned()));
    // HTTP: a request in halves.
    let http = world.connect([127, 0, 0, 1]);
    let request = format!("GET /external/api/get?token={}&v3 HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
    for half in [&request[..20], &request[20..]] {
        world.send(http, half.as_bytes());
        world.run_ms(100);
        assert_eq!(world.hand_over().1, 0);
    }
    world.run_ms(100);
    let answer = world.read(http).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn what_is_in_the_middle_of_something_waits_or_ends_with_its_code() {
    let (mut world, token) = world();
    let conn = world.connect([127, 0, 0, 1]);
    world.send(conn, &frame(command::LOGIN, 1, &[b'x'; 32]));
    world.run_ms(100);
    // Its refusal is being read.
    assert_eq!(world.hand_over(), (0, 1));
    let script = Script::login(&mut world, &token);
    assert_eq!(world.end_unready(), 1);
    world.run_ms(100);
    while world.read(conn).is_some() {}
    assert!(world.is_over(conn), "{:?}", world.diary(None));
    assert!(!world.is_over(script.conn), "{:?}", world.diary(None));
    assert_eq!(world.diary(None)[0].end, End::Replaced);
}
