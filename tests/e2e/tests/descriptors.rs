//! The descriptor limit: connections beyond it wait, those that stand live on.

use std::time::Duration;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{BackEnd, Frame, Server, Wire, command, status};

/// Far below what is opened against it; the server itself, with its store, holds about 50.
const LIMIT: usize = 80;

fn beyond_the_limit(back_end: BackEnd) {
    let limit = format!("--nofile={LIMIT}:{LIMIT}");
    let server = Server::dev().under("prlimit", [limit]).back_end(back_end).shards(1).devices(2 * LIMIT as u32).start();
    let devices = server.more_devices();

    // All connect: the kernel completes the handshake of those that the server has not accepted.
    let mut wires: Vec<_> = devices.iter().map(|_| Wire::connect(server.address())).collect();
    let mut served = Vec::new();
    for (number, (wire, device)) in wires.iter_mut().zip(&devices).enumerate() {
        wire.send(command::LOGIN, device.token.as_bytes());
        let patience = if number < LIMIT / 4 { EFFECT } else { Duration::from_millis(50) };
        match wire.receive(patience) {
            Some(answer) => assert_eq!(answer, Frame::response(1, status::OK)),
            None => break,
        }
        served.push(number);
    }
    assert!(served.len() >= LIMIT / 4, "only {} of {LIMIT} were served", served.len());
    // A ring's own table holds as many as the limit says; plain descriptors share it with files and listeners.
    assert!(served.len() <= LIMIT, "{} connections with a limit of {LIMIT}", served.len());
    std::thread::sleep(Duration::from_millis(500));
    for number in &served {
        wires[*number].expect_pong();
    }

    // Those that go make room for those that wait. They logged in before anybody read it.
    let waiting = wires.split_off(served.len());
    drop(wires);
    let mut next = waiting.into_iter().next().expect("one that waits");
    next.expect(&Frame::response(1, status::OK));
    next.expect_pong();
}

#[test]
fn io_uring_waits_for_room() {
    beyond_the_limit(BackEnd::IoUring);
}

#[test]
fn the_portable_back_end_waits_for_room() {
    beyond_the_limit(BackEnd::Portable);
}
