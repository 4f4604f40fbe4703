//! `linchpin device sim`: a virtual device that keeps writing and shows what it receives.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use linchpin_protocol::blynk::{DeviceEnd, DeviceEvent, DeviceOptions, DeviceSession};
use linchpin_protocol::model::{Millis, Pin, Token};

use serde_json::Value;

use super::args::Sim;
use super::failure::Failure;
use super::show::printable;

/// What to simulate.
struct SimOptions {
    server: String,
    token: Token,
    bridge_to: Option<Token>,
    /// Values to write; 0 = until interrupted.
    count: u32,
    period: Duration,
}

/// Why it ended early.
#[derive(Debug)]
enum SimError {
    Address(String),
    Io(SocketAddr, std::io::Error),
    ServerClosed,
    Ended(DeviceEnd),
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => write!(f, "{text:?} is not HOST:PORT of a server"),
            Self::Io(address, error) => write!(f, "{address}: {error}; is the server running there?"),
            Self::ServerClosed => f.write_str(
                "the server closed the connection: `linchpin device diary` says why (a port for TLS closes at once: this device \
                 speaks without)",
            ),
            Self::Ended(end) => write!(f, "the device ended the connection: {end}"),
        }
    }
}

impl std::error::Error for SimError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, source) => Some(source),
            Self::Address(_) | Self::ServerClosed | Self::Ended(_) => None,
        }
    }
}

/// `linchpin device sim`.
pub(super) fn simulate(flags: &Sim) -> Result<(), Failure> {
    let ready: Value = match &flags.ready_file {
        Some(path) => {
            let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            serde_json::from_slice(&text).map_err(|error| format!("{} is no ready file: {error}", path.display()))?
        }
        None => Value::Null,
    };
    let of_ready = |index: usize| -> Result<String, String> {
        let token = ready["devices"][index]["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| {
            format!("the ready file has no device {index}: its first is 0; see --index, or give --token-file")
        })
    };
    let text = match (&flags.token, &flags.token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
        (None, None) => of_ready(flags.index)?,
    };
    let token = |text: &str| Token::parse(text.as_bytes()).map_err(|fault| fault.to_string());
    let bridge = match (&flags.bridge_to, flags.bridge_index) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(index)) => Some(of_ready(index)?),
        (None, None) => None,
    };
    let server = flags.server.clone().or_else(|| ready["plain"].as_str().map(str::to_owned)).unwrap_or_default();
    let options = SimOptions {
        server,
        token: token(&text)?,
        bridge_to: bridge.as_deref().map(token).transpose()?,
        count: flags.count,
        period: flags.period,
    };
    run(&options).map_err(Failure::general)
}

/// The pin that stands for the bridge's target.
const BRIDGE: u8 = 64;
/// How often the socket is looked at, ms.
const LOOK_MS: u64 = 20;

/// Run until `count` values were written; a little longer, so that answers still arrive.
fn run(options: &SimOptions) -> Result<(), SimError> {
    let not_an_address = || SimError::Address(options.server.clone());
    let address =
        options.server.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(not_an_address)?;
    let io = |error| SimError::Io(address, error);
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(io)?;
    stream.set_nodelay(true).map_err(io)?;
    stream.set_read_timeout(Some(Duration::from_millis(LOOK_MS))).map_err(io)?;
    let start = Instant::now();
    let now = || Millis(start.elapsed().as_millis() as u64);
    let device = DeviceOptions { board: "virtual".into(), firmware: Some("1.0.0".into()), ..DeviceOptions::default() };
    let mut session = DeviceSession::new();
    let mut out = Vec::new();
    session.start(now(), &device, &options.token, &mut out);
    let (mut written, mut next, mut is_ready) = (0u32, Instant::now(), false);
    let mut buffer = [0u8; 4_096];
    loop {
        session.on_timer(now(), &device, &mut out).map_err(SimError::Ended)?;
        if is_ready && Instant::now() >= next {
            if options.count > 0 && written == options.count {
                println!("wrote {written} values");
                return stream.write_all(&out).map_err(io);
            }
            if written == 0
                && let Some(target) = &options.bridge_to
            {
                session.bridge_init(now(), BRIDGE, target, &mut out);
            }
            written += 1;
            write_values(&mut session, now(), written, options.bridge_to.is_some(), &mut out);
            next += options.period;
        }
        stream.write_all(&out).map_err(io)?;
        out.clear();
        match stream.read(&mut buffer) {
            Ok(0) => return Err(SimError::ServerClosed),
            Ok(n) => {
                let on = &mut |event: DeviceEvent<'_>| is_ready |= show(&event);
                session.on_bytes(now(), &device, &buffer[..n], &mut out, on).map_err(SimError::Ended)?;
                next = if written == 0 { Instant::now() } else { next };
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(error) => return Err(io(error)),
        }
    }
}

/// A counter on V1, a temperature that goes up and down on V2, and the counter on V10 of the bridge's target.
fn write_values(session: &mut DeviceSession, now: Millis, n: u32, bridged: bool, out: &mut Vec<u8>) {
    let temperature = 21.0 + 3.0 * (f64::from(n) / 10.0).sin();
    println!("wrote V1 = {n}, V2 = {temperature:.2}");
    session.write(now, Pin::new_virtual(1), n.to_string().as_bytes(), out);
    session.write(now, Pin::new_virtual(2), format!("{temperature:.2}").as_bytes(), out);
    if bridged {
        session.bridge_write(now, BRIDGE, Pin::new_virtual(10), n.to_string().as_bytes(), out);
    }
}

/// Print an event; true when the device may begin to write.
fn show(event: &DeviceEvent<'_>) -> bool {
    match event {
        DeviceEvent::LoggedIn => println!("logged in"),
        DeviceEvent::InfoAccepted => {
            println!("introduced; writes V1 and V2 from now on");
            return true;
        }
        DeviceEvent::Write { pin, value, .. } => {
            println!("received {pin} = {}", printable(&String::from_utf8_lossy(value.as_bytes())));
        }
        DeviceEvent::Read { pin, .. } => println!("was asked for {pin}"),
        DeviceEvent::Internal { body, .. } => {
            println!("received INTERNAL {}", printable(&String::from_utf8_lossy(body)));
        }
        DeviceEvent::Response { id, status } if *status != 200 => println!("message {id} was answered with {status}"),
        DeviceEvent::Redirect { host, port } => println!("is sent to {host:?} {port:?}"),
        DeviceEvent::Debug { text } => println!("debug: {}", printable(&String::from_utf8_lossy(text))),
        DeviceEvent::Response { .. } | DeviceEvent::PinMode { .. } => {}
    }
    false
}
