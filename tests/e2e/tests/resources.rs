//! A process that may have too little of something: a sentence for the operator, never words of a library or a signal.

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, Wire, eventually};
use rustix::process::Signal;

#[test]
fn a_process_with_too_little_says_what_it_needs() {
    for (limit, said) in [
        ("--nofile=16:16", "16 descriptors, it needs"),
        ("--nofile=24:24", "24 descriptors, it needs"),
        ("--as=314572800", "300 MiB of addresses, it needs"),
        ("--as=1572864000", "1500 MiB of addresses, it needs"),
    ] {
        let Err((status, log)) = Server::dev().under("prlimit", [limit]).try_start() else {
            panic!("{limit} is enough: say less")
        };
        assert_eq!(status.code(), Some(1), "{limit}: {log}");
        assert!(log.contains(said), "{limit}: {log}");
        for foreign in ["terminate called", "foreign exception", "panicked", "see --plain"] {
            assert!(!log.contains(foreign), "{limit}: {log}");
        }
    }
}

/// What is said to be enough is enough, on both back ends.
#[test]
fn what_is_said_to_be_needed_is_enough() {
    for back_end in ["io_uring", "portable"] {
        let limits = ["--nofile=48:48", "--as=4294967296"];
        let server = Server::dev().shards(1).option("--driver", back_end).under("prlimit", limits).start();
        Wire::login(server.address(), &server.devices()[0].token).expect_pong();
    }
}

/// The listener of the killed process goes a moment after it: until then the next one does not serve, so that no device meets
/// a listener that nobody looks at.
#[test]
fn nobody_is_reset_after_a_kill_and_an_immediate_start() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a free port");
    let mut server =
        Server::dev().shards(2).option("--plain", free.to_string()).option("--tls", "off").devices(100).start();
    let devices = server.more_devices();
    for _ in 0..5 {
        // Something is in flight.
        let waiting: Vec<_> = (0..20).map(|_| Wire::connect(server.address())).collect();
        server.signal(Signal::KILL);
        eventually(EFFECT, "the killed server ends", || server.has_ended().then_some(()));
        server.start_again();
        for device in &devices {
            Wire::login(server.address(), &device.token).expect_pong();
        }
        drop(waiting);
    }
}
