//! TLS of a fleet's devices: each checks the server's certificate and makes a full handshake, as a board does that was
//! without power.

use std::path::Path;

use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::pki_types::{CertificateDer, ServerName};
use linchpin_tls::{
    Clock, Connector, ConnectorOptions, Desk, Fault, Handshake, Identity, Input, Layer, Opened, Progress, Provider,
    RecordLayer, Session, Version,
};

/// Whom devices trust, and by which name they know the server.
#[derive(Clone, Debug)]
pub struct Trust(Connector, ServerName<'static>);

impl Trust {
    /// The authority in this file.
    ///
    /// # Panics
    /// When it holds no certificate.
    #[must_use]
    pub fn new(ca: &Path) -> Self {
        Self::with_version(ca, None)
    }

    /// The same, for clients that speak one version only.
    ///
    /// # Panics
    /// When the file holds no certificate.
    #[must_use]
    pub fn with_version(ca: &Path, version: Option<Version>) -> Self {
        Self::with_identity(ca, version, None)
    }

    /// The same, for clients with a certificate of their own.
    ///
    /// # Panics
    /// When the file holds no certificate.
    #[must_use]
    pub fn with_identity(ca: &Path, version: Option<Version>, identity: Option<Identity>) -> Self {
        Self::made(ca, version, identity, 0)
    }

    /// The authority in this file, for clients that resume one of so many earlier sessions.
    ///
    /// # Panics
    /// When the file holds no certificate.
    #[must_use]
    pub fn remembering(ca: &Path, sessions: usize) -> Self {
        Self::made(ca, None, None, sessions)
    }

    fn made(ca: &Path, version: Option<Version>, identity: Option<Identity>, remembered: usize) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let root = CertificateDer::from_pem_file(ca).expect("the authority's certificate");
        let options = ConnectorOptions {
            provider: Provider::default(),
            roots: vec![root],
            identity,
            layer: Layer::InPlace,
            post_quantum: false,
            version,
            alpn: Vec::new(),
            remembered,
            clock: Clock::new(now),
        };
        Self(Connector::new(&options).expect("a connector"), ServerName::try_from("localhost").expect("a name"))
    }

    /// The same for a server of another name than `localhost`.
    ///
    /// # Panics
    /// When it is no name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self(self.0, ServerName::try_from(name.to_owned()).expect("a name"))
    }
}

/// The way of a device's bytes.
#[derive(Debug, Default)]
pub enum Way {
    /// As they are.
    #[default]
    Plain,
    /// The handshake is under way.
    Handshake(Box<Handshake>),
    /// Sealed.
    Tls(Session),
}

impl Way {
    /// Begin a handshake; its first bytes are appended to `out`.
    ///
    /// # Panics
    /// When the client cannot begin.
    pub fn begin(trust: &Trust, out: &mut Vec<u8>) -> Self {
        match trust.0.connect(trust.1.clone(), out).expect("a handshake begins") {
            Progress::Pending(handshake) => Self::Handshake(handshake),
            Progress::Done(done) => Self::Tls(done.session),
        }
    }

    /// May the device speak?
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self, Self::Handshake(_))
    }

    /// Bytes of the server: plaintext is appended to `plain`, what must be answered to `out`. True: the handshake has
    /// come to its end just now.
    ///
    /// # Errors
    /// The connection is over.
    pub fn receive(
        &mut self,
        desk: &mut Desk,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        match std::mem::take(self) {
            Self::Plain => plain.extend_from_slice(bytes),
            Self::Tls(mut session) => {
                open(&mut session, desk, bytes, plain, out)?;
                *self = Self::Tls(session);
            }
            Self::Handshake(handshake) => match handshake.advance(bytes, out)? {
                Progress::Pending(handshake) => *self = Self::Handshake(handshake),
                Progress::Done(mut done) => {
                    open(&mut done.session, desk, &mut done.rest, plain, out)?;
                    *self = Self::Tls(done.session);
                    return Ok(true);
                }
            },
        }
        Ok(false)
    }

    /// Append what a device says to `out`.
    ///
    /// # Panics
    /// When it may not speak.
    pub fn send(&mut self, desk: &mut Desk, plain: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(plain),
            Self::Tls(session) => session.seal_slice(desk, out, plain).expect("the session is open"),
            Self::Handshake(_) => panic!("nothing is said in a handshake"),
        }
    }
}

fn open(
    session: &mut Session,
    desk: &mut Desk,
    bytes: &mut [u8],
    plain: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mut input = Input::new(bytes);
    loop {
        match session.open(desk, &mut input, out)? {
            Opened::Plain(bytes) => plain.extend_from_slice(bytes),
            Opened::Drained => return Ok(()),
            Opened::PeerClosed => return Err(Fault::Closed),
        }
    }
}
