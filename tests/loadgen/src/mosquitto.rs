//! Debian's Mosquitto as a broker that nobody here wrote, and a subscriber of raw bytes that counts what it forwards.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Folder;

/// How long the broker may take to listen, and a value to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running broker; ended when dropped.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    config: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The program; Debian keeps it where only root looks.
fn program() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    folders.push("/usr/sbin".into());
    let found = folders.iter().map(|folder| folder.join("mosquitto")).find(|path| path.is_file());
    found.expect("mosquitto is missing: run tests/setup.sh test")
}

fn start(config: &Path) -> Child {
    let mut command = Command::new(program());
    command.arg("-c").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("mosquitto starts")
}

impl Mosquitto {
    /// Start it on a port that was free a moment ago; `more`: further lines of its configuration.
    ///
    /// # Panics
    /// When it does not listen in time.
    #[must_use]
    pub fn start(folder: &Folder, more: &str) -> Self {
        // It cannot choose a port by itself; another program may have taken it meanwhile.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let address = free.expect("a free port");
            let text = format!(
                "listener {} 127.0.0.1\nuser root\npersistence false\nmax_queued_messages 0\nset_tcp_nodelay true\n{more}\n",
                address.port()
            );
            let config = folder.file("mosquitto.conf", &text);
            let mut broker = Self { child: start(&config), config, address };
            if broker.listens() {
                return broker;
            }
        }
        panic!("mosquitto does not listen; try `mosquitto -v -c` with these lines:\n{more}");
    }

    fn listens(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// End it at once, as a power cut does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Start it again where it was.
    ///
    /// # Panics
    /// When it does not listen in time.
    pub fn restart(&mut self) {
        self.child = start(&self.config);
        assert!(self.listens(), "mosquitto came back at {}", self.address);
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Listens to all topics below one and counts the values of each.
#[derive(Debug)]
pub struct Listener(Arc<Mutex<BTreeMap<String, u64>>>);

impl Listener {
    /// Subscribe to `filter`, of at most 100 bytes.
    ///
    /// # Panics
    /// When the broker does not take the login and the subscription.
    #[must_use]
    pub fn start(address: SocketAddr, filter: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the broker");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(b"\x10\x14\x00\x04MQTT\x04\x02\x00\x00\x00\x08listener").expect("CONNECT");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).expect("CONNACK");
        assert_eq!(answer, *b"\x20\x02\x00\x00", "the login is accepted");
        let len = filter.len() as u8;
        stream.write_all(&[&[0x82, len + 5, 0, 1, 0, len], filter.as_bytes(), &[0]].concat()).expect("SUBSCRIBE");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("SUBACK");
        assert_eq!(answer, *b"\x90\x03\x00\x01\x00", "the subscription is accepted");
        stream.set_read_timeout(None).expect("no timeout");
        let counts = Arc::new(Mutex::new(BTreeMap::new()));
        let theirs = counts.clone();
        // Ends with the connection, when the broker is dropped.
        std::thread::spawn(move || {
            while let Some(topic) = next_topic(&mut stream) {
                *theirs.lock().unwrap_or_else(PoisonError::into_inner).entry(topic).or_insert(0) += 1;
            }
        });
        Self(counts)
    }

    /// Values by topic, once there are `expected` or no more come.
    #[must_use]
    pub fn counts(&self, expected: u64) -> BTreeMap<String, u64> {
        let end = Instant::now() + PATIENCE;
        loop {
            let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if counts.values().sum::<u64>() >= expected || Instant::now() > end {
                return counts;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The topic of the next value.
fn next_topic(stream: &mut TcpStream) -> Option<String> {
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        let kind = byte[0] >> 4;
        let (mut len, mut shift) = (0_usize, 0);
        loop {
            stream.read_exact(&mut byte).ok()?;
            len |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        stream.read_exact(&mut body).ok()?;
        if kind == 3 {
            let topic_bytes = usize::from(u16::from_be_bytes([body[0], body[1]]));
            return Some(String::from_utf8_lossy(&body[2..2 + topic_bytes]).into_owned());
        }
    }
}
