//! Closed-loop HTTP over kept-open connections: each sends its next request when the answer has come.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use linchpin_driver::{Choice, ConnId, Driver, Event, Mode, Options, Outgoing, Wait};
use linchpin_protocol::http::client::next_response;

/// Ask over so many connections for so long; returns how many answers came, all with status 200.
///
/// # Panics
/// When a connection breaks or an answer is another one.
#[must_use]
pub fn closed_loop(target: SocketAddr, request: &[u8], connections: u32, time: Duration) -> u64 {
    let options = Options { backend: Choice::IoUring, connections: connections + 8, ..Options::default() };
    let mut driver = Driver::open(&options).expect("a ring of its own");
    let mut received: HashMap<ConnId, Vec<u8>> = HashMap::new();
    for _ in 0..connections {
        received.insert(driver.connect(None, target).expect("connects"), Vec::new());
    }
    driver.flush(&[], &[]);
    let (mut answers, end) = (0, Instant::now() + time);
    let (mut connected, mut ready) = (Vec::new(), Vec::new());
    while Instant::now() < end {
        driver
            .poll(Wait::Until(Duration::from_millis(50)), &mut || false, &mut |event| match event {
                Event::Connected { conn } => connected.push(conn),
                Event::Received { conn, bytes } => {
                    let waiting = received.get_mut(&conn).expect("one of ours");
                    waiting.extend_from_slice(bytes);
                    let response = next_response(waiting, false).expect("a response");
                    if let Some((200, used)) = response.map(|r| (r.status, r.used)) {
                        waiting.drain(..used);
                        answers += 1;
                        ready.push(conn);
                    } else {
                        assert!(response.is_none(), "{}", String::from_utf8_lossy(waiting));
                    }
                }
                Event::EndOfStream { conn } | Event::Failed { conn, .. } | Event::ConnectFailed { conn, .. } => {
                    panic!("{conn:?} was closed")
                }
                _ => {}
            })
            .expect("the ring works");
        for conn in connected.drain(..) {
            driver.arm(conn, Mode::Multi);
            ready.push(conn);
        }
        // One copy of the request serves all.
        let sends: Vec<_> =
            ready.drain(..).map(|conn| Outgoing { conn, start: 0, end: request.len() as u32 }).collect();
        driver.flush(request, &sends);
    }
    answers
}
