//! Values over restarts, with the store on the disk: they are written in all ways with times in any order, the server is
//! stopped or killed at random, and the same latest values and the same history are found. The simulator does it with more
//! seeds and without a disk (`tests/sim/tests/behaviour/restarts`). `LINCHPIN_SEED=n` takes other values.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{BackEnd, Device, Server, Wire, command, eventually, field, status};
use linchpin_e2e::{Http, Mqtt, Random};
use rustix::process::Signal;
use serde_json::Value;

/// Pins of each device.
const PINS: usize = 3;
/// Writes between two restarts.
const WRITES: usize = 40;
/// Restarts: every second one is a SIGKILL.
const RESTARTS: usize = 4;

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// What must be found of a pin.
#[derive(Debug, Default)]
struct Pin {
    /// Points with times of their own: of one millisecond the last counts.
    timed: BTreeMap<u64, f64>,
    /// Points of the moment in which they came, with the first and the last ms that it can be.
    at_once: Vec<(u64, u64, f64)>,
    /// Value and time of the newest; no value: it was erased.
    newest: Option<(Option<String>, u64)>,
}

impl Pin {
    fn write(&mut self, at_ms: u64, value: &str) {
        if self.newest.as_ref().is_none_or(|newest| newest.1 <= at_ms) {
            self.newest = Some((Some(value.to_owned()), at_ms));
        }
    }

    /// Times and values of its history; of those that came at once the time is not known exactly.
    fn expect_history(&self, rows: &Value, what: &str) {
        let row = |row: &Value| (field(row, "time").as_u64().expect("ms"), field(row, "value").as_f64().expect("f64"));
        let rows: Vec<_> = rows.as_array().expect("rows").iter().map(row).collect();
        let asked_ms = now_ms();
        let mut timed: Vec<_> =
            self.timed.iter().map(|(at, value)| (*at, *value)).filter(|it| it.0 < asked_ms).collect();
        let mut at_once = self.at_once.iter();
        for (at, value) in rows {
            match timed.iter().position(|it| *it == (at, value)) {
                Some(index) => drop(timed.remove(index)),
                None => {
                    let next = at_once.next();
                    let is_right = next.is_some_and(|(from, to, is)| (*from..=*to).contains(&at) && *is == value);
                    assert!(is_right, "{what}: {value} at {at}, not {next:?}");
                }
            }
        }
        let missing: Vec<_> = at_once.collect();
        assert!(timed.is_empty() && missing.is_empty(), "{what}: {timed:?} and {missing:?} are missing");
    }
}

/// A device with its connection.
enum Line {
    Blynk(Wire),
    Mqtt(Mqtt),
}

struct World {
    server: Server,
    random: Random,
    devices: Vec<Device>,
    lines: Vec<Line>,
    source: Wire,
    http: Http,
    pins: Vec<Vec<Pin>>,
    count: u32,
}

impl World {
    fn start(back_end: BackEnd, seed: u64) -> Self {
        let server = Server::dev().back_end(back_end).shards(2).devices(3).start();
        let devices = server.more_devices();
        let (lines, source, http) = connect(&server, &devices);
        let pins = (0..2).map(|_| (0..PINS).map(|_| Pin::default()).collect()).collect();
        Self { server, random: Random::new(seed), devices, lines, source, http, pins, count: 0 }
    }

    /// End the process and start it again: in order, or by a kill once what was written is on the disk.
    fn restart(&mut self, kill: bool) {
        if kill {
            eventually(EFFECT, "all points are on the disk", || {
                (field(&self.server.ask(&["store", "stats"]), "at_risk_ms") == 0).then_some(())
            });
            self.server.signal(Signal::KILL);
            eventually(EFFECT, "the killed server ends", || self.server.has_ended().then_some(()));
            self.server.start_again();
        } else {
            self.server.restart();
        }
        (self.lines, self.source, self.http) = connect(&self.server, &self.devices);
    }

    fn now(&mut self, device: usize, pin: usize, text: &str, number: Option<f64>, from_ms: u64) {
        let to_ms = now_ms();
        let pin = &mut self.pins[device][pin];
        pin.at_once.extend(number.map(|number| (from_ms, to_ms, number)));
        pin.write(to_ms, text);
    }

    /// Times in the past, now and then in the future, and often the same.
    fn time(&mut self) -> u64 {
        let now = now_ms();
        let some = self.random.between(1, 20) as u64;
        match self.random.between(0, 4) {
            0 => now + 3_600_000 * some,
            1 => now - 86_400_000 * some,
            2 => now - 60_000 * some,
            _ => now / 86_400_000 * 86_400_000 - 1_000 * (some % 4),
        }
    }

    fn get(&mut self, device: usize, call: &str) {
        let reply = self.http.api(&self.devices[device], call);
        assert_eq!(reply.status, 200, "{call}: {}", reply.body);
    }

    fn send_json(&mut self, method: &str, path: &str, json: &str) {
        let reply = self.http.ask(method, path, "Content-Type: application/json\r\n", json.as_bytes());
        assert_eq!(reply.status, 200, "{path} {json}: {}", reply.body);
    }

    /// One write in one of all ways.
    fn write(&mut self) {
        self.count += 1;
        let (n, device, pin) = (self.count, self.random.between(0, 1), self.random.between(0, PINS - 1));
        // Of points in one millisecond only the last is kept.
        std::thread::sleep(Duration::from_millis(2));
        let from_ms = now_ms();
        let token = self.devices[device].token.clone();
        // A bridged value is waited for: it must show.
        let is_hidden = self.pins[device][pin].newest.as_ref().is_some_and(|newest| newest.1 > from_ms);
        match self.random.between(0, 6) {
            2 if is_hidden => self.get(device, &format!("update?v{pin}={n}")),
            0 => self.get(device, &format!("update?v{pin}={n}")),
            1 => self.send_json("PUT", &format!("/{token}/update/v{pin}"), &format!("[\"{n}\"]")),
            2 => {
                let text = n.to_string();
                self.source.send_parts(command::BRIDGE, &[&device.to_string(), "vw", &pin.to_string(), &text]);
                eventually(EFFECT, "the bridged value", || {
                    (self.http.api(&self.devices[device], &format!("get?v{pin}")).body == text).then_some(())
                });
            }
            3 => {
                self.get(device, &format!("update?v{pin}="));
                return self.now(device, pin, "", None, from_ms);
            }
            4 => return self.by_batch(device, pin, n),
            _ => return self.by_device(device, pin, n, from_ms),
        }
        self.now(device, pin, &n.to_string(), Some(f64::from(n)), from_ms);
    }

    fn by_batch(&mut self, device: usize, pin: usize, n: u32) {
        let token = self.devices[device].token.clone();
        let (a, b) = (self.time(), self.time());
        let json = format!("[[{a},{n}],[{b},{n}.5],[{a},{n}.25]]");
        match (self.random.between(0, 1), &mut self.lines[device]) {
            (0, Line::Mqtt(mqtt)) => {
                assert_eq!(mqtt.publish(&format!("ds/V{pin}/timestamped_batch"), json.as_bytes()), 0, "{json}");
            }
            _ => self.send_json("POST", &format!("/external/api/batch/update?token={token}&pin=v{pin}"), &json),
        }
        for (at, text) in [(a, n.to_string()), (b, format!("{n}.5")), (a, format!("{n}.25"))] {
            self.pins[device][pin].timed.insert(at, text.parse().expect("a number"));
            self.pins[device][pin].write(at, &text);
        }
    }

    fn by_device(&mut self, device: usize, pin: usize, n: u32, from_ms: u64) {
        let (at, way) = (self.time(), self.random.between(0, 3));
        let (index, text) = (pin.to_string(), n.to_string());
        match &mut self.lines[device] {
            Line::Blynk(wire) if way < 2 => {
                wire.send_parts(command::GROUP, &["t", &at.to_string()]);
                wire.send_parts(command::HARDWARE, &["vw", &index, &text]);
                wire.send_parts(command::GROUP, &["e"]);
                pong(wire);
                self.pins[device][pin].timed.insert(at, f64::from(n));
                self.pins[device][pin].write(at, &text);
            }
            Line::Blynk(wire) => {
                let parts = ["vw", &index, &text, "b"];
                wire.send_parts(command::HARDWARE, if way == 2 { &parts } else { &parts[..3] });
                pong(wire);
                let (text, number) = if way == 2 { (format!("{n}\0b"), None) } else { (text, Some(f64::from(n))) };
                self.now(device, pin, &text, number, from_ms);
            }
            Line::Mqtt(mqtt) if way == 0 => {
                assert_eq!(mqtt.publish(&format!("ds/V{pin}/erase"), b""), 0);
                let newest = &mut self.pins[device][pin].newest;
                if let Some((value @ Some(_), at_ms)) = newest {
                    (*value, *at_ms) = (None, (*at_ms).max(now_ms()));
                }
            }
            Line::Mqtt(mqtt) => {
                assert_eq!(mqtt.publish("batch_ds", format!("{{\"V{pin}\":{n}.50}}").as_bytes()), 0);
                self.now(device, pin, &format!("{n}.50"), Some(f64::from(n) + 0.5), from_ms);
            }
        }
    }

    fn compare(&mut self, what: &str) {
        for (device, pins) in self.devices.iter().zip(&self.pins) {
            let view = self.server.view(device);
            let values = field(&view, "values").as_array().expect("values");
            for (index, pin) in pins.iter().enumerate() {
                let what = format!("{what}, device {}, V{index}", device.id);
                let found = values.iter().find(|value| field(value, "pin") == &format!("V{index}"));
                let found = found.map(|value| field(value, "value").as_str().expect("a text").to_owned());
                let wanted = pin.newest.as_ref().and_then(|newest| newest.0.clone());
                assert_eq!(found, wanted, "{what}: {pin:?}");
                let reply = self.http.api(device, &format!("data/get?pin=v{index}&period=MONTH"));
                assert_eq!(reply.status, 200, "{what}: {}", reply.body);
                pin.expect_history(&serde_json::from_str(&reply.body).expect("JSON"), &what);
            }
        }
    }
}

/// Values of others come first.
fn pong(wire: &mut Wire) {
    let id = wire.send(command::PING, b"");
    while let Some(frame) = wire.receive(EFFECT) {
        if frame.command == command::RESPONSE && frame.id == id {
            return;
        }
    }
    panic!("the PING was not answered");
}

/// The first device speaks Blynk, the second MQTT; the third has bridges to both.
fn connect(server: &Server, devices: &[Device]) -> (Vec<Line>, Wire, Http) {
    // What was written before is read while the server serves: until then it asks for patience.
    let mut http = Http::connect(server.address());
    eventually(EFFECT, "values of the last run are read", || {
        (http.api(&devices[0], "getAll").status == 200).then_some(())
    });
    let mut wire = Wire::login(server.address(), &devices[0].token);
    wire.expect_status(command::INTERNAL, &["ver", "1.4.0", "buff-in", "4096", "h-beat", "600"], status::OK);
    let lines = vec![Line::Blynk(wire), Line::Mqtt(Mqtt::login(server.address(), &devices[1]))];
    let mut source = Wire::login(server.address(), &devices[2].token);
    source.expect_status(command::INTERNAL, &["ver", "1.4.0", "buff-in", "4096", "h-beat", "600"], status::OK);
    for (index, device) in devices[..2].iter().enumerate() {
        source.expect_status(command::BRIDGE, &[&index.to_string(), "i", &device.token], status::OK);
    }
    (lines, source, http)
}

fn lives(back_end: BackEnd) {
    let seed = std::env::var("LINCHPIN_SEED").map_or(20, |text| text.parse().expect("a number"));
    let mut world = World::start(back_end, seed);
    for round in 0..=RESTARTS {
        for _ in 0..WRITES {
            world.write();
        }
        world.compare(&format!("seed {seed}, before restart {round}"));
        if round < RESTARTS {
            world.restart(round % 2 == 1);
            world.compare(&format!("seed {seed}, after restart {round}"));
        }
    }
}

#[test]
fn values_and_history_outlive_restarts_on_io_uring() {
    lives(BackEnd::IoUring);
}

#[test]
fn values_and_history_outlive_restarts_on_the_portable_back_end() {
    lives(BackEnd::Portable);
}
