//! The message quota.

use linchpin_shard::End;
use linchpin_sim::script::{command, frame};

use super::*;

fn burst(world: &mut World, script: &mut Script, count: u16, number: u8, body: &[u8]) {
    let mut bytes = Vec::new();
    (0..count).for_each(|n| bytes.extend(frame(number, 1_000 + n, body)));
    world.send(script.conn, &bytes);
    world.run_ms(60);
}

fn dropped(world: &mut World) -> u64 {
    world.status().iter().map(|status| status.dropped).sum()
}

#[test]
fn the_first_hundred_pass_the_rest_is_dropped_and_said_once() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    world.run_ms(5_000);
    burst(&mut world, &mut script, 100, command::HARDWARE, b"vw\x001\x001");
    assert_eq!(dropped(&mut world), 0);
    burst(&mut world, &mut script, 150, command::HARDWARE, b"vw\x002\x002");
    let told = script.receive_all(&mut world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].command, told[0].status), (0, 1));
    assert!(dropped(&mut world) >= 140);
    // Half a minute later it is not told again, a minute later it is.
    world.run_ms(30_000);
    burst(&mut world, &mut script, 150, command::HARDWARE, b"vw\x003\x003");
    script.expect_nothing(&mut world);
    script.expect_alive(&mut world);
    world.run_ms(30_000);
    burst(&mut world, &mut script, 150, command::HARDWARE, b"vw\x004\x004");
    assert_eq!(script.receive_all(&mut world).len(), 1);
}

/// C13 too: a healthy client's pings cost it nothing; one that pings all the time is bounded, and seen.
#[test]
fn pings_are_free_unless_they_flood() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    world.run_ms(100);
    burst(&mut world, &mut script, 51, command::PING, b"");
    assert_eq!(script.receive_all(&mut world).len(), 51);
    for _ in 0..600 {
        world.run_ms(70);
        script.expect_alive(&mut world);
    }
    assert_eq!(dropped(&mut world), 0, "calm ones are free");
    burst(&mut world, &mut script, 240, command::PING, b"");
    let answers = script.receive_all(&mut world).len();
    assert!((50..60).contains(&answers), "{answers} of 240 at once");
    burst(&mut world, &mut script, 100, command::PING, b"");
    assert_eq!(ends(&world), [End::Flood]);
}

#[test]
fn a_batch_counts_what_it_holds() {
    let (mut world, token) = world();
    let mut client = http::Client::connect(&mut world);
    let points: Vec<String> = (1..=2_000).map(|n| format!("[{},{n}]", 1_789_990_000_000u64 + n)).collect();
    let body = format!("[{}]", points.join(","));
    let ask = |path: &str, body: &str| {
        let target = format!("/external/api/{path}?token={}&pin=v1", token.expose());
        let len = body.len();
        format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n{body}"
        )
    };
    client.send(&mut world, &ask("batch/update", &body));
    world.run_ms(200);
    assert_eq!(client.answers(&mut world).iter().map(|answer| answer.0).collect::<Vec<_>>(), [200]);
    // 125 messages and the body's three: of the first hundred nothing is left, and half a second is owed.
    assert_eq!(client.ask(&mut world, &ask("batch/update", "[[1789990000000,1]]")).0, 429);
    world.run_ms(1_000);
    assert_eq!(client.ask(&mut world, &ask("batch/update", "[[1789990000000,1]]")).0, 200);
}

/// Refusals in a closed loop are work too: they are bounded, at the device's shard and at another one.
#[test]
fn who_goes_on_beyond_the_quota_of_requests_is_held_back() {
    for device in 1..=4 {
        let mut world = World::new(&WorldOptions::default());
        let token = world.add_device(device, None);
        let mut client = http::Client::connect(&mut world);
        let ask = format!("GET /external/api/isHardwareConnected?token={} HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
        client.send(&mut world, &ask.repeat(500));
        world.run_ms(1_000);
        // A hundred that pass, a hundred refusals at once, and then what a second earns with a refusal a tick.
        let at_once = client.answers(&mut world).len();
        assert!((200..300).contains(&at_once), "{at_once} of 500 within a second");
        world.run_ms(8_000);
        assert_eq!(at_once + client.answers(&mut world).len(), 500, "none is lost");
        world.run_ms(10_000);
        client.send(&mut world, &ask.repeat(150));
        world.run_ms(100);
        assert_eq!(client.answers(&mut world).len(), 150, "later it is as if nothing had been");
        world.audit();
    }
}

#[test]
fn a_flood_ends_it() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    burst(&mut world, &mut script, 400, command::HARDWARE, b"vw\x001\x001");
    assert!(is_over(&mut world, &mut script));
    assert_eq!(ends(&world), [End::Flood]);
}

#[test]
fn what_a_device_may_send_comes_back_with_time() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for second in 0..30u8 {
        burst(&mut world, &mut script, 49, command::HARDWARE, format!("vw\0{second}\x001").as_bytes());
        world.run_ms(940);
    }
    assert_eq!(dropped(&mut world), 0, "49 a second are within 50 a second");
}
