//! How long tests wait, each with its reason. All are upper bounds: tests go on as soon as what they wait for is there.

use std::time::Duration;

/// From the start of the binary to its ready file. A debug build under strace on a loaded machine takes seconds.
pub const START: Duration = Duration::from_secs(30);
/// From the start of a client library to its login.
pub const LOGIN: Duration = Duration::from_secs(20);
/// From an order to its effect on the other side. Clients poll each 50 ms, paced sends are 50 ms apart.
pub const EFFECT: Duration = Duration::from_secs(8);
/// From a lost connection to the next login: the Python clients notice after 1.5 times their heartbeat of 10 s at the
/// latest, blynk-library waits 5 s before it connects again and up to 10 s when that fails.
pub const RECONNECT: Duration = Duration::from_secs(30);
/// A silence in which the Python clients (heartbeat 10 s) give up unless their ping is answered: at 15 s.
pub const SILENCE: Duration = Duration::from_secs(17);
/// Between two looks at a condition.
pub const POLL: Duration = Duration::from_millis(50);
/// From SIGTERM to the end of the binary.
pub const STOP: Duration = Duration::from_secs(20);

/// Between two looks of a proxy for a new connection.
pub const PROXY_TICK: Duration = Duration::from_millis(2);
/// Pieces of 16 KiB that are on their way in a proxy, a direction.
pub const PROXY_PIECES: usize = 1_024;

const _: () = assert!(SILENCE.as_secs() > 15, "a client that gave up must show");
const _: () = assert!(RECONNECT.as_secs() > 15 + 10, "a client may take its own time");
