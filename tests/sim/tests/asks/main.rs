//! Requests for the control plane and for files: one connection, one parser, two bounded lanes, in virtual time.

mod bodies;
mod files;
mod rules;
mod seeds;
mod time;
mod tls;

use std::sync::Arc;

use linchpin_protocol::model::Network;
use linchpin_shard::{HttpOptions, Settings};
use linchpin_sim::{Asker, World, WorldOptions};

fn http() -> HttpOptions {
    HttpOptions {
        asks: true,
        hosts: Arc::from([Box::from("iot.example.com")]),
        proxies: Arc::from([Network::parse("127.0.0.9").expect("a network")]),
        ..HttpOptions::default()
    }
}

/// One shard that passes asks on.
fn options() -> WorldOptions {
    WorldOptions { shards: 1, http: http(), settings: Settings::default(), ..WorldOptions::default() }
}

fn world() -> World {
    World::new(&options())
}

/// A world and a client in it.
fn world_and_client() -> (World, Asker) {
    let mut world = world();
    let client = Asker::connect(&mut world, [127, 0, 0, 1]);
    (world, client)
}

/// Let time pass and read all the while.
fn run(world: &mut World, client: &mut Asker, ms: u64) {
    let end = world.now_ms() + ms;
    while world.now_ms() < end {
        world.run_ms(10.min(end - world.now_ms()));
        client.read(world);
    }
}

fn ok(body: &str) -> (u16, String) {
    (200, body.to_owned())
}

/// Statuses of what came whole.
fn statuses(client: &Asker) -> Vec<u16> {
    client.whole_answers().into_iter().map(|(status, _)| status).collect()
}

/// Everybody leaves: nothing is left of anything.
fn leave(world: &mut World, clients: &[&Asker]) {
    for client in clients {
        world.abort(client.conn);
    }
    world.run_ms(5_000);
    world.expect_empty();
    assert_eq!(world.control(0).under_way(), 0, "control works for nobody");
}
