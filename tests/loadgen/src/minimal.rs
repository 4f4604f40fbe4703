//! A Blynk server in a few hundred lines: a thread a connection, blocking reads, one table. It takes any token and
//! counts what it hears.

mod http;
mod link;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use linchpin_tls::{Acceptor, Version};

use link::Link;

/// What the server heard, by kind.
pub type Heard = HashMap<&'static str, u64>;

#[derive(Default)]
struct World {
    heard: Heard,
    /// TLS version, and whether an earlier session was continued.
    handshakes: Vec<(&'static str, bool)>,
    /// By token: where the device is.
    online: HashMap<String, Link>,
    /// It knows no token.
    refuses: bool,
    /// By token and pin.
    values: HashMap<(String, String), Vec<u8>>,
}

/// A running server; it takes no more connections when dropped.
pub struct Minimal {
    /// Where it listens.
    pub address: SocketAddr,
    world: Arc<Mutex<World>>,
    is_over: Arc<AtomicBool>,
}

impl std::fmt::Debug for Minimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Minimal({})", self.address)
    }
}

impl Minimal {
    /// Start it, with TLS if there is an acceptor. `delay`: time that it takes over each message.
    ///
    /// # Panics
    /// When the loopback has no free port.
    #[must_use]
    pub fn start(acceptor: Option<Acceptor>, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let world = Arc::new(Mutex::new(World::default()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (for_all, over) = (world.clone(), is_over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (world, acceptor) = (for_all.clone(), acceptor.clone());
                let builder = std::thread::Builder::new().stack_size(256 * 1_024);
                let _ = builder.spawn(move || {
                    let _ = serve(stream, acceptor, &world, delay);
                });
            }
        });
        Self { address, world, is_over }
    }

    /// Know no token from now on.
    pub fn refuse_logins(&self) {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).refuses = true;
    }

    /// End every connection of a device.
    pub fn cut_all(&self) {
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.online.values().for_each(Link::cut);
    }

    /// TLS handshakes so far: version, and whether an earlier session was continued.
    #[must_use]
    pub fn handshakes(&self) -> Vec<(&'static str, bool)> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).handshakes.clone()
    }

    /// What it heard so far.
    #[must_use]
    pub fn heard(&self) -> Heard {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).heard.clone()
    }
}

impl Drop for Minimal {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// One connection.
fn serve(stream: TcpStream, acceptor: Option<Acceptor>, world: &Mutex<World>, delay: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut link, mut reader, facts) = link::open(stream, acceptor)?;
    if let Some(facts) = facts {
        let version = if facts.version == Version::Tls12 { "1.2" } else { "1.3" };
        world.lock().unwrap_or_else(PoisonError::into_inner).handshakes.push((version, facts.resumed));
    }
    let (mut bytes, mut token) = (Vec::new(), None);
    let mut bridges: HashMap<String, String> = HashMap::new();
    while reader.read(&mut bytes)? {
        if bytes.first().is_some_and(u8::is_ascii_uppercase) && token.is_none() {
            let is_upgrade = http::answer(&mut bytes, &mut link, &mut reader, world)?;
            if !is_upgrade {
                continue;
            }
        }
        while let Some(frame) = take_frame(&mut bytes) {
            if !delay.is_zero() {
                std::thread::sleep(delay);
            }
            if let Err(error) = obey(&frame, &mut token, &mut bridges, &mut link, world) {
                forget(token.as_deref(), &link, world);
                return Err(error);
            }
        }
    }
    forget(token.as_deref(), &link, world);
    Ok(())
}

fn forget(token: Option<&str>, link: &Link, world: &Mutex<World>) {
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(token) = token
        && world.online.get(token).is_some_and(|other| other.is_same(link))
    {
        world.online.remove(token);
    }
}

struct Frame {
    command: u8,
    id: [u8; 2],
    body: Vec<u8>,
}

/// Cut the first whole frame off.
fn take_frame(bytes: &mut Vec<u8>) -> Option<Frame> {
    let header = *bytes.first_chunk::<5>()?;
    let has_body = header[0] != 0;
    let len = if has_body { usize::from(u16::from_be_bytes([header[3], header[4]])) } else { 0 };
    if bytes.len() < 5 + len {
        return None;
    }
    let body = bytes[5..5 + len].to_vec();
    bytes.drain(..5 + len);
    Some(Frame { command: header[0], id: [header[1], header[2]], body })
}

fn frame(command: u8, id: [u8; 2], body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u16).to_be_bytes();
    [&[command, id[0], id[1], len[0], len[1]], body].concat()
}

fn ok(id: [u8; 2]) -> Vec<u8> {
    vec![0, id[0], id[1], 0, 200]
}

fn obey(
    frame_in: &Frame,
    token: &mut Option<String>,
    bridges: &mut HashMap<String, String>,
    link: &mut Link,
    world: &Mutex<World>,
) -> io::Result<()> {
    let text = String::from_utf8_lossy(&frame_in.body).into_owned();
    let fields: Vec<&str> = text.split('\0').collect();
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    let refuses = world.refuses;
    let mut hear = |what| *world.heard.entry(what).or_insert(0) += 1;
    let id = frame_in.id;
    let me = token.clone().unwrap_or_default();
    let answer = match (frame_in.command, &fields[..]) {
        // Status 9: there is no such token.
        (2 | 29, _) if refuses => vec![0, id[0], id[1], 0, 9],
        (2 | 29, [text]) => {
            hear("logins");
            world.online.insert((*text).to_owned(), link.clone());
            *token = Some((*text).to_owned());
            ok(id)
        }
        (6, _) => {
            hear("ping");
            ok(id)
        }
        (17, _) => ok(id),
        (19, _) => {
            hear("property");
            ok(id)
        }
        (16, ["vr", pins @ ..]) => {
            hear("sync");
            let value = |pin: &&str| world.values.get(&(me.clone(), (*pin).to_owned())).cloned();
            let known = pins.iter().filter_map(|pin| Some((*pin, value(pin)?)));
            known.flat_map(|(pin, value)| frame(20, id, &[b"vw\0", pin.as_bytes(), b"\0", &value].concat())).collect()
        }
        (20, ["vw", pin, value]) => {
            hear("written");
            world.values.insert((me, (*pin).to_owned()), value.as_bytes().to_vec());
            Vec::new()
        }
        (15, [slot, "i", other]) => {
            bridges.insert((*slot).to_owned(), (*other).to_owned());
            ok(id)
        }
        (15, [slot, "vw", pin, value]) => {
            hear("bridge");
            let other = bridges.get(*slot).and_then(|other| world.online.get(other)).cloned();
            drop(world);
            if let Some(mut other) = other {
                other.send(&frame(15, id, format!("vw\0{pin}\0{value}").as_bytes()))?;
            }
            return Ok(());
        }
        (0, _) => Vec::new(),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    drop(world);
    link.send(&answer)
}
