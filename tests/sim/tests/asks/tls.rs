//! Asks over TLS.

use linchpin_shard::Via;
use linchpin_sim::Script;
use linchpin_tls::{Layer, Version};

use super::*;

fn secured(layer: Layer) -> World {
    World::new(&WorldOptions { tls: Some(layer), ..options() })
}

/// A client with TLS and a reader of what it opens.
fn connect(world: &mut World) -> (Script, Asker) {
    let connector = world.authority.as_ref().expect("TLS is spoken").connector(Version::Tls13, false);
    let script = Script::connect_tls(world, Via::Direct, &connector).expect("a handshake");
    let reader = Asker::over(script.conn);
    (script, reader)
}

#[test]
fn asks_and_bodies_go_over_tls_both_ways() {
    for layer in [Layer::InPlace, Layer::Rustls] {
        let mut world = secured(layer);
        let (mut script, mut reader) = connect(&mut world);
        let body: Vec<u8> = (0..300_000).map(linchpin_sim::control::pattern).collect();
        let head = format!("PUT /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        script.transmit(&mut world, head.as_bytes());
        for part in body.chunks(9_000) {
            script.transmit(&mut world, part);
            world.run_ms(20);
            reader.take(&script.bytes(&mut world));
        }
        for _ in 0..200 {
            world.run_ms(20);
            reader.take(&script.bytes(&mut world));
        }
        assert!(
            reader.answers[0].is_whole && reader.answers[0].body == body,
            "{layer:?}: {:?}",
            reader.answers[0].head
        );
        assert!(world.control(0).seen[0].over_tls);
        world.abort(script.conn);
        world.run_ms(100);
        world.expect_empty();
    }
}
