//! Who prints what happens to devices: what belongs together in one line, and no more lines than people can read.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use linchpin_protocol::model::DeviceId;
use linchpin_shard::{Blame, End};

use super::lines::{Around, SpokenLine, line};
use crate::limits;
use crate::serve::DeviceNames;
use crate::tick::voice::{HeardWire, NoticeListener, Noticed};
use crate::when;

/// How often waiting logins are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A login whose firmware has not said yet what it is.
#[derive(Debug)]
struct Waiting {
    device: DeviceId,
    peer: IpAddr,
    wire: HeardWire,
    due_ms: u64,
}

/// See the module's page. Times are ms since any moment.
#[derive(Debug, Default)]
pub(super) struct Speaker {
    waiting: VecDeque<Waiting>,
    /// The second that is counted.
    second: u64,
    lines: u32,
    /// Lines that were not printed and not counted aloud.
    left_out: u64,
}

impl Speaker {
    /// Something happened.
    pub(super) fn hear(&mut self, now_ms: u64, heard: Noticed, out: &mut Vec<SpokenLine>) {
        match heard {
            Noticed::Online { device, peer, wire } => {
                // The newest login wins; the line of an older one is out of date.
                self.arrive(now_ms, device, None, out);
                if wire.is_mqtt || self.waiting.len() >= limits::INTRODUCTIONS {
                    return self.say(now_ms, SpokenLine::Online { device, peer, wire, firmware: None }, out);
                }
                let due_ms = now_ms + limits::INTRODUCTION_WAIT_MS;
                self.waiting.push_back(Waiting { device, peer, wire, due_ms });
            }
            Noticed::Introduced { device, board, library } => self.arrive(now_ms, device, Some((board, library)), out),
            Noticed::FirstValue { device, pin, value } => {
                self.arrive(now_ms, device, None, out);
                self.say(now_ms, SpokenLine::FirstValue { device, pin: pin.to_string(), value }, out);
            }
            Noticed::Ended { device, peer, end, online_ms } => {
                if let Some(device) = device {
                    self.arrive(now_ms, device, None, out);
                }
                match (device, online_ms) {
                    (Some(device), Some(online_ms)) => {
                        self.say(now_ms, SpokenLine::Offline { device, end, online_ms }, out);
                    }
                    (None, _) if !matters(end) => {}
                    _ => self.say(now_ms, SpokenLine::Refused { device, peer, end }, out),
                }
            }
        }
    }

    /// Time has passed; so many more things were missed.
    pub(super) fn tick(&mut self, now_ms: u64, missed: u64, out: &mut Vec<SpokenLine>) {
        self.left_out += missed;
        while self.waiting.front().is_some_and(|first| first.due_ms <= now_ms) {
            if let Some(first) = self.waiting.pop_front() {
                self.say_online(now_ms, &first, None, out);
            }
        }
        if self.left_out > 0 && now_ms / 1_000 != self.second {
            self.begin_second(now_ms, out);
        }
    }

    /// The line of a login that waits.
    fn arrive(
        &mut self,
        now_ms: u64,
        device: DeviceId,
        firmware: Option<(Box<str>, Box<str>)>,
        out: &mut Vec<SpokenLine>,
    ) {
        if let Some(at) = self.waiting.iter().position(|it| it.device == device)
            && let Some(found) = self.waiting.remove(at)
        {
            self.say_online(now_ms, &found, firmware, out);
        }
    }

    fn say_online(
        &mut self,
        now_ms: u64,
        it: &Waiting,
        firmware: Option<(Box<str>, Box<str>)>,
        out: &mut Vec<SpokenLine>,
    ) {
        self.say(now_ms, SpokenLine::Online { device: it.device, peer: it.peer, wire: it.wire, firmware }, out);
    }

    fn begin_second(&mut self, now_ms: u64, out: &mut Vec<SpokenLine>) {
        (self.second, self.lines) = (now_ms / 1_000, 0);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            self.lines += 1;
            out.push(SpokenLine::LeftOut(left_out));
        }
    }

    fn say(&mut self, now_ms: u64, said: SpokenLine, out: &mut Vec<SpokenLine>) {
        if now_ms / 1_000 != self.second {
            self.begin_second(now_ms, out);
        }
        if self.lines >= limits::SPOKEN_LINES_PER_SECOND {
            self.left_out += 1;
            return;
        }
        self.lines += 1;
        out.push(said);
    }
}

/// Is the end of a connection without a device worth a line? HTTP requests and pages come and go, and whoever hung up knows it.
fn matters(end: End) -> bool {
    match end.blame() {
        Blame::Nobody => false,
        Blame::Network => matches!(end, End::HandshakeTimeout | End::RecordTimeout | End::TlsRecord),
        Blame::Device | Blame::Operator | Blame::Server => true,
    }
}

/// Print from a thread of its own, as long as shards run.
///
/// # Errors
/// There is no thread for it.
pub(super) fn start(
    listener: NoticeListener,
    names: DeviceNames,
    data: String,
    example: Option<u32>,
) -> std::io::Result<()> {
    let run = move || {
        let (mut speaker, begun) = (Speaker::default(), Instant::now());
        let mut out = Vec::new();
        loop {
            let heard = listener.from.recv_timeout(LOOK);
            let now_ms = begun.elapsed().as_millis() as u64;
            match heard {
                Ok(heard) => speaker.hear(now_ms, heard, &mut out),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            speaker.tick(now_ms, listener.take_missed(), &mut out);
            let around = Around { names: &*names, data: &data, example };
            for said in out.drain(..) {
                // Whoever closed the terminal does not read any more.
                let _ = writeln!(std::io::stdout(), "{} {}", when::time_of_day(), line(&said, &around));
            }
        }
    };
    std::thread::Builder::new().name("announce".to_owned()).spawn(run).map(drop)
}

#[cfg(test)]
mod tests {
    use linchpin_protocol::model::{Pin, is_hidden};

    use super::*;

    const PLAIN: HeardWire = HeardWire { is_mqtt: false, is_websocket: false, is_tls: false };

    fn id(number: u32) -> DeviceId {
        DeviceId::new(number).expect("an id")
    }

    fn peer() -> IpAddr {
        [192, 168, 1, 33].into()
    }

    /// The lines of a story, each with the time at which it is heard.
    fn told(story: Vec<(u64, Noticed)>) -> Vec<String> {
        let (mut speaker, mut out) = (Speaker::default(), Vec::new());
        let mut end_ms = 0;
        for (at_ms, heard) in story {
            speaker.hear(at_ms, heard, &mut out);
            speaker.tick(at_ms, 0, &mut out);
            end_ms = at_ms;
        }
        for more in 1..30 {
            speaker.tick(end_ms + more * 100, 0, &mut out);
        }
        let names = |id: DeviceId| (id.get() != 9).then(|| format!("Demo {}", id.get() - 1));
        let around = Around { names: &names, data: " --data X", example: Some(2) };
        out.iter().map(|said| line(said, &around)).collect()
    }

    fn online(device: u32, wire: HeardWire) -> Noticed {
        Noticed::Online { device: id(device), peer: peer(), wire }
    }

    fn ended(device: Option<u32>, end: End, online_ms: Option<u64>) -> Noticed {
        Noticed::Ended { device: device.map(id), peer: peer(), end, online_ms }
    }

    #[test]
    fn a_board_arrives_writes_and_leaves() {
        let value =
            |text: &str| Noticed::FirstValue { device: id(2), pin: Pin::new_virtual(1), value: text.as_bytes().into() };
        let introduced = Noticed::Introduced { device: id(2), board: "ESP32".into(), library: "1.3.2".into() };
        let story = vec![
            (0, online(2, PLAIN)),
            (40, introduced),
            (90, value("42")),
            (76_200, ended(Some(2), End::HeartbeatMissed, Some(76_100))),
            (80_000, online(2, HeardWire { is_tls: true, ..PLAIN })),
            (80_100, ended(Some(2), End::PeerClosed, Some(100))),
            (81_000, online(9, HeardWire { is_mqtt: true, ..PLAIN })),
        ];
        assert_eq!(
            told(story),
            [
                "device 2 \"Demo 1\" online from 192.168.1.33, ESP32, Blynk 1.3.2, plain",
                "device 2 \"Demo 1\" first value: V1 = 42",
                &format!(
                    "device 2 \"Demo 1\" offline after 1 min (E0103): {} Next: linchpin device diary 2 --data X",
                    End::HeartbeatMissed.what()
                ),
                "device 2 \"Demo 1\" online from 192.168.1.33, TLS",
                "device 2 \"Demo 1\" offline after 0 s (E0101): The device closed the connection.",
                "device 9 online from 192.168.1.33, MQTT, plain",
            ]
        );
    }

    #[test]
    fn refusals_have_their_command_and_requests_say_nothing() {
        let story = vec![
            (0, ended(None, End::TokenUnknown, None)),
            (1, ended(None, End::HttpDone, None)),
            (2, ended(None, End::PeerReset, None)),
            (3, ended(None, End::TlsExpected, None)),
            (4, ended(Some(1), End::TemplateMismatch, None)),
        ];
        let lines = told(story);
        let wanted = [
            ("refused 192.168.1.33 (E0302): ", "Next: linchpin device token 2 --data X"),
            ("refused 192.168.1.33 (E0206): ", "Next: linchpin explain E0206"),
            ("refused device 1 \"Demo 0\" from 192.168.1.33 (E0303): ", "Next: linchpin template list --data X"),
        ];
        assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
        for (line, (begin, end)) in lines.iter().zip(wanted) {
            assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
        }
    }

    #[test]
    fn a_thousand_at_once_are_a_few_lines_and_a_count() {
        let lines = told((1..=1_000).map(|n| (0, online(n, PLAIN))).collect());
        assert!(lines.len() <= 2 * limits::SPOKEN_LINES_PER_SECOND as usize + 2, "{}", lines.len());
        let devices = lines.iter().filter(|line| line.starts_with("device ")).count() as u64;
        let counted = lines.iter().filter_map(|line| line.split_once(" more lines").map(|it| it.0));
        let counted: u64 = counted.map(|count| count.parse::<u64>().expect("a number")).sum();
        assert_eq!(devices + counted, 1_000, "{lines:#?}");
    }

    #[test]
    fn no_token_and_no_control_character_is_printed() {
        let token = "0123456789abcdefghij-_ABCDEFGHIJ";
        let introduced = Noticed::Introduced {
            device: id(9),
            board: format!("{token}\u{1b}[2J").into(),
            library: "1\u{202e}2".into(),
        };
        let first = Noticed::FirstValue {
            device: id(9),
            pin: Pin::new_virtual(0),
            value: format!("{token}\u{7}").into_bytes().into(),
        };
        let lines = told(vec![(0, online(9, PLAIN)), (1, introduced), (2, first)]);
        assert_eq!(lines.len(), 2);
        for line in lines {
            assert!(!line.contains(token) && line.contains("****") && !line.contains(is_hidden), "{line:?}");
        }
    }
}
