//! Connections through load balancers.

use linchpin_protocol::proxy;
use linchpin_shard::{End, Settings, Via};
use linchpin_sim::script::frame;

use super::*;

const BALANCER: [u8; 4] = [127, 0, 0, 50];

fn header(client: &str) -> Vec<u8> {
    let mut out = Vec::new();
    proxy::write(&mut out, client.parse().expect("an address"), "127.0.0.1:80".parse().expect("an address"));
    out
}

#[test]
fn the_client_is_who_the_balancer_says() {
    let (mut world, token) = world();
    let conn = world.connect_via(BALANCER, Via::Proxy);
    let bytes = [header("192.0.2.33:5000"), frame(command::LOGIN, 1, token.expose().as_bytes())].concat();
    // At any cut.
    for byte in bytes {
        world.send(conn, &[byte]);
        world.run_ms(1);
    }
    world.run_ms(50);
    assert_eq!(world.read(conn).expect("an answer"), [0, 0, 1, 0, 200]);
    assert_eq!(world.view(1).peer, "192.0.2.33:5000".parse().ok());
    world.audit();
}

#[test]
fn clients_behind_a_balancer_have_their_own_caps() {
    let settings = Settings { per_address: 2, ..Settings::default() };
    let mut world = World::new(&WorldOptions { settings, shards: 1, ..WorldOptions::default() });
    for n in 0..5 {
        let conn = world.connect_via(BALANCER, Via::Proxy);
        world.send(conn, &header(&format!("192.0.2.{n}:5000")));
    }
    world.run_ms(50);
    assert_eq!(ends(&world), [], "five clients of one balancer");
    for _ in 0..2 {
        let conn = world.connect_via(BALANCER, Via::Proxy);
        world.send(conn, &header("192.0.2.1:6000"));
    }
    world.run_ms(50);
    assert_eq!(ends(&world), [End::AddressCap], "the third of one client");
    world.audit();
}

#[test]
fn others_are_closed() {
    let (mut world, token) = world();
    let conn = world.connect_via(BALANCER, Via::Proxy);
    world.send(conn, &frame(command::LOGIN, 1, token.expose().as_bytes()));
    world.run_ms(50);
    world.connect_via([127, 0, 0, 51], Via::Stranger);
    world.run_ms(50);
    assert_eq!(ends(&world), [End::ProxyHeader, End::ProxyStranger]);
    // Without a proxy's listener the header is no login.
    let conn = world.connect(BALANCER);
    world.send(conn, &header("192.0.2.1:6000"));
    world.run_ms(50);
    assert_eq!(ends(&world).last(), Some(&End::CommandBeforeLogin));
    world.expect_empty();
}
