//! Processor time of a write to a server on one core, by each wire, beside mosquitto: rounds in turn.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use linchpin_bench_compare::statistics::{interval, median};
use linchpin_fleet::server::{Server, cpu_time};
use linchpin_fleet::{mqtt_login, mqtt_message};
use linchpin_protocol::model::Token;

/// Connections that write in turn.
const CONNECTIONS: usize = 64;
/// Writes without an answer of a connection until it asks whether all have come.
const UNANSWERED: u32 = 32;
/// Length of a round.
const ROUND: Duration = Duration::from_millis(1_500);
/// What is not measured before each round.
const WARM: Duration = Duration::from_millis(300);
const VALUE: &[u8] = b"21.5";

/// One way to write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Blynk,
    Qos0,
    Qos1,
}

struct Mosquitto {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Mosquitto {
    fn start() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("linchpin-mosquitto-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        // Asked for and given back: mosquitto cannot choose a free port itself.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| error.to_string())?;
        let config = folder.join("mosquitto.conf");
        let text =
            format!("listener {} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n", address.port());
        std::fs::write(&config, text).map_err(|error| error.to_string())?;
        let program = ["/usr/sbin/mosquitto", "mosquitto"].into_iter().find(|path| Path::new(path).is_file());
        let child = Command::new(program.unwrap_or("mosquitto"))
            .arg("-c")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("mosquitto does not start ({error}): sudo apt-get install -y mosquitto"))?;
        let mosquitto = Self { child, folder, address };
        let end = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(address).is_err() {
            if Instant::now() > end {
                return Err("mosquitto does not listen within 5 s".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(mosquitto)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn frame(command: u8, id: u16, body: &[u8], out: &mut Vec<u8>) {
    out.push(command);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&(body.len() as u16).to_be_bytes());
    out.extend_from_slice(body);
}

/// Connections that are logged in.
struct Writers {
    way: Way,
    streams: Vec<TcpStream>,
    out: Vec<u8>,
    id: u16,
}

impl Writers {
    fn connect(way: Way, at: SocketAddr, tokens: &[Token]) -> std::io::Result<Self> {
        let mut streams = Vec::new();
        for token in tokens {
            let mut stream = TcpStream::connect(at)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            let mut login = Vec::new();
            // CONNACK and SUBACK, or the answer to a login.
            let answer_bytes = if way == Way::Blynk {
                frame(29, 1, token.expose().as_bytes(), &mut login);
                5
            } else {
                mqtt_login(token, 3_600, &mut login);
                9
            };
            stream.write_all(&login)?;
            stream.read_exact(&mut vec![0; answer_bytes])?;
            streams.push(stream);
        }
        Ok(Self { way, streams, out: Vec::new(), id: 1 })
    }

    /// One write of each connection.
    fn write(&mut self) -> std::io::Result<()> {
        self.id = self.id % 30_000 + 1;
        self.out.clear();
        match self.way {
            Way::Blynk => frame(20, self.id, &[b"vw\x005\0", VALUE].concat(), &mut self.out),
            Way::Qos0 => mqtt_message(0, "ds/V5", VALUE, &mut self.out),
            Way::Qos1 => mqtt_message(self.id, "ds/V5", VALUE, &mut self.out),
        }
        for stream in &mut self.streams {
            stream.write_all(&self.out)?;
        }
        if self.way == Way::Qos1 { self.hear(4) } else { Ok(()) }
    }

    /// The same answer on each connection.
    fn hear(&mut self, len_bytes: usize) -> std::io::Result<()> {
        let mut answer = [0; 16];
        for stream in &mut self.streams {
            stream.read_exact(&mut answer[..len_bytes])?;
        }
        Ok(())
    }

    /// Wait until everything has come: pings have a quota, so a sync of the pin or a message at QoS 1 asks.
    fn confirm(&mut self) -> std::io::Result<()> {
        self.out.clear();
        let answer_bytes = if self.way == Way::Blynk {
            frame(16, 30_001, b"vr\x005", &mut self.out);
            5 + b"vw\x005\0".len() + VALUE.len()
        } else {
            mqtt_message(30_001, "ds/V5", VALUE, &mut self.out);
            4
        };
        for stream in &mut self.streams {
            stream.write_all(&self.out)?;
        }
        self.hear(answer_bytes)
    }

    /// Writes so many.
    fn run(&mut self, limit: Duration) -> std::io::Result<u64> {
        let (begun, mut count) = (Instant::now(), 0);
        while begun.elapsed() < limit {
            for _ in 0..UNANSWERED {
                self.write()?;
            }
            self.confirm()?;
            count += u64::from(UNANSWERED) * self.streams.len() as u64;
        }
        Ok(count)
    }

    /// Processor time of the server a write, us, and writes a second.
    fn measure(&mut self, pid: u32) -> Result<(f64, f64), String> {
        let wrong = |error: std::io::Error| format!("a connection ended: {error}");
        self.run(WARM).map_err(wrong)?;
        let (before, begun) = (cpu_time(pid), Instant::now());
        let count = self.run(ROUND).map_err(wrong)? as f64;
        let (used, took) = (cpu_time(pid) - before, begun.elapsed());
        Ok((used.as_secs_f64() * 1e6 / count, count / took.as_secs_f64()))
    }
}

/// One row of the table.
struct Subject {
    name: &'static str,
    pid: u32,
    writers: Writers,
    cpu_us: Vec<f64>,
    per_second: Vec<f64>,
}

/// A write by each wire to ours, and by MQTT to mosquitto, in turn.
pub(crate) fn writes(binary: &Path, rounds: u32) -> Result<(), String> {
    let flags = ["--memory", "--set", "messages_per_second=1000000", "--set", "message_burst=1000000"];
    let server = Server::start_with(binary, 3 * CONNECTIONS as u32, 1, "io_uring", &flags);
    let mosquitto = Mosquitto::start()?;
    let mut subjects = Vec::new();
    let ways = [
        ("linchpin, Blynk", Way::Blynk, true),
        ("linchpin, MQTT, QoS 0", Way::Qos0, true),
        ("linchpin, MQTT, QoS 1 with PUBACK", Way::Qos1, true),
        ("mosquitto, QoS 0", Way::Qos0, false),
        ("mosquitto, QoS 1 with PUBACK", Way::Qos1, false),
    ];
    for (at, (name, way, is_ours)) in ways.into_iter().enumerate() {
        let first = at % 3 * CONNECTIONS;
        let tokens = &server.tokens[first..first + CONNECTIONS];
        let (pid, address) =
            if is_ours { (server.pid(), server.address) } else { (mosquitto.child.id(), mosquitto.address) };
        let writers = Writers::connect(way, address, tokens).map_err(|error| format!("{name}: {error}"))?;
        subjects.push(Subject { name, pid, writers, cpu_us: Vec::new(), per_second: Vec::new() });
    }
    for round in 0..rounds.max(1) as usize {
        // In another order each time.
        for at in 0..subjects.len() {
            let count = subjects.len();
            let subject = &mut subjects[(at + round) % count];
            let (cpu_us, per_second) = subject.writers.measure(subject.pid)?;
            subject.cpu_us.push(cpu_us);
            subject.per_second.push(per_second);
        }
    }
    println!(
        "### A write: {CONNECTIONS} connections, one write a segment, one core of the server, {} rounds in turn\n\n\
         | server and wire | CPU a write, us | writes/s |\n|---|---|---|",
        rounds.max(1)
    );
    let middle = |values: &[f64]| median(values).unwrap_or_default();
    for subject in &subjects {
        println!("| {} | {:.2} | {:.0} |", subject.name, middle(&subject.cpu_us), middle(&subject.per_second));
    }
    println!("\n| paired ratios of CPU | median | 95 % interval | aim |\n|---|---|---|---|");
    for (one, other, aim) in [(1, 0, "1.1"), (2, 0, ""), (1, 3, "0.7"), (2, 4, "0.7"), (0, 3, "")] {
        let ratios: Vec<f64> = subjects[one].cpu_us.iter().zip(&subjects[other].cpu_us).map(|(a, b)| a / b).collect();
        let range = interval(&ratios).map_or("-".to_owned(), |[low, high]| format!("{low:.2} to {high:.2}"));
        println!("| {} to {} | {:.2} | {range} | {aim} |", subjects[one].name, subjects[other].name, middle(&ratios));
    }
    Ok(())
}
