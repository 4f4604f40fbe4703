//! Real clients at a real distance: each connects through a proxy that delays both ways, while 20 values a second are
//! written to its device. Loopback hides what they meet then: a value between a login and the answer to INFO.
//! `LINCHPIN_FAR_ROUNDS=50 cargo test -p linchpin-compat --test far_away` lets each connect 50 times at each distance.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use linchpin_compat::limits::{EFFECT, LOGIN};
use linchpin_compat::trace::{From, recorded, with_token};
use linchpin_compat::{BackEnd, Client, Device, Frame, Library, Server, SlowProxy, Wire, command, status};
use serde_json::json;

/// One way, ms: round trips of 0, 50 and 200 ms, the last being 100 ms each way.
const ONE_WAY_MS: [u64; 3] = [0, 25, 100];
/// How often each client connects at each distance; `LINCHPIN_FAR_ROUNDS` says another number.
const ROUNDS: usize = 3;
/// Between two rounds, if they are more than a device may log in at once.
const BETWEEN_LOGINS: Duration = Duration::from_millis(1_100);
/// Between two values for a device: 20 a second.
const BETWEEN_VALUES: Duration = Duration::from_millis(50);
/// Pin that they are written to.
const PIN: u8 = 4;

/// Writes values to a device, straight to the server, as long as it lives.
struct Writing<'a> {
    stop: AtomicBool,
    written: AtomicU32,
    address: SocketAddr,
    device: &'a Device,
}

impl<'a> Writing<'a> {
    fn new(address: SocketAddr, device: &'a Device) -> Self {
        Self { stop: AtomicBool::new(false), written: AtomicU32::new(0), address, device }
    }

    fn run(&self) {
        let mut http = TcpStream::connect(self.address).expect("connects");
        http.set_nodelay(true).expect("TCP_NODELAY");
        http.set_read_timeout(Some(LOGIN)).expect("a time limit");
        let mut buffer = [0; 4_096];
        while !self.stop.load(Ordering::Relaxed) {
            let n = self.written.fetch_add(1, Ordering::Relaxed);
            let path = format!("/external/api/update?v{PIN}={n}&token={}", self.device.token);
            http.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).expect("writes");
            let len = http.read(&mut buffer).expect("an answer");
            let answer = String::from_utf8_lossy(&buffer[..len]);
            assert!(answer.starts_with("HTTP/1.1 200"), "a value for device {}: {answer}", self.device.id);
            std::thread::sleep(BETWEEN_VALUES);
        }
    }
}

/// Let `connect` run while values are written to the device.
fn under_fire<T>(server: &Server, device: &Device, connect: impl FnOnce(&Writing<'_>) -> T) -> T {
    let writing = Writing::new(server.address(), device);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| writing.run());
        // Values are on their way before the client begins.
        while writing.written.load(Ordering::Relaxed) < 2 && !run.is_finished() {
            std::thread::sleep(BETWEEN_VALUES);
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| connect(&writing)));
        writing.stop.store(true, Ordering::Relaxed);
        run.join().expect("values were written");
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// It connects at the first try, and hears of what is written from then on.
fn connects(library: Library, server: &Server, proxy: &SlowProxy, device: &Device) {
    under_fire(server, device, |writing| {
        let mut client = Client::start_at(library, server, device, proxy.address());
        client.expect_event(LOGIN, &json!({"event": "connected"}));
        for failed in ["disconnected", "error"] {
            assert!(!client.has_said(&json!({"event": failed})), "{library:?} {failed} before it was connected");
        }
        let from = writing.written.load(Ordering::Relaxed);
        let value = client.expect_event(EFFECT, &json!({"event": "write", "pin": PIN}));
        assert!(value["values"][0].is_string(), "{value}, after value {from}");
        // A value of its own arrives.
        client.order(&json!({"order": "write", "pin": 9, "values": [format!("from {library:?}")]}));
        linchpin_compat::eventually(EFFECT, "a value of the client", || {
            (server.value(device, "V9").as_deref() == Some(&format!("from {library:?}"))).then_some(())
        });
        assert!(!client.has_said(&json!({"event": "disconnected"})), "{library:?} lost its connection");
    });
}

/// The recorded programs of the C++ library, which is on no registry: login and INFO are answered before any value comes.
/// Each has a device of its own: one device may log in ten times at once.
fn cpp_programs(server: &Server, proxy: &SlowProxy, devices: &[Device]) {
    for (name, device) in ["cpp-linux-0.6.1", "cpp-linux-1.0.1", "cpp-linux-1.4.0"].into_iter().zip(devices) {
        under_fire(server, device, |_| {
            let mut wire = Wire::connect(proxy.address());
            let mut said = recorded(name).into_iter().filter(|(from, _)| *from != From::Server).map(|(_, bytes)| {
                let bytes = with_token(&bytes, &device.token);
                Frame::parse(&bytes).expect("a recorded frame is whole").0
            });
            for wanted in [command::LOGIN, command::INTERNAL] {
                let frame = said.next().expect("it logs in and introduces itself");
                assert_eq!(frame.command, wanted, "{name}");
                wire.send_bytes(&frame.bytes());
                let answer = wire.receive(LOGIN).unwrap_or_else(|| panic!("{name}: no answer to {frame:?}"));
                assert_eq!(answer, Frame::response(frame.id, status::OK), "{name}: nothing comes before it");
            }
            let value = wire.receive(EFFECT).unwrap_or_else(|| panic!("{name}: no value"));
            assert_eq!(value.command, command::HARDWARE, "{name}: {value:?}");
        });
    }
}

/// Debian's mosquitto: it subscribes and gets a value.
fn mosquitto(server: &Server, at: SocketAddr, ca: Option<&Path>, device: &Device) {
    under_fire(server, device, |_| {
        let mut line = Command::new("mosquitto_sub");
        line.args(["-h", &at.ip().to_string(), "-p", &at.port().to_string(), "-V", "311", "-u", "device"]);
        line.args(["-P", &device.token, "-t", "downlink/#", "-C", "3", "-W", &LOGIN.as_secs().to_string()]);
        if let Some(ca) = ca {
            line.arg("--cafile").arg(ca);
        }
        let ran = line.output().expect("mosquitto's clients are installed");
        assert!(ran.status.success(), "mosquitto_sub at {at}: {}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(String::from_utf8_lossy(&ran.stdout).lines().count(), 3);
    });
}

fn far_away(back_end: BackEnd) {
    let libraries = [
        Library::BlynkLibrary,
        Library::Blynklib,
        Library::BlynkLibraryPython,
        Library::BlynkLibrarySsl,
        Library::BlynklibSsl,
    ];
    let server = Server::dev().back_end(back_end).shards(2).devices(libraries.len() as u32 + 5).start();
    let devices = server.more_devices();
    let (others, mine) = devices.split_at(5);
    let rounds = std::env::var("LINCHPIN_FAR_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    for one_way in ONE_WAY_MS.map(Duration::from_millis) {
        let plain = SlowProxy::start(server.address(), one_way);
        let tls = SlowProxy::start(server.tls_address(), one_way);
        for _ in 0..rounds {
            // A device may log in ten times at once and once a second after that.
            let pause = (rounds > ROUNDS).then(|| std::time::Instant::now() + BETWEEN_LOGINS);
            std::thread::scope(|scope| {
                for (library, device) in libraries.into_iter().zip(mine) {
                    let proxy = if library.is_tls() { &tls } else { &plain };
                    let server = &server;
                    scope.spawn(move || connects(library, server, proxy, device));
                }
                scope.spawn(|| cpp_programs(&server, &plain, &others[2..]));
                scope.spawn(|| mosquitto(&server, plain.address(), None, &others[0]));
                scope.spawn(|| mosquitto(&server, tls.address(), Some(&server.ca()), &others[1]));
            });
            if let Some(until) = pause {
                std::thread::sleep(until.saturating_duration_since(std::time::Instant::now()));
            }
        }
    }
    server.expect_no_token_in_log(&devices);
}

#[test]
fn clients_connect_from_far_away_on_io_uring() {
    far_away(BackEnd::IoUring);
}

#[test]
fn clients_connect_from_far_away_on_the_portable_back_end() {
    far_away(BackEnd::Portable);
}
