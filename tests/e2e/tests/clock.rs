//! The machine's wall clock is years off, at a start and while the server runs: history stays, devices stay, tickets of TLS
//! are no obstacle. The server's clock is set by a library that is loaded before its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Folder, Server, Wire, eventually, text};
use linchpin_e2e::{Http, Secure};
use linchpin_fleet::tls::Trust;

const DAY_S: i64 = 86_400;
const YEAR_S: i64 = 365 * DAY_S;
/// Said when the clock is not believed.
const NOT_BELIEVED: &str = "the clock is ahead of all that this store has seen";

/// A wall clock that can be set.
struct Clock {
    folder: Folder,
}

impl Clock {
    fn new() -> Self {
        let clock = Self { folder: Folder::new() };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/clock.c");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.library()).arg(source).status();
        assert!(made.expect("a C compiler").success(), "{source} is not compiled");
        clock.set(0);
        clock
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("clock.so")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("off")
    }

    /// Seconds before or after the right time. One write of all bytes: whoever reads sees the old or the new.
    fn set(&self, off_s: i64) {
        std::fs::write(self.file(), format!("{off_s:<20}")).expect("writes");
    }

    /// What stands before a command line whose clock this is.
    fn line(&self) -> [String; 2] {
        let said = |path: &Path| path.to_str().expect("a folder in UTF-8").to_owned();
        [format!("LD_PRELOAD={}", said(&self.library())), format!("CLOCK_OFF={}", said(&self.file()))]
    }
}

/// A point a day, the newest yesterday.
fn fill(server: &Server, token: &str) {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let points: Vec<String> = (1..=25).map(|day| format!("[{},{day}]", (now_s - day * DAY_S) * 1_000)).collect();
    let path = format!("/external/api/batch/update?pin=v3&token={token}");
    let body = format!("[{}]", points.join(","));
    let reply =
        Http::connect(server.address()).ask("POST", &path, "Content-Type: application/json\r\n", body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// Everything of one device: by the day, and each point.
fn history(server: &Server, id: &str) -> [String; 2] {
    let export = |args: &[&str]| {
        let line = [&["device", "export", id, "--pin", "V3", "--format", "TS"], args].concat();
        let (csv, stderr, status) = server.operate(&line);
        assert!(status.success(), "{stderr}");
        csv
    };
    [export(&["--granularity", "DAILY", "--source", "SUM"]), export(&[])]
}

fn resumed(server: &Server) -> u64 {
    let page = Http::connect(text(server.ready(), "metrics").parse().expect("an address")).get("/metrics").body;
    let lines = page.lines().filter(|line| line.starts_with("linchpin_tls_handshakes_resumed_total"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[test]
fn a_clock_that_is_years_off_costs_no_history_no_device_and_no_client() {
    let clock = Clock::new();
    let mut server = Server::dev().shards(2).under("env", clock.line()).start();
    let device = server.devices()[1].clone();
    fill(&server, &device.token);
    let before = eventually(EFFECT, "all points are there", || {
        let all = history(&server, &device.id);
        all.iter().all(|csv| csv.lines().count() == 26).then_some(all)
    });
    // A client that remembers its session: its ticket is of the right time.
    let trust = Trust::remembering(&server.ca(), 4);
    Secure::connect(server.tls_address(), &trust).ask(1);
    Secure::connect(server.tls_address(), &trust).ask(1);
    eventually(EFFECT, "a session is resumed", || (resumed(&server) > 0).then_some(()));

    // While it runs.
    let mut wire = Wire::login(server.address(), &device.token);
    for off_s in [YEAR_S, 10 * YEAR_S, -YEAR_S, 0] {
        clock.set(off_s);
        wire.expect_pong();
        Secure::connect(server.tls_address(), &trust).ask(1);
        Wire::login(server.address(), &server.devices()[2].token).expect_pong();
        if off_s > 0 {
            eventually(EFFECT, "it looked for what has expired", || server.log().contains(NOT_BELIEVED).then_some(()));
        }
        wire.expect_pong();
    }
    assert_eq!(history(&server, &device.id), before, "after the clock was set while it ran");
    drop(wire);

    // At a start.
    for off_s in [10 * YEAR_S, -YEAR_S] {
        assert!(server.stop().success(), "{}", server.log());
        clock.set(off_s);
        server.start_again();
        if off_s > 0 {
            eventually(EFFECT, "it looked for what has expired", || server.log().contains(NOT_BELIEVED).then_some(()));
        }
        Wire::login(server.address(), &device.token).expect_pong();
        assert!(server.stop().success(), "{}", server.log());
        clock.set(0);
        server.start_again();
        assert_eq!(history(&server, &device.id), before, "after a start {} years off", off_s / YEAR_S);
    }
    // Its ticket has lain for a while, as it seems: a whole handshake serves it at least.
    Secure::connect(server.tls_address(), &trust).ask(1);
}
