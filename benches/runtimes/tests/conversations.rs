//! Each runtime's server answers right: alone, at any cut, many at once, and with many connections.
#![allow(missing_docs, reason = "a test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use linchpin_protocol::blynk::Command as Number;
use linchpin_protocol::blynk::codec::device;
use linchpin_protocol::model::{Pin, Token};

const CONNECTIONS: usize = 50;

struct Running {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn start(runtime: &str) -> Running {
    let folder = std::env::temp_dir().join(format!("bench-runtimes-{}-{runtime}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let ready = folder.join("ready");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-runtimes"));
    let mut child = command.args(["--runtime", runtime, "--ready-file"]).arg(&ready).spawn().expect("starts");
    let end = Instant::now() + Duration::from_secs(20);
    let text = loop {
        if let Ok(text) = std::fs::read_to_string(&ready) {
            break text;
        }
        let ended = child.try_wait().expect("its state");
        assert!(ended.is_none() && Instant::now() < end, "{runtime} is not ready: {ended:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let address = text.split('"').nth(3).and_then(|text| text.parse().ok()).expect("an address");
    Running { child, folder, address }
}

struct Device(TcpStream);

impl Device {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("connects");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        socket.set_nodelay(true).expect("no delay");
        Self(socket)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("sends");
    }

    /// The next answers are OK for these ids.
    #[track_caller]
    fn expect(&mut self, ids: impl Iterator<Item = u16>) {
        for id in ids {
            let mut answer = [0; 5];
            self.0.read_exact(&mut answer).expect("an answer");
            let [high, low] = id.to_be_bytes();
            assert_eq!(answer, [0, high, low, 0, 200]);
        }
    }
}

fn login(number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    device::login(&mut bytes, 1, Number::Login, &Token::from_random(&[number as u8; 24]));
    bytes
}

fn ping(bytes: &mut Vec<u8>, id: u16) {
    bytes.extend([Number::Ping.number(), (id >> 8) as u8, id as u8, 0, 0]);
}

fn converse(runtime: &str) {
    let server = start(runtime);
    let mut devices: Vec<_> = (0..CONNECTIONS).map(|_| Device::connect(server.address)).collect();
    for (number, device) in devices.iter_mut().enumerate() {
        device.send(&login(number));
    }
    for device in &mut devices {
        device.expect(1..=1);
        let mut bytes = Vec::new();
        (2..18).for_each(|id| ping(&mut bytes, id));
        device.send(&bytes);
    }
    for device in &mut devices {
        device.expect(2..18);
        // A write is not answered; the ping behind it is, also when the write comes in two parts.
        let mut bytes = Vec::new();
        device::write(&mut bytes, 18, Pin::new_virtual(7), b"23.5");
        let cut = bytes.len() / 2;
        device.send(&bytes[..cut]);
        std::thread::sleep(Duration::from_millis(1));
        ping(&mut bytes, 19);
        device.send(&bytes[cut..]);
        device.expect(19..=19);
    }
    // Who breaks the rules is closed, and nobody else.
    let mut wrong = Device::connect(server.address);
    wrong.send(&[Number::Ping.number(), 0, 1, 0, 0]);
    let closed = wrong.0.read(&mut [0; 8]);
    assert!(matches!(closed, Ok(0)) || closed.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    for device in &mut devices {
        let mut bytes = Vec::new();
        ping(&mut bytes, 20);
        device.send(&bytes);
        device.expect(20..=20);
    }
}

#[test]
fn epoll_and_tokio_answer() {
    converse("epoll");
    converse("tokio");
}

#[test]
fn rings_answer_where_they_are_allowed() {
    if io_uring::IoUring::new(2).is_err() {
        eprintln!("io_uring is blocked here: the raw ring, monoio and tokio-uring are not tried");
        return;
    }
    for runtime in ["ring", "monoio", "monoio-defer", "tokio-uring"] {
        converse(runtime);
    }
}
