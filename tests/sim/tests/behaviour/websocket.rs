//! Devices over WebSocket.

use linchpin_protocol::ws::{self, Decoder, FrameKind, Piece, Role};
use linchpin_shard::End;
use linchpin_sim::driver::Conn;
use linchpin_sim::script::frame;

use super::*;

struct Client {
    conn: Conn,
    decoder: Decoder,
    received: Vec<u8>,
    closed: bool,
}

impl Client {
    fn connect(world: &mut World) -> Self {
        let conn = world.connect([127, 0, 0, 7]);
        let mut out = Vec::new();
        ws::upgrade_request(&mut out, "/websockets", "x", &[3; 16]);
        world.send(conn, &out);
        world.run_ms(50);
        let mut answer = Vec::new();
        while let Some(segment) = world.read(conn) {
            answer.extend_from_slice(&segment);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", answer.escape_ascii());
        assert!(answer.ends_with(b"\r\n\r\n"));
        Self { conn, decoder: Decoder::new(Role::Client), received: Vec::new(), closed: false }
    }

    fn send(&self, world: &mut World, kind: FrameKind, payload: &[u8]) {
        let mut out = Vec::new();
        ws::client_frame(&mut out, kind, payload, [1, 2, 3, 4]);
        world.send(self.conn, &out);
        world.run_ms(60);
    }

    /// Bytes of the Blynk stream.
    fn read(&mut self, world: &mut World) -> Vec<u8> {
        while let Some(mut segment) = world.read(self.conn) {
            let mut rest = segment.as_mut_slice();
            loop {
                let (piece, after) = self.decoder.next(rest).expect("the server keeps to the rules");
                match piece {
                    Piece::Data(data) => self.received.extend_from_slice(data),
                    Piece::Ping(_) => panic!("the server does not ping"),
                    Piece::Close => self.closed = true,
                    Piece::End => break,
                }
                rest = after;
            }
        }
        std::mem::take(&mut self.received)
    }
}

/// On both shards: the connection moves home with the reader of its frames.
#[test]
fn a_device_logs_in_writes_and_is_written_to() {
    for device in 1..=8 {
        let mut world = World::new(&WorldOptions::default());
        let token = world.add_device(device, None);
        let mut client = Client::connect(&mut world);
        // The login in two frames, the second with INFO behind it.
        let login = frame(command::LOGIN, 1, token.expose().as_bytes());
        client.send(&mut world, FrameKind::Binary, &login[..3]);
        let info = frame(command::INTERNAL, 2, b"ver\x000.5.4\0buff-in\x004096");
        client.send(&mut world, FrameKind::Binary, &[&login[3..], &info].concat());
        let answers = client.read(&mut world);
        assert_eq!(answers, [0, 0, 1, 0, 200, 0, 0, 2, 0, 200], "device {device}");
        client.send(&mut world, FrameKind::Binary, &frame(command::HARDWARE, 3, b"vw\x001\x0042"));
        assert_eq!(world.value(device, 1).as_deref(), Some("42"));
        operator_writes(&mut world, device, 2, b"hello");
        world.run_ms(50);
        let pushed = client.read(&mut world);
        assert!(pushed.ends_with(b"vw\x002\0hello") && pushed[0] == command::HARDWARE);
        client.send(&mut world, FrameKind::Close, &[]);
        client.read(&mut world);
        assert!(client.closed, "a close is answered");
        assert!(world.is_over(client.conn));
        assert_eq!(ends(&world), [End::PeerClosed]);
        world.expect_empty();
    }
}

/// What was said on the way out is not lost when the connection moves in the same tick.
#[test]
fn a_client_that_does_not_wait_gets_every_answer() {
    for device in 1..=8 {
        let mut world = World::new(&WorldOptions::default());
        let token = world.add_device(device, None);
        let conn = world.connect([127, 0, 0, 7]);
        let mut bytes = Vec::new();
        ws::upgrade_request(&mut bytes, "/websockets", "x", &[3; 16]);
        ws::client_frame(&mut bytes, FrameKind::Ping, b"already", [1; 4]);
        let login = frame(command::LOGIN, 1, token.expose().as_bytes());
        ws::client_frame(&mut bytes, FrameKind::Binary, &login, [2; 4]);
        world.send(conn, &bytes);
        world.run_ms(100);
        let mut got = Vec::new();
        while let Some(segment) = world.read(conn) {
            got.extend_from_slice(&segment);
        }
        let text = got.escape_ascii().to_string();
        assert!(text.starts_with("HTTP/1.1 101 "), "device {device}: {text}");
        assert!(text.ends_with("\\x8a\\x07already\\x82\\x05\\x00\\x00\\x01\\x00\\xc8"), "device {device}: {text}");
    }
}

#[test]
fn a_message_in_parts_with_a_ping_between_is_one_stream() {
    let (mut world, token) = world();
    let mut client = Client::connect(&mut world);
    client.send(&mut world, FrameKind::Binary, &frame(command::LOGIN, 1, token.expose().as_bytes()));
    assert_eq!(client.read(&mut world), [0, 0, 1, 0, 200]);
    let ping = frame(command::PING, 2, b"");
    let mut bytes = Vec::new();
    ws::client_frame(&mut bytes, FrameKind::Binary, &ping[..2], [9; 4]);
    bytes[0] &= 0x7f;
    ws::client_frame(&mut bytes, FrameKind::Ping, b"still there?", [8; 4]);
    ws::client_frame(&mut bytes, FrameKind::Continuation, &ping[2..], [7; 4]);
    for byte in bytes {
        world.send(client.conn, &[byte]);
    }
    world.run_ms(100);
    assert_eq!(world.wires[client.conn].segments[0][..2], [0x8a, 12], "a pong of 12 bytes");
    assert_eq!(client.read(&mut world), [0, 0, 2, 0, 200]);
}

#[test]
fn what_breaks_the_rules_is_closed_with_its_code() {
    for (bytes, code) in [
        (&[0x82, 0x01, 0x00][..], 1002_u16),
        (&[0x81, 0x80, 0, 0, 0, 0], 1003),
        (&[0xf2, 0x80], 1002),
        // Code 1000, and a reason that is not UTF-8.
        (&[0x88, 0x84, 0, 0, 0, 0, 0x03, 0xe8, 0xc3, 0x28], 1007),
        (&[0x88, 0x83, 0, 0, 0, 0, 0x03, 0xe8, 0xff], 1007),
    ] {
        let (mut world, token) = world();
        let mut client = Client::connect(&mut world);
        client.send(&mut world, FrameKind::Binary, &frame(command::LOGIN, 1, token.expose().as_bytes()));
        client.read(&mut world);
        world.send(client.conn, bytes);
        world.run_ms(50);
        let goodbye = world.read(client.conn).expect("a close frame");
        assert_eq!(goodbye, [&[0x88, 2][..], &code.to_be_bytes()].concat());
        assert_eq!(ends(&world), [End::WebSocketFault]);
        world.run_ms(50);
        world.expect_empty();
    }
}

#[test]
fn only_blynk_travels_inside() {
    let (mut world, _) = world();
    let client = Client::connect(&mut world);
    client.send(&mut world, FrameKind::Binary, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(ends(&world), [End::UnknownProtocol]);
}

#[test]
fn who_logs_in_wrongly_hears_it_and_who_never_does_is_closed() {
    let (mut world, _) = world();
    let mut client = Client::connect(&mut world);
    client.send(&mut world, FrameKind::Binary, &frame(command::LOGIN, 1, b"abcdefghijklmnopqrstuvwxyz012345"));
    assert_eq!(client.read(&mut world), [0, 0, 1, 0, 9]);
    let mut silent = Client::connect(&mut world);
    silent.send(&mut world, FrameKind::Ping, b"");
    world.run_ms(6_000);
    silent.decoder = Decoder::new(Role::Client);
    assert_eq!(ends(&world), [End::TokenUnknown, End::LoginTimeout]);
    world.expect_empty();
}
