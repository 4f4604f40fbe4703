//! Between threads: connections that move, wake-ups that are never lost.

mod world;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use linchpin_driver::{ConnId, Driver, Event, Mailbox, Mode, Options, Outgoing, Wait};
use world::{client, loopback, on_every_back_end};

/// A thread that receives one chunk of every connection, echoes it and sends the connection to the other thread.
fn bouncer(
    options: &Options,
    tell: &mpsc::Sender<(Mailbox, SocketAddr)>,
    peer: &mpsc::Receiver<Mailbox>,
    stop: &AtomicBool,
) -> u64 {
    let mut driver = Driver::open(options).expect("opens");
    let (_, address) = driver.listen(loopback()).expect("listens");
    tell.send((driver.mailbox(), address)).expect("the test waits");
    let peer = peer.recv().expect("the test tells");
    let mut open: HashMap<ConnId, bool> = HashMap::new();
    let mut refused = 0;
    while !stop.load(Ordering::Relaxed) {
        let (mut arm, mut input, mut ended, mut retry) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        driver
            .poll(Wait::Until(Duration::from_millis(5)), &mut || false, &mut |event| match event {
                Event::Accepted { conn, .. } | Event::Arrived { conn, .. } => {
                    assert!(open.insert(conn, true).is_none(), "{conn:?} is in use");
                    arm.push(conn);
                }
                Event::Received { conn, bytes } => input.push((conn, bytes.to_vec())),
                Event::EndOfStream { conn } | Event::Failed { conn, .. } => ended.push(conn),
                Event::Closed { conn } => assert!(open.remove(&conn).is_some(), "{conn:?} closed twice"),
                Event::TransferFailed { conn, token, .. } => {
                    assert_eq!(token, u64::from(conn.0) + 1_000);
                    refused += 1;
                    retry.push(conn);
                }
                _ => {}
            })
            .expect("polls");
        for conn in arm.into_iter().chain(retry) {
            driver.arm(conn, Mode::Once);
        }
        let mut arena = Vec::new();
        let sends: Vec<_> = input
            .iter()
            .map(|(conn, bytes)| {
                let start = arena.len() as u32;
                arena.extend_from_slice(bytes);
                Outgoing { conn: *conn, start, end: arena.len() as u32 }
            })
            .collect();
        driver.flush(&arena, &sends);
        for (conn, _) in &input {
            driver.transfer(*conn, &peer, u64::from(conn.0) + 1_000);
        }
        ended.into_iter().for_each(|conn| driver.close(conn));
        driver.flush(&[], &[]);
    }
    refused
}

/// Clients talk to two bouncing servers; every byte must come back in order.
fn bounce(options: &Options, clients: u32, rounds: u32) -> u64 {
    let stop = Arc::new(AtomicBool::new(false));
    let ends: Vec<_> = (0..2)
        .map(|_| {
            let (options, stop) = (options.clone(), Arc::clone(&stop));
            let (tell, told) = mpsc::channel();
            let (tell_peer, peer) = mpsc::channel();
            let thread = std::thread::spawn(move || bouncer(&options, &tell, &peer, &stop));
            let (mailbox, address) = told.recv().expect("starts");
            (mailbox, address, tell_peer, thread)
        })
        .collect();
    ends[0].2.send(ends[1].0.clone()).expect("runs");
    ends[1].2.send(ends[0].0.clone()).expect("runs");
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            let addresses = [ends[0].1, ends[1].1];
            std::thread::spawn(move || {
                let mut streams: Vec<_> =
                    (0..clients / 8).map(|n| client(addresses[(n + worker) as usize % 2])).collect();
                for round in 0..rounds {
                    for (n, stream) in streams.iter_mut().enumerate() {
                        let len = 1 + (n * 7 + round as usize * 131) % 480;
                        let byte = (n as u32 + round) as u8;
                        stream.write_all(&vec![byte; len]).expect("writes");
                        let mut got = vec![0; len];
                        stream.read_exact(&mut got).expect("echoes");
                        assert!(got.iter().all(|b| *b == byte), "bytes of another round or connection");
                    }
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().expect("every byte is right"));
    stop.store(true, Ordering::Relaxed);
    ends.into_iter().map(|end| end.3.join().expect("no assertion failed in the server")).sum()
}

#[test]
fn connections_move_between_drivers_without_losing_a_byte() {
    on_every_back_end(|options| {
        bounce(options, 240, 12);
    });
}

#[test]
fn a_full_target_gives_the_connection_back() {
    on_every_back_end(|options| {
        // Two tables of 64 for 112 connections: both are nearly full all the time.
        bounce(&Options { connections: 64, ..options.clone() }, 112, 20);
    });
}

#[test]
fn no_wake_up_is_lost() {
    on_every_back_end(|options| {
        let work = Arc::new(AtomicU64::new(0));
        let done = Arc::new(AtomicU64::new(0));
        const ITEMS: u64 = 3_000;
        let (tell, told) = mpsc::channel();
        let thread = {
            let (options, work, done) = (options.clone(), Arc::clone(&work), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut driver = Driver::open(&options).expect("opens");
                tell.send(driver.waker()).expect("the test waits");
                let mut seen = 0;
                while seen < ITEMS {
                    let now = work.load(Ordering::Acquire);
                    if now != seen {
                        seen = now;
                        done.store(seen, Ordering::Release);
                        continue;
                    }
                    let start = Instant::now();
                    driver
                        .poll(
                            Wait::Until(Duration::from_secs(5)),
                            &mut || work.load(Ordering::Acquire) != seen,
                            &mut |_| {},
                        )
                        .expect("polls");
                    assert!(start.elapsed() < Duration::from_secs(4), "slept through a wake-up at {seen}");
                    driver.flush(&[], &[]);
                }
            })
        };
        let waker = told.recv().expect("starts");
        for item in 1..=ITEMS {
            work.store(item, Ordering::Release);
            waker.wake_if_asleep();
            // Sometimes let it fall asleep, sometimes race with it.
            match item % 3 {
                0 => {
                    while done.load(Ordering::Acquire) < item {
                        std::hint::spin_loop();
                    }
                }
                1 => std::thread::sleep(Duration::from_micros(item % 50)),
                _ => {}
            }
        }
        thread.join().expect("every wake-up came");
    });
}
