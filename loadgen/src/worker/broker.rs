//! Devices that speak MQTT: what they send to a broker and what it says.

use super::crew::Crew;
use super::device::ClientStage;
use super::mqtt::{Client, Fault, LoginNames, Said};
use super::pending::{Waiting, by_id, by_stamp, by_turn};
use super::session::{Known, Session};
use super::value;
use crate::recorder::Metric;
use crate::scenario::{MessageKind, Mqtt, Names};

impl Crew {
    /// A topic of a device, by one of its group's templates.
    fn topic(&self, at: u32, template: impl Fn(&Mqtt) -> &str, pin: &str) -> String {
        let crowd = &self.crowds[usize::from(self.devices[at as usize].group)];
        let user = self.keys.name(at).map_or("", |name| &*name.user);
        Names { number: crowd.number(at), user, pin, password: "" }.fill(template(&crowd.group.mqtt))
    }

    /// Let the client of a device speak.
    fn tell_broker(&mut self, at: u32, now_ns: u64, write: impl FnOnce(&mut Client, &mut Vec<u8>)) {
        self.tell(at, now_ns, |session, _, out| {
            if let Session::Mqtt(client) = session {
                write(client, out);
            }
        });
    }

    /// CONNECT.
    pub(super) fn log_in_mqtt(&mut self, at: u32, now_ns: u64) {
        let crowd = &self.crowds[usize::from(self.devices[at as usize].group)];
        let (mqtt, name) = (&crowd.group.mqtt, self.keys.name(at));
        let password = name.and_then(|name| name.password.as_deref());
        let names = Names {
            number: crowd.number(at),
            user: name.map_or("", |name| &*name.user),
            password: password.unwrap_or_default(),
            pin: "",
        };
        // What stands for nothing is not sent.
        let has_user = name.is_some() || !(mqtt.username.contains("{user}") || mqtt.username.is_empty());
        let has_password = password.is_some() || !(mqtt.password.contains("{password}") || mqtt.password.is_empty());
        let [client_id, username, password] = [&mqtt.client_id, &mqtt.username, &mqtt.password].map(|t| names.fill(t));
        let keep_alive_s = crowd.options.heartbeat_s;
        self.tell_broker(at, now_ns, |client, out| {
            let (username, password) = (has_user.then_some(&*username), has_password.then_some(&*password));
            client.start(LoginNames { client_id: &client_id, username, password, keep_alive_s }, out);
        });
    }

    /// What a broker sent to a device.
    pub(super) fn broker_received(&mut self, at: u32, bytes: &[u8], now_ns: u64) {
        let device = &mut self.devices[at as usize];
        let Session::Mqtt(client) = &mut device.session else { return };
        let mut heard = Vec::new();
        let mut answer = std::mem::take(&mut self.plain);
        answer.clear();
        let result = client.on_bytes(bytes, &mut answer, &mut |said| heard.push(said));
        if !answer.is_empty() {
            self.tell(at, now_ns, |_, _, out| out.extend_from_slice(&answer));
        }
        self.plain = answer;
        for said in heard {
            self.broker_said(at, said, now_ns);
        }
        if let Err(fault) = result {
            if let Fault::Refused(why) = fault {
                self.refused(why);
            }
            self.sheet.counts.faults += u64::from(self.devices[at as usize].stage == ClientStage::Online);
            self.lost(at, now_ns);
        }
    }

    fn broker_said(&mut self, at: u32, said: Said, now_ns: u64) {
        let device = &self.devices[at as usize];
        let (attempt, group) = (device.attempt, usize::from(device.group));
        match said {
            Said::Accepted if self.crowds[group].group.listens() => {
                let number = self.crowds[group].number(at);
                let user = self.keys.name(at).map_or("", |name| &*name.user);
                let filter = self.crowds[group].group.mqtt.filter(Names { number, user, ..Names::default() });
                self.tell_broker(at, now_ns, |client, out| client.subscribe(&filter, out));
            }
            Said::Accepted | Said::Subscribed => self.logged_in(at, now_ns),
            Said::Acknowledged { id } => self.settle_key(by_id(at, attempt, id), now_ns),
            Said::Pong { turn } => self.settle_key(by_turn(at, attempt, turn), now_ns),
            Said::Arrived { topic, payload } => {
                self.sheet.counts.downlinks += 1;
                if let Some(intended_ns) = value::intended(&payload) {
                    self.settle_key(by_stamp(at, intended_ns), now_ns);
                }
                if self.crowds[group].group.echo {
                    self.echo_mqtt(at, &topic, &payload, now_ns);
                }
            }
        }
    }

    /// Send what the mix asks for. `times`: intended, now.
    pub(super) fn issue_mqtt(&mut self, at: u32, (kind, pin): (MessageKind, u8), len_bytes: u16, times: (u64, u64)) {
        let pin = pin.to_string();
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        match kind {
            MessageKind::Telemetry => {
                value::digits(&mut text, len_bytes, times.0);
                let topic = self.topic(at, |mqtt| &mqtt.topic, &pin);
                self.tell_broker(at, times.1, |client, out| client.tell(&topic, &text, out));
            }
            MessageKind::Publish => {
                value::digits(&mut text, len_bytes, times.0);
                let topic = self.topic(at, |mqtt| &mqtt.topic, &pin);
                self.request(at, Metric::Publish, times, |session, _, out| match session {
                    Session::Mqtt(client) => Known::Id(client.confirm(&topic, &text, out)),
                    Session::Blynk(_) => Known::Id(0),
                });
            }
            MessageKind::Bridge => {
                let neighbour = self.crowds[usize::from(self.devices[at as usize].group)].neighbour(at);
                value::stamp(&mut text, len_bytes, times.0, times.1);
                let waiting = Waiting { metric: Metric::DeviceToDevice, intended_ns: times.0, sent_ns: times.1 };
                self.pending.add(by_stamp(neighbour, times.0), waiting);
                let topic = self.topic(neighbour, |mqtt| &mqtt.listen, &pin);
                self.tell_broker(at, times.1, |client, out| client.tell(&topic, &text, out));
            }
            MessageKind::Ping => self.request(at, Metric::Ping, times, Session::ping),
            // The scenario was checked: nothing else comes here.
            MessageKind::Sync | MessageKind::Property | MessageKind::HttpRead | MessageKind::HttpWrite => {}
        }
        self.scratch = text;
    }

    /// Send a value back, to the pin beside the one that ends its topic.
    fn echo_mqtt(&mut self, at: u32, topic: &str, payload: &[u8], now_ns: u64) {
        if self.devices[at as usize].is_blocked {
            self.sheet.counts.blocked += 1;
            return;
        }
        self.sheet.counts.echo += 1;
        let pin: u8 = topic.rsplit('/').next().and_then(|level| level.parse().ok()).unwrap_or(0);
        let to = self.topic(at, |mqtt| &mqtt.topic, &pin.wrapping_add(1).to_string());
        self.tell_broker(at, now_ns, |client, out| client.tell(&to, payload, out));
    }
}
