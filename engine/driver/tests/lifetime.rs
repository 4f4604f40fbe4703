//! Connections come, are closed, refused or moved, and nothing is reported twice or too late.

mod world;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use linchpin_driver::{ConnId, Driver, Event, Mode, Options, Outgoing, Wait};
use world::{client, loopback, on_every_back_end, poll_until};

/// Accept one client; returns both ends.
fn pair(driver: &mut Driver) -> (ConnId, std::net::TcpStream) {
    let (listener, address) = driver.listen(loopback()).expect("listens");
    driver.flush(&[], &[]);
    let stream = client(address);
    let conn = RefCell::new(None);
    poll_until(
        driver,
        |event| {
            if let Event::Accepted { conn: accepted, peer, .. } = event {
                assert_eq!(Some(peer), stream.local_addr().ok());
                *conn.borrow_mut() = Some(accepted);
            }
        },
        || conn.borrow().is_some(),
    );
    driver.stop_listening(listener);
    (conn.into_inner().expect("accepted"), stream)
}

fn send(driver: &mut Driver, conn: ConnId, bytes: &[u8]) {
    driver.flush(bytes, &[Outgoing { conn, start: 0, end: bytes.len() as u32 }]);
}

fn wait_closed(driver: &mut Driver, conn: ConnId) {
    let closed = RefCell::new(false);
    poll_until(
        driver,
        |event| match event {
            Event::Closed { conn: closed_conn } => {
                assert_eq!(closed_conn, conn);
                *closed.borrow_mut() = true;
            }
            other => assert!(!*closed.borrow(), "{other:?} after Closed"),
        },
        || *closed.borrow(),
    );
}

#[test]
fn a_close_delivers_what_was_flushed_and_an_abort_resets() {
    on_every_back_end(|options| {
        let mut driver = Driver::open(options).expect("opens");
        for is_later in [false, true] {
            let (conn, mut stream) = pair(&mut driver);
            driver.arm(conn, Mode::Multi);
            if is_later {
                driver.flush_later(&mut b"last words".to_vec(), &mut vec![Outgoing { conn, start: 0, end: 10 }]);
            } else {
                send(&mut driver, conn, b"last words");
            }
            driver.close(conn);
            driver.flush(&[], &[]);
            wait_closed(&mut driver, conn);
            let mut got = Vec::new();
            stream.read_to_end(&mut got).expect("a graceful end");
            assert_eq!(got, b"last words");
        }

        let (conn, mut stream) = pair(&mut driver);
        driver.arm(conn, Mode::Multi);
        driver.abort(conn);
        driver.flush(&[], &[]);
        wait_closed(&mut driver, conn);
        let error = stream.read(&mut [0; 8]).expect_err("a reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_close_while_bytes_stream_in_is_the_last_event() {
    on_every_back_end(|options| {
        let mut driver = Driver::open(options).expect("opens");
        for round in 0..40u64 {
            let (conn, mut stream) = pair(&mut driver);
            let writing = std::thread::spawn(move || while stream.write_all(&[7; 900]).is_ok() {});
            driver.arm(conn, Mode::Multi);
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(300 * (round % 7)) {
                driver.poll(Wait::No, &mut || false, &mut |_| {}).expect("polls");
                driver.flush(&[], &[]);
            }
            driver.close(conn);
            driver.flush(&[], &[]);
            wait_closed(&mut driver, conn);
            writing.join().expect("ends with the connection");
        }
    });
}

#[test]
fn once_means_once() {
    on_every_back_end(|options| {
        let mut driver = Driver::open(options).expect("opens");
        let (conn, mut stream) = pair(&mut driver);
        stream.write_all(b"one").expect("writes");
        let got = RefCell::new(Vec::new());
        let on = |event: Event<'_>| {
            if let Event::Received { bytes, .. } = event {
                got.borrow_mut().extend_from_slice(bytes);
            }
        };
        driver.arm(conn, Mode::Once);
        poll_until(&mut driver, on, || got.borrow().len() == 3);
        stream.write_all(b"two").expect("writes");
        for _ in 0..10 {
            driver.poll(Wait::Until(Duration::from_millis(5)), &mut || false, &mut |event| on(event)).expect("polls");
            driver.flush(&[], &[]);
        }
        assert_eq!(*got.borrow(), b"one", "nothing is armed");
        driver.arm(conn, Mode::Multi);
        poll_until(&mut driver, on, || got.borrow().len() == 6);
        stream.write_all(b"three").expect("writes");
        poll_until(&mut driver, on, || *got.borrow() == b"onetwothree");
    });
}

#[test]
fn a_full_table_pauses_accepts_and_leaves_others_alone() {
    on_every_back_end(|options| {
        let mut driver = Driver::open(&Options { connections: 8, ..options.clone() }).expect("opens");
        assert_eq!(driver.capacity(), 8);
        let (_, address) = driver.listen(loopback()).expect("listens");
        driver.flush(&[], &[]);
        let mut streams: Vec<_> = (0..20).map(|_| client(address)).collect();
        let accepted = RefCell::new(Vec::new());
        let paused = RefCell::new(0);
        let on = |event: Event<'_>| match event {
            Event::Accepted { conn, peer, .. } => accepted.borrow_mut().push((conn, peer)),
            Event::AcceptPaused { .. } => *paused.borrow_mut() += 1,
            _ => {}
        };
        poll_until(&mut driver, on, || accepted.borrow().len() == 8 && *paused.borrow() > 0);
        // No busy loop while it is full.
        let before = driver.counters().enters;
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(300) {
            driver.poll(Wait::Until(Duration::from_secs(1)), &mut || false, &mut |event| on(event)).expect("polls");
            driver.flush(&[], &[]);
        }
        let enters = driver.counters().enters - before;
        assert!(enters < 60, "{enters} system calls in 300 ms of being full");
        assert_eq!(accepted.borrow().len(), 8);
        // Somebody leaves, somebody else comes in.
        let (first, peer) = accepted.borrow()[0];
        driver.close(first);
        streams.retain(|stream| stream.local_addr().ok() != Some(peer));
        poll_until(&mut driver, on, || accepted.borrow().len() >= 9);
    });
}

/// All are in the listen queue before the first is accepted: the kernel may not take more than the table has room for.
#[test]
fn a_burst_beyond_the_table_waits() {
    on_every_back_end(|options| {
        const CLIENTS: usize = 200;
        let mut driver = Driver::open(&Options { connections: 64, ..options.clone() }).expect("opens");
        let (_, address) = driver.listen(loopback()).expect("listens");
        let mut streams: Vec<_> = (0..CLIENTS).map(|_| client(address)).collect();
        let (open, gone) = (RefCell::new(Vec::new()), RefCell::new(0));
        let mut served = 0;
        while served < CLIENTS {
            poll_until(
                &mut driver,
                |event| match event {
                    Event::Accepted { conn, .. } => open.borrow_mut().push(conn),
                    Event::Closed { .. } => *gone.borrow_mut() += 1,
                    _ => {}
                },
                || *gone.borrow() == served && !open.borrow().is_empty(),
            );
            for conn in open.borrow_mut().drain(..) {
                send(&mut driver, conn, b"!");
                driver.close(conn);
                served += 1;
            }
            driver.flush(&[], &[]);
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let mut got = Vec::new();
            stream.read_to_end(&mut got).expect("no reset");
            assert_eq!(got, b"!", "client {number} of {CLIENTS} was closed without a word");
        }
    });
}

#[test]
fn connects_and_says_when_it_cannot() {
    on_every_back_end(|options| {
        let mut driver = Driver::open(options).expect("opens");
        let listener = TcpListener::bind(loopback()).expect("binds");
        let from = "127.3.2.1:0".parse().expect("an address");
        let conn = driver.connect(Some(from), listener.local_addr().expect("bound")).expect("begins");
        driver.flush(&[], &[]);
        let (mut accepted, peer) = listener.accept().expect("connects");
        assert_eq!(peer.ip().to_string(), "127.3.2.1");
        let connected = RefCell::new(false);
        poll_until(
            &mut driver,
            |event| *connected.borrow_mut() |= event == Event::Connected { conn },
            || *connected.borrow(),
        );
        send(&mut driver, conn, b"hello");
        let mut got = [0; 5];
        accepted.read_exact(&mut got).expect("receives");
        assert_eq!(&got, b"hello");

        let closed_port = TcpListener::bind(loopback()).expect("binds").local_addr().expect("bound");
        let conn = driver.connect(None, closed_port).expect("begins");
        driver.flush(&[], &[]);
        let events = RefCell::new(Vec::new());
        poll_until(
            &mut driver,
            |event| match event {
                Event::ConnectFailed { conn: failed, errno } => events.borrow_mut().push((failed, errno)),
                Event::Closed { conn: closed } => events.borrow_mut().push((closed, 0)),
                _ => {}
            },
            || events.borrow().len() == 2,
        );
        assert_eq!(*events.borrow(), [(conn, 111), (conn, 0)], "refused, then closed");
    });
}

/// The kernel closes before its completions are looked at: a number must not have two lives at once.
#[test]
fn connections_begun_while_others_close_are_not_mixed_up() {
    on_every_back_end(|options| {
        let mut driver = Driver::open(&Options { connections: 64, ..options.clone() }).expect("opens");
        let listener = TcpListener::bind(loopback()).expect("binds");
        let to = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            // Kept open: only this side closes.
            let _kept: Vec<_> = listener.incoming().collect();
        });
        let (connected, closed) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let note = |event: Event<'_>| match event {
            Event::Connected { conn } => connected.borrow_mut().push(conn),
            Event::Closed { conn } => closed.borrow_mut().push(conn),
            Event::ConnectFailed { conn, errno } => panic!("{conn:?} failed with {errno}"),
            _ => {}
        };
        let mut open: Vec<ConnId> = Vec::new();
        for _ in 0..20 {
            connected.borrow_mut().clear();
            closed.borrow_mut().clear();
            let (seen, unseen) = open.split_at(open.len() / 2);
            seen.iter().for_each(|conn| driver.abort(*conn));
            poll_until(&mut driver, note, || closed.borrow().len() == seen.len());
            // These are closed in the kernel, and nobody has looked.
            unseen.iter().for_each(|conn| driver.abort(*conn));
            driver.flush(&[], &[]);
            let begun: Vec<_> = (0..32).map(|_| driver.connect(None, to).expect("half of the table is free")).collect();
            driver.flush(&[], &[]);
            poll_until(&mut driver, note, || {
                connected.borrow().len() == begun.len() && closed.borrow().len() == open.len()
            });
            assert!(begun.iter().all(|conn| connected.borrow().contains(conn)));
            assert!(begun.iter().all(|conn| !unseen.contains(conn)), "a number was given before its close was told");
            open = begun;
        }
    });
}

/// The end of a connection that sent nothing is told like any other, once, and costs nothing afterwards.
#[test]
fn silent_connections_tell_their_end_once() {
    on_every_back_end(|options| {
        let mut driver = Driver::open(options).expect("opens");
        for is_reset in [false, true] {
            let (conn, stream) = pair(&mut driver);
            let ends = RefCell::new(Vec::new());
            let on = |event: Event<'_>| match event {
                Event::EndOfStream { conn } => ends.borrow_mut().push((conn, 0)),
                Event::Failed { conn, errno } => ends.borrow_mut().push((conn, errno)),
                other => panic!("{other:?} of a silent connection"),
            };
            let settle = |driver: &mut Driver| {
                for _ in 0..10 {
                    driver
                        .poll(Wait::Until(Duration::from_millis(5)), &mut || false, &mut |event| on(event))
                        .expect("polls");
                    driver.flush(&[], &[]);
                }
                driver.counters().completions
            };
            driver.arm(conn, Mode::Multi);
            settle(&mut driver);
            let kept = if is_reset {
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("an open socket");
                drop(stream);
                None
            } else {
                stream.shutdown(std::net::Shutdown::Write).expect("half-closes");
                Some(stream)
            };
            poll_until(&mut driver, on, || !ends.borrow().is_empty());
            let before = settle(&mut driver);
            assert_eq!(settle(&mut driver), before, "something goes on after the end");
            assert_eq!(*ends.borrow(), [(conn, if is_reset { libc::ECONNRESET } else { 0 })]);
            driver.close(conn);
            driver.flush(&[], &[]);
            wait_closed(&mut driver, conn);
            drop(kept);
        }
    });
}
