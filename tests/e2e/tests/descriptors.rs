//! The descriptor limit: connections beyond it wait, those that stand live on.

use std::time::Duration;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{BackEnd, Frame, Server, Wire, command, eventually, status};

/// Far below what is opened against it; the server itself, with its store, holds about 35.
const LIMIT: usize = 64;

fn beyond_the_limit(back_end: BackEnd) {
    let limit = format!("--nofile={LIMIT}:{LIMIT}");
    let server = Server::dev().under("prlimit", [limit]).back_end(back_end).shards(1).devices(2 * LIMIT as u32).start();
    let devices = server.more_devices();

    // One after the other logs in: of those that have not, the server ends some when its table is nearly full (E0407).
    let mut served = Vec::new();
    for device in &devices {
        let mut wire = Wire::connect(server.address());
        wire.send(command::LOGIN, device.token.as_bytes());
        let patience = if served.len() < LIMIT / 4 { EFFECT } else { Duration::from_millis(500) };
        match wire.receive(patience) {
            Some(answer) => assert_eq!(answer, Frame::response(1, status::OK)),
            None => break,
        }
        served.push(wire);
    }
    assert!(served.len() >= LIMIT / 4, "only {} of {LIMIT} were served", served.len());
    // A ring's own table holds as many as the limit says; plain descriptors share it with files and listeners.
    assert!(served.len() <= LIMIT, "{} connections with a limit of {LIMIT}", served.len());
    assert!(served.len() < devices.len(), "the limit was never met");
    // Those that stand live on, whoever else comes meanwhile.
    let waiting: Vec<_> = (0..LIMIT).map(|_| Wire::connect(server.address())).collect();
    for wire in &mut served {
        wire.expect_pong();
    }
    drop(waiting);

    // Those that go make room.
    let next = devices[served.len()].clone();
    drop(served);
    eventually(EFFECT, "there is room again", || {
        let mut wire = Wire::connect(server.address());
        wire.send(command::LOGIN, next.token.as_bytes());
        (wire.receive(Duration::from_millis(500)) == Some(Frame::response(1, status::OK))).then_some(())
    });
}

#[test]
fn io_uring_waits_for_room() {
    beyond_the_limit(BackEnd::IoUring);
}

#[test]
fn the_portable_back_end_waits_for_room() {
    beyond_the_limit(BackEnd::Portable);
}
