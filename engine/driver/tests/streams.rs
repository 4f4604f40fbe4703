//! Bytes: none lost, none twice, none out of order, whatever the socket does.

mod world;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use linchpin_driver::Options;
use world::{EchoThread, client, on_every_back_end};

fn pattern(len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed.wrapping_mul(2_654_435_761).max(1);
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x as u8
        })
        .collect()
}

#[test]
fn echoes_chunks_of_every_size() {
    on_every_back_end(|options| {
        let server = EchoThread::start(options);
        let workers: Vec<_> = (0..8u32)
            .map(|n| {
                let address = server.address;
                std::thread::spawn(move || {
                    let mut stream = client(address);
                    for round in 0..40u32 {
                        let len = 1 + (pattern(4, n * 1_000 + round)[0] as usize) * (1 + round as usize * 6) % 65_536;
                        let sent = pattern(len, n * 77 + round);
                        stream.write_all(&sent).expect("writes");
                        let mut got = vec![0; len];
                        stream.read_exact(&mut got).expect("echoes");
                        assert_eq!(got, sent);
                    }
                    stream.shutdown(Shutdown::Write).expect("half-closes");
                    assert_eq!(stream.read(&mut [0; 1]).expect("ends"), 0, "the server closes after the half-close");
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().expect("every byte is right"));
        let (counters, open, log) = server.stop();
        assert_eq!((open, counters.accepts, counters.backlog_bytes), (0, 8, 0), "{log:?}");
    });
}

#[test]
fn a_peer_that_does_not_read_first_gets_every_byte_in_the_end() {
    on_every_back_end(|options| {
        let server = EchoThread::start(options);
        let mut stream = client(server.address);
        let sent = pattern(3 << 20, 9);
        let mut writer = stream.try_clone().expect("clones");
        let expected = sent.clone();
        let writing = std::thread::spawn(move || writer.write_all(&sent).expect("writes"));
        std::thread::sleep(Duration::from_millis(300));
        let mut got = vec![0; expected.len()];
        stream.read_exact(&mut got).expect("echoes");
        writing.join().expect("wrote");
        assert!(got == expected, "3 MiB came back changed");
        drop(stream);
        let (counters, open, _) = server.stop();
        assert!(counters.short_sends > 0, "the socket was full at some time: {counters:?}");
        assert_eq!((open, counters.backlog_bytes), (0, 0));
    });
}

#[test]
fn few_buffers_are_enough_for_many_connections() {
    on_every_back_end(|options| {
        let options = Options { receive_buffers: 4, receive_buffer_bytes: 64, completions: 16, ..options.clone() };
        let server = EchoThread::start(&options);
        let mut streams: Vec<_> = (0..60).map(|_| client(server.address)).collect();
        for round in 0..5u32 {
            let sent: Vec<_> = (0..60).map(|n| pattern(700, n * 13 + round)).collect();
            for (stream, bytes) in streams.iter_mut().zip(&sent) {
                stream.write_all(bytes).expect("writes");
            }
            for (stream, bytes) in streams.iter_mut().zip(&sent) {
                let mut got = vec![0; bytes.len()];
                stream.read_exact(&mut got).expect("echoes");
                assert_eq!(&got, bytes);
            }
        }
        drop(streams);
        let (counters, open, _) = server.stop();
        assert_eq!(open, 0, "{counters:?}");
        if options.backend == linchpin_driver::Choice::IoUring {
            assert!(counters.no_buffers > 0, "4 buffers were never short: {counters:?}");
        }
    });
}

#[test]
fn resets_end_one_connection_only() {
    on_every_back_end(|options| {
        let server = EchoThread::start(options);
        let mut healthy = client(server.address);
        for n in 0..30u32 {
            let mut rude = client(server.address);
            rude.write_all(&pattern(5_000, n)).expect("writes");
            // Unread answers turn the close into a reset.
            std::thread::sleep(Duration::from_millis(2));
            drop(rude);
            healthy.write_all(&n.to_be_bytes()).expect("writes");
            let mut got = [0; 4];
            healthy.read_exact(&mut got).expect("echoes");
            assert_eq!(got, n.to_be_bytes());
        }
        drop(healthy);
        let (counters, open, _) = server.stop();
        assert_eq!((open, counters.accepts), (0, 31), "{counters:?}");
    });
}
