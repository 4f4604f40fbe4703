//! All ways to write a value.

use linchpin_protocol::mqtt::Level;
use linchpin_sim::script::command;
use linchpin_sim::{MqttLogin, MqttScript};

use super::model::When::{At, Now};
use super::model::{When, Write};
use super::*;

/// How a device is connected.
pub(super) enum Connected {
    Blynk(Box<Script>),
    Mqtt(MqttScript),
}

/// What is written to one device.
struct Values {
    device: u32,
    writes: Vec<Write>,
}

impl Values {
    fn put(&mut self, pin: u8, when: When, value: impl Into<Vec<u8>>) {
        self.writes.push(Write { device: self.device, pin, when, value: Some(value.into()) });
    }
}

impl Run {
    /// Write to one device in one of all ways; what must be found then. `n` makes each value another one. While the
    /// server reads what was written before, it does not erase.
    pub(super) fn write(&mut self, n: u64, may_erase: bool) -> Vec<Write> {
        let device = 1 + self.world.random.below(DEVICES) as u32;
        let mut values = Values { device, writes: Vec::new() };
        let pin = self.pin();
        match (self.world.random.below(10), &self.connected[device as usize - 1]) {
            (0, _) => self.by_operator(&mut values, pin, n),
            (1, _) => self.by_bridge(&mut values, pin, n),
            (2, _) => self.by_http(&mut values, pin, n),
            (3 | 4, _) => self.by_http_batch(&mut values, pin, n),
            (5 | 6, Connected::Blynk(_)) => self.by_frame(&mut values, pin, n),
            (_, Connected::Blynk(_)) => self.by_group(&mut values, n),
            (5 | 6, Connected::Mqtt(_)) => self.by_message(&mut values, pin, n),
            (7, Connected::Mqtt(_)) => self.by_timestamped_batch(&mut values, pin, n),
            (8, Connected::Mqtt(_)) => self.by_will(&mut values, n),
            (_, Connected::Mqtt(_)) if may_erase => self.erase(&mut values, pin),
            (_, Connected::Mqtt(_)) => self.by_batch(&mut values, n),
        }
        values.writes
    }

    fn pin(&mut self) -> u8 {
        self.world.random.below(u64::from(PINS)) as u8
    }

    /// A time around now, in the past or of one of three moments that many values share.
    fn time(&mut self) -> u64 {
        let (now, random) = (self.world.wall_ms(), &mut self.world.random);
        match random.below(3) {
            0 => now - 5_000 + random.below(10_000),
            1 => now - random.below(20 * 86_400_000),
            _ => MOMENT_MS + 1_000 * random.below(3),
        }
    }

    fn token(&self, device: u32) -> String {
        self.tokens[device as usize - 1].expose().to_owned()
    }

    /// Send a frame of a device and wait.
    fn frame(&mut self, device: u32, command: u8, body: &[u8]) {
        let Connected::Blynk(script) = &mut self.connected[device as usize - 1] else { panic!("no frames by MQTT") };
        script.ask(&mut self.world, command, body);
    }

    /// Publish and wait.
    fn publish(&mut self, device: u32, topic: &str, payload: &[u8]) {
        let qos = self.world.random.below(3) as u8;
        let Connected::Mqtt(script) = &mut self.connected[device as usize - 1] else { panic!("no topics by frames") };
        script.publish(&mut self.world, qos, topic, payload);
        let heard = script.hear(&mut self.world);
        let is_refused = heard.iter().any(|it| it.topic == "downlink/diag" || it.kind == "PUBACK" && it.code != 0);
        assert!(!is_refused, "{topic} {}: {heard:?}", payload.escape_ascii());
    }

    fn ask(&mut self, request: &str) {
        let answer = self.http.ask(&mut self.world, request);
        assert_eq!(answer.0, 200, "{request}: {}", answer.1);
    }

    fn get(&mut self, path: &str) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }

    fn send_json(&mut self, method: &str, path: &str, json: &str) {
        let len = json.len();
        let fields = format!("Host: x\r\nContent-Type: application/json\r\nContent-Length: {len}");
        self.ask(&format!("{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n{json}"));
    }

    fn by_operator(&mut self, values: &mut Values, pin: u8, n: u64) {
        let _ = operator_writes(&mut self.world, values.device, pin, n.to_string().as_bytes());
        values.put(pin, Now, n.to_string());
    }

    /// The source has begun a bridge to each device under the device's own number.
    fn by_bridge(&mut self, values: &mut Values, pin: u8, n: u64) {
        let body = format!("{}\0vw\0{pin}\0{n}", values.device);
        self.source.ask(&mut self.world, command::BRIDGE, body.as_bytes());
        values.put(pin, Now, n.to_string());
    }

    fn by_frame(&mut self, values: &mut Values, pin: u8, n: u64) {
        let value = match self.world.random.below(4) {
            0 => format!("{n}\0{n}.5\0on").into_bytes(),
            // Bytes that are no text, and those that stand for an empty value in the store.
            1 => [&[0xc0; 1][..], n.to_string().as_bytes()].concat(),
            2 => vec![0xc0; 1 + n as usize % 3],
            _ => n.to_string().into_bytes(),
        };
        self.frame(values.device, command::HARDWARE, &[format!("vw\0{pin}\0").as_bytes(), &value].concat());
        values.put(pin, Now, value);
    }

    fn by_group(&mut self, values: &mut Values, n: u64) {
        let (begin, when) = match self.world.random.below(2) {
            0 => (b"b".to_vec(), Now),
            _ => {
                let at = self.time();
                (format!("t\0{at}").into_bytes(), At(at))
            }
        };
        self.frame(values.device, command::GROUP, &begin);
        for part in 0..=self.world.random.below(3) {
            let pin = self.pin();
            let value = format!("{n}.{part}");
            self.frame(values.device, command::HARDWARE, format!("vw\0{pin}\0{value}").as_bytes());
            values.put(pin, when, value);
        }
        self.frame(values.device, command::GROUP, b"e");
    }

    fn by_http(&mut self, values: &mut Values, pin: u8, n: u64) {
        let token = self.token(values.device);
        let (text, other) = (n.to_string(), (pin + 1) % PINS);
        match self.world.random.below(6) {
            0 => self.get(&format!("/external/api/update?token={token}&v{pin}={n}")),
            1 => {
                self.get(&format!("/external/api/update?token={token}&v{pin}="));
                return values.put(pin, Now, "");
            }
            2 => {
                self.get(&format!("/external/api/update?token={token}&pin=V{pin}&value={n}&value=x"));
                return values.put(pin, Now, format!("{n}\0x"));
            }
            3 => {
                self.get(&format!("/external/api/batch/update?token={token}&v{pin}={n}&v{other}={n}b"));
                values.put(pin, Now, text);
                return values.put(other, Now, format!("{n}b"));
            }
            4 => self.get(&format!("/{token}/update/V{pin}?value={n}")),
            _ => self.send_json("PUT", &format!("/{token}/pin/V{pin}"), &format!("[\"{n}\"]")),
        }
        values.put(pin, Now, text);
    }

    /// Points of three times, the first and the last of one.
    fn times(&mut self, values: &mut Values, pin: u8, n: u64) -> [(u64, String); 3] {
        let (a, b) = (self.time(), self.time());
        let points = [(a, n.to_string()), (b, format!("{n}.50")), (a, format!("{n}c"))];
        for (at, value) in &points {
            values.put(pin, At(*at), value.as_str());
        }
        points
    }

    fn by_http_batch(&mut self, values: &mut Values, pin: u8, n: u64) {
        let token = self.token(values.device);
        let [(a, first), (b, second), (c, third)] = self.times(values, pin, n);
        if self.world.random.chance(500) {
            let json = format!("[[{a},{first}],[{b},{second}],[{c},\"{third}\"]]");
            self.send_json("POST", &format!("/external/api/batch/update?token={token}&pin=v{pin}"), &json);
        } else {
            let point = |at, value: &str| format!("{{\"timestamp\":{at},\"value\":\"{value}\"}}");
            let json = format!("[{},{},{}]", point(a, &first), point(b, &second), point(c, &third));
            self.send_json("PUT", &format!("/{token}/extra/pin/v{pin}"), &json);
        }
    }

    fn by_timestamped_batch(&mut self, values: &mut Values, pin: u8, n: u64) {
        let [(a, first), (b, second), (c, third)] = self.times(values, pin, n);
        let json = format!("[[{a},{first}],[{b},{second}],[{c},\"{third}\"]]");
        self.publish(values.device, &format!("ds/{}/timestamped_batch", name(values.device, pin)), json.as_bytes());
    }

    fn by_message(&mut self, values: &mut Values, pin: u8, n: u64) {
        let name = name(values.device, pin);
        match self.world.random.below(3) {
            0 => self.by_batch(values, n),
            // The map of its template.
            1 if values.device == 2 => {
                self.publish(2, "tele/SENSOR", format!("{{\"a\":{n},\"b\":\"{n}b\"}}").as_bytes());
                values.put(0, Now, n.to_string());
                values.put(1, Now, format!("{n}b"));
            }
            _ => {
                self.publish(values.device, &format!("ds/{name}"), format!("{n}\0m").as_bytes());
                values.put(pin, Now, format!("{n}\0m"));
            }
        }
    }

    fn by_batch(&mut self, values: &mut Values, n: u64) {
        let [a, b] = [0, 1].map(|pin| name(values.device, pin));
        self.publish(values.device, "batch_ds", format!("{{\"{a}\":{n}.50,\"{b}\":true}}").as_bytes());
        values.put(0, Now, format!("{n}.50"));
        values.put(1, Now, "1");
    }

    /// The connection is lost: its will is written. The device comes back.
    fn by_will(&mut self, values: &mut Values, n: u64) {
        let device = values.device;
        if let Connected::Mqtt(script) = &self.connected[device as usize - 1] {
            self.world.abort(script.conn);
        }
        self.world.run_ms(50);
        values.put(0, Now, "gone");
        let script = self.log_in_by_mqtt(device);
        self.connected[device as usize - 1] = Connected::Mqtt(script);
        self.by_message(values, 2, n);
    }

    fn erase(&mut self, values: &mut Values, pin: u8) {
        self.publish(values.device, &format!("ds/{}/erase", name(values.device, pin)), b"");
        values.writes.push(Write { device: values.device, pin, when: Now, value: None });
    }

    /// With a will for its first pin.
    pub(super) fn log_in_by_mqtt(&mut self, device: u32) -> MqttScript {
        let topic = format!("ds/{}", name(device, 0));
        let level = if self.world.random.chance(500) { Level::V4 } else { Level::V5 };
        let login = MqttLogin { will: Some((&topic, "gone", 0)), ..MqttLogin::new(level) };
        MqttScript::login(&mut self.world, &login, &self.tokens[device as usize - 1])
    }
}

/// A pin as its device calls it: the second has a template, in which V1 has an older name too.
fn name(device: u32, pin: u8) -> String {
    if device == 2 { ["A", "Older", "C"][usize::from(pin)].to_owned() } else { format!("V{pin}") }
}
