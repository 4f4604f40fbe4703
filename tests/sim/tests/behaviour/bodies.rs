//! Long bodies in pieces, and what a peer may say before it is known.

use linchpin_protocol::http::client::next_response;
use linchpin_shard::{End, limits};

use super::*;

const _: () = assert!(limits::CARGO_BYTES <= 2_048 && limits::LOGIN_BUFFER_BYTES <= 2_048);
const _: () = assert!(linchpin_protocol::limits::MQTT_CONNECT_BYTES <= 2_048);

/// A legacy update with blanks before its value, in chunks of so many bytes.
fn chunked(token: &Token, blanks: usize, chunk: usize) -> Vec<u8> {
    let body = format!("[{}\"7\"]", " ".repeat(blanks));
    let mut out = format!(
        "PUT /{}/update/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        token.expose()
    )
    .into_bytes();
    for chunk in body.as_bytes().chunks(chunk) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Half a megabyte in 1,000 chunks, received 512 bytes at a time: it grows where it is and is read once, at its end.
#[test]
fn a_long_body_in_chunks_is_taken_in_place() {
    for chunk in [510, 4_000, 100_000] {
        let (mut world, token) = world();
        let conn = world.connect([127, 0, 0, 3]);
        let request = chunked(&token, 500_000, chunk);
        let (most, rest) = request.split_at(request.len() - 1);
        world.send(conn, most);
        world.run_ms(3_000);
        let held: u64 = world.status().iter().map(|status| status.ledger_bytes).sum();
        assert!((most.len() as u64..2 * most.len() as u64 + 1_000).contains(&held), "{held} bytes of {}", most.len());
        assert_eq!(world.value(1, 3), None);
        world.send(conn, rest);
        world.run_ms(100);
        let received: Vec<u8> = std::iter::from_fn(|| world.read(conn)).flatten().collect();
        let answer = next_response(&received, false).expect("an answer").expect("a whole one");
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(answer.body));
        assert_eq!(world.value(1, 3).as_deref(), Some("7"));
    }
}

#[test]
fn chunks_that_go_wrong_late_are_refused_when_they_come() {
    for (wrong, status) in [(&b"zz\r\n"[..], 400), (b"FFFFFF\r\n", 413)] {
        let (mut world, token) = world();
        let conn = world.connect([127, 0, 0, 3]);
        let mut request = chunked(&token, 100_000, 1_000);
        request.truncate(request.len() - 5);
        request.extend_from_slice(wrong);
        world.send(conn, &request);
        world.run_ms(1_000);
        let received: Vec<u8> = std::iter::from_fn(|| world.read(conn)).flatten().collect();
        let answer = next_response(&received, false).expect("an answer").expect("a whole one");
        assert_eq!(answer.status, status);
        world.run_ms(1_500);
        assert_eq!(ends(&world), [End::HttpMalformed]);
    }
}

/// What a device has said before its login is answered: 2 KiB are held at most, on either wire.
#[test]
fn a_stranger_that_is_a_device_holds_two_kibibytes() {
    let login = |token: &Token| linchpin_sim::script::frame(command::LOGIN, 1, token.expose().as_bytes());
    let connect =
        |token: &Token| linchpin_sim::MqttLogin::new(linchpin_protocol::mqtt::Level::V4).bytes(token.expose());
    let pings = |count: usize| linchpin_sim::script::frame(command::PING, 2, b"").repeat(count);
    for (bytes, is_mqtt) in [(2_048, false), (2_100, false), (2_048, true), (2_100, true)] {
        let tls = Some(linchpin_tls::Layer::InPlace);
        let mut world = World::new(&WorldOptions { shards: 1, tls, ..WorldOptions::default() });
        let token = world.add_device(1, None);
        let (conn, mut client) = world.connect_recorded([127, 0, 0, 3]);
        client.widen();
        let mut said = if is_mqtt { connect(&token) } else { login(&token) };
        let behind = if is_mqtt { b"\xc0\0".repeat(bytes / 2) } else { pings(bytes.div_ceil(5)) };
        said.extend_from_slice(&behind[..bytes]);
        // One record: of what is not sealed one receive brings 512 bytes.
        let record = client.seal(&said);
        world.send(conn, &record);
        world.run_ms(200);
        let too_long = bytes > limits::CARGO_BYTES;
        assert_eq!(ends(&world).contains(&End::LoginTooLong), too_long, "{bytes} bytes behind a login, {is_mqtt}");
    }
}
