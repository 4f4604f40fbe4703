//! Each state of an ask has a time.

use linchpin_shard::End;
use linchpin_shard::limits::{ASK_ANSWER_MS, ASK_GRACE_MS};

use super::*;

#[test]
fn an_answer_that_does_not_come_is_503() {
    let (mut world, mut client) = world_and_client();
    client.ask(&mut world, "GET", "/api/silent", "", b"");
    run(&mut world, &mut client, ASK_ANSWER_MS - 100);
    assert!(client.answers.is_empty());
    run(&mut world, &mut client, 500);
    assert_eq!(statuses(&client), [503]);
    assert_eq!(world.control(0).cancelled, 1);
    run(&mut world, &mut client, 2_000);
    assert!(world.is_over(client.conn));
    leave(&mut world, &[]);
}

#[test]
fn a_body_that_drips_is_408_and_one_at_the_rate_is_taken() {
    let mut world = world();
    let mut drip = Asker::connect(&mut world, [127, 0, 0, 1]);
    let mut steady = Asker::connect(&mut world, [127, 0, 0, 2]);
    let body: Vec<u8> = (0..200 << 10).map(linchpin_sim::control::pattern).collect();
    for client in [&mut drip, &mut steady] {
        client.ask(&mut world, "PUT", "/api/sink", &format!("Content-Length: {}\r\n", body.len()), b"");
    }
    let begun = world.now_ms();
    let mut ended = None;
    for (at, second) in body.chunks(1_100).enumerate() {
        world.send(steady.conn, second);
        if drip.answers.is_empty() {
            world.send(drip.conn, &[linchpin_sim::control::pattern(at)]);
        }
        run(&mut world, &mut steady, 1_000);
        drip.read(&mut world);
        if !drip.answers.is_empty() && ended.is_none() {
            ended = Some(world.now_ms() - begun);
        }
    }
    run(&mut world, &mut steady, 2_000);
    assert_eq!(statuses(&drip), [408]);
    assert!(ended.is_some_and(|ms| (ASK_GRACE_MS..ASK_GRACE_MS + 2_500).contains(&ms)), "{ended:?}");
    assert_eq!(statuses(&steady), [200], "three minutes at the rate: {:?}", world.ends);
    leave(&mut world, &[&steady]);
}

#[test]
fn who_reads_too_slowly_is_cut() {
    let (mut world, client) = world_and_client();
    world.set_window(client.conn, 2_000);
    let mut client = client;
    client.ask(&mut world, "GET", "/api/stream?10000000", "", b"");
    world.run_ms(ASK_GRACE_MS + 60_000);
    assert!(world.ends.is_empty(), "the socket holds 64 KiB: that takes a minute at the rate");
    world.run_ms(20_000);
    assert_eq!(world.ends.last().map(|end| end.1), Some(End::OutboundFull));
    assert!(world.wires[client.conn].reset);
    leave(&mut world, &[]);
}
