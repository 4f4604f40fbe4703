//! Virtual devices: the server plays them, as clients of its own plain port. They are for a first look, without a board.
//!
//! They connect as any device does, so that everything that is true of devices is true of them. Which devices are played
//! stands in a file of the data directory, an id a line; what they write is decided by [`script`].

mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use linchpin_protocol::blynk::{DeviceEvent, DeviceOptions, DeviceSession};
use linchpin_protocol::model::{DeviceId, Millis, Pin, Token};
use linchpin_storage::schema::{Device, DeviceKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::{Code, CommandError, Facts, Keep, Registry, limits};
use script::Script;

/// See the module's page.
pub(crate) struct Players {
    keep: Option<Keep>,
    registry: Arc<Mutex<Registry>>,
    /// Where they connect; `None`: there is no plain port.
    address: Option<SocketAddr>,
    /// The list of who is played.
    path: Option<PathBuf>,
    played: Mutex<BTreeSet<DeviceId>>,
}

impl std::fmt::Debug for Players {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Players({:?})", self.address)
    }
}

/// What a player needs of a device: its token, and what it writes.
struct Part {
    token: Token,
    script: Script,
}

impl Players {
    /// With those that were played before.
    pub(crate) fn new(
        keep: Option<Keep>,
        registry: Arc<Mutex<Registry>>,
        facts: &Facts,
        path: Option<PathBuf>,
    ) -> Arc<Self> {
        let text = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let ids = text.lines().filter_map(|line| DeviceId::new(line.trim().parse().ok()?));
        let played = Mutex::new(ids.take(limits::PLAYED).collect());
        Arc::new(Self { keep, registry, address: facts.plain.first().map(|at| from_here(*at)), path, played })
    }

    /// Play all of the list, on the runtime that this is called in.
    pub(crate) fn spawn_all(self: &Arc<Self>) {
        let all: Vec<DeviceId> = self.list().iter().copied().collect();
        all.into_iter().for_each(|device| self.spawn(device));
    }

    /// Could one more be played?
    ///
    /// # Errors
    /// There is no plain port or no store, or there are enough.
    pub(crate) fn check_room(&self) -> Result<(), CommandError> {
        let refused = |text: String| Err(CommandError::new(Code::Refused, text));
        if self.address.is_none() || self.keep.is_none() || self.path.is_none() {
            return refused("this server cannot play devices: it has no plain port or no store".to_owned());
        }
        if self.list().len() >= limits::PLAYED {
            return refused(format!("{} virtual devices are played, that is the most: remove one", limits::PLAYED));
        }
        Ok(())
    }

    /// Play this device from now on, also after a restart. Waits for the disk.
    ///
    /// # Errors
    /// The list cannot be written, or see [`Players::check_room`].
    pub(crate) fn add(&self, device: DeviceId) -> Result<(), CommandError> {
        self.check_room()?;
        let mut list = self.list();
        list.insert(device);
        self.write(&list).map_err(|error| {
            list.remove(&device);
            CommandError::new(Code::Store, format!("the list of virtual devices cannot be written: {error}"))
        })
    }

    fn list(&self) -> MutexGuard<'_, BTreeSet<DeviceId>> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, list: &BTreeSet<DeviceId>) -> Result<(), linchpin_storage::Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let text: String = list.iter().map(|device| format!("{device}\n")).collect();
        linchpin_storage::write_private(path, text.as_bytes())
    }

    fn forget(&self, device: DeviceId) {
        let mut list = self.list();
        if list.remove(&device)
            && let Err(error) = self.write(&list)
        {
            tracing::warn!(%error, "the list of virtual devices is not written");
        }
    }

    /// Play one, until the device is gone.
    pub(crate) fn spawn(self: &Arc<Self>, device: DeviceId) {
        let Some(address) = self.address else { return };
        let players = Arc::clone(self);
        tokio::spawn(async move {
            let mut pause = limits::PLAYER_PAUSE;
            loop {
                let looking = Arc::clone(&players);
                match tokio::task::spawn_blocking(move || looking.part(device)).await {
                    Ok(Ok(Some(part))) => {
                        let was_in = connection(address, &part).await;
                        pause = if was_in { limits::PLAYER_PAUSE } else { (pause * 2).min(limits::PLAYER_PAUSE_MOST) };
                    }
                    Ok(Ok(None)) => break,
                    Ok(Err(_)) | Err(_) => pause = limits::PLAYER_PAUSE_MOST,
                }
                tokio::time::sleep(pause).await;
            }
            players.forget(device);
        });
    }

    /// The device as it is now; `None`: it is gone.
    fn part(&self, device: DeviceId) -> Result<Option<Part>, linchpin_storage::Error> {
        let Some(keep) = &self.keep else { return Ok(None) };
        let (org, script) = {
            let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(entry) = registry.device(device) else { return Ok(None) };
            let template = entry.template.and_then(|id| registry.template(id));
            (entry.org, template.map_or_else(Script::free, |entry| Script::of(&entry.record)))
        };
        let found = keep.store().get::<Device>(&DeviceKey::new(org, device))?;
        Ok(found.map(|found| Part { token: found.token, script }))
    }
}

/// An address that means all of this machine's, as a client on it writes it.
const fn from_here(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    }
    address
}

/// One connection to its end; was it logged in?
async fn connection(address: SocketAddr, part: &Part) -> bool {
    let connecting = tokio::time::timeout(limits::PLAYER_CONNECT, TcpStream::connect(address)).await;
    let Ok(Ok(mut stream)) = connecting else { return false };
    let start = Instant::now();
    let now = || Millis(start.elapsed().as_millis() as u64);
    let device = DeviceOptions { board: "virtual".into(), firmware: Some("1.0.0".into()), ..DeviceOptions::default() };
    let mut session = DeviceSession::new();
    let (mut out, mut buffer) = (Vec::new(), [0; 2_048]);
    session.start(now(), &device, &part.token, &mut out);
    let mut held: BTreeMap<Pin, Vec<u8>> = part.script.first().collect();
    let (mut next, mut has_reported) = (Instant::now(), false);
    loop {
        if session.on_timer(now(), &device, &mut out).is_err() {
            return session.is_logged_in();
        }
        if session.is_logged_in() && Instant::now() >= next {
            // What only people change is reported once, the rest moves.
            for (pin, value) in held.iter().filter(|_| !has_reported) {
                session.write(now(), *pin, value, &mut out);
            }
            has_reported = true;
            for (pin, value) in part.script.moving(now().0) {
                session.write(now(), pin, value.as_bytes(), &mut out);
            }
            next = Instant::now() + limits::PLAYER_STEP;
        }
        if !out.is_empty() && stream.write_all(&out).await.is_err() {
            return session.is_logged_in();
        }
        out.clear();
        let wait = if session.is_logged_in() { next } else { Instant::now() + Duration::from_millis(200) };
        let read = tokio::time::timeout_at(wait, stream.read(&mut buffer)).await;
        let len = match read {
            Err(_) => continue,
            Ok(Ok(0) | Err(_)) => return session.is_logged_in(),
            Ok(Ok(len)) => len,
        };
        let mut heard = Vec::new();
        let on = &mut |event: DeviceEvent<'_>| heard.extend(Heard::of(&event));
        if session.on_bytes(now(), &device, &buffer[..len], &mut out, on).is_err() {
            return session.is_logged_in();
        }
        for event in heard {
            match event {
                // A board does what it is told and says so.
                Heard::Write(pin, value) => {
                    session.write(now(), pin, &value, &mut out);
                    held.insert(pin, value);
                }
                Heard::Read(pin, id) => {
                    if let Some(value) = held.get(&pin) {
                        session.answer(now(), id, pin, value, &mut out);
                    }
                }
            }
        }
    }
}

/// What a virtual device reacts to.
enum Heard {
    Write(Pin, Vec<u8>),
    Read(Pin, u16),
}

impl Heard {
    fn of(event: &DeviceEvent<'_>) -> Option<Self> {
        match event {
            DeviceEvent::Write { pin, value, .. } => Some(Self::Write(*pin, value.as_bytes().to_vec())),
            DeviceEvent::Read { pin, id } => Some(Self::Read(*pin, *id)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_all_is_reached_from_here() {
        let at = |text: &str| from_here(text.parse().expect("an address")).to_string();
        assert_eq!(at("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(at("10.0.0.5:80"), "10.0.0.5:80");
    }

    fn players(path: Option<PathBuf>) -> Arc<Players> {
        let registry = Arc::new(Mutex::new(Registry::new(1, [0; 32])));
        let address = Some(SocketAddr::from(([127, 0, 0, 1], 1)));
        Arc::new(Players { keep: None, registry, address, path, played: Mutex::default() })
    }

    #[test]
    fn without_a_store_nothing_is_played_and_the_list_is_bounded() {
        assert!(players(None).check_room().is_err());
        let path = std::env::temp_dir().join(format!("linchpin-played-{}", std::process::id()));
        let one = players(Some(path.clone()));
        for number in 1..=3 {
            one.list().insert(DeviceId::new(number).expect("not zero"));
        }
        one.write(&one.list()).expect("written");
        one.forget(DeviceId::new(2).expect("not zero"));
        assert_eq!(std::fs::read_to_string(&path).expect("a list"), "1\n3\n");
        std::fs::remove_file(path).expect("removed");
    }
}
