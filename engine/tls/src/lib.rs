//! TLS on the device path, sans-IO, server and client side.
//!
//! A port without TLS needs [`classify`] and [`fatal`] only. With TLS a connection goes through three states, each a
//! type of its own:
//!
//! 1. [`Greeting`] collects the ClientHello, so that the shard knows what the handshake costs ([`Admission`] decides
//!    when it begins) and how much the client can receive.
//! 2. [`Handshake`] is rustls'. It costs about 5 KiB and ends in
//! 3. [`Session`], of which an idle connection keeps keys, secrets and counters: 104 to 232 bytes. It opens and seals
//!    records in the caller's own buffers; nothing of rustls is left.
//!
//! Time is an argument ([`Clock`]); rustls and tickets draw their own randomness. docs/tls.md says more.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use linchpin_tls::pki_types::{CertificateDer, ServerName, pem::PemObject};
//! use linchpin_tls::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (now_s, day) = (1_800_000_000, Duration::from_secs(86_400));
//! let (clock, provider) = (Clock::new(now_s), Provider::default());
//! let authority = LocalAuthority::make("Mine", now_s, 365 * day)?;
//! let made = authority.server(&["localhost"], now_s, 90 * day)?;
//! let identity = Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), provider, now_s)?;
//! let acceptor = Acceptor::new(&AcceptorOptions {
//!     provider,
//!     certificates: Arc::new(Certificates::new(vec![identity])?),
//!     tickets: Arc::new(Tickets::new(b"devices", &TicketKey::new(7, [1; 32]), &[])?),
//!     session_ids: Arc::new(SessionIds::new(limits::SESSION_IDS, clock.clone())),
//!     clients: None,
//!     layer: Layer::InPlace,
//!     alpn: Vec::new(),
//!     challenges: Arc::default(),
//!     clock: clock.clone(),
//! })?;
//! let connector = Connector::new(&ConnectorOptions {
//!     provider,
//!     roots: vec![CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes())?],
//!     identity: None,
//!     layer: Layer::InPlace,
//!     post_quantum: true,
//!     version: Some(Version::Tls13),
//!     alpn: Vec::new(),
//!     remembered: 0,
//!     clock,
//! })?;
//!
//! // What stands in `up` and `down` is what the sockets carry.
//! let (mut up, mut down) = (Vec::new(), Vec::new());
//! let Progress::Pending(client) = connector.connect(ServerName::try_from("localhost")?, &mut up)? else { panic!() };
//! let mut greeting = Greeting::new();
//! assert!(greeting.push(&std::mem::take(&mut up), &mut down)?.is_some_and(|hello| hello.tls13));
//! let Progress::Pending(server) = acceptor.accept(greeting, &mut down)? else { panic!() };
//! let Progress::Done(mut client) = client.advance(&std::mem::take(&mut down), &mut up)? else { panic!() };
//! let mut desk = Desk::default();
//! client.session.seal_slice(&mut desk, &mut up, b"hello")?; // in one flight with the end of the handshake
//! let Progress::Done(mut server) = server.advance(&up, &mut down)? else { panic!() };
//!
//! let mut input = Input::new(&mut server.rest);
//! while let Opened::Plain(plain) = server.session.open(&mut desk, &mut input, &mut down)? {
//!     assert_eq!(plain, b"hello");
//! }
//! # Ok(())
//! # }
//! ```

mod admission;
mod alert;
mod certificate;
mod challenge;
mod client_auth;
mod clock;
mod fault;
mod handshake;
mod hello;
pub mod limits;
#[cfg(feature = "nonces")]
pub mod nonces;
mod record;
mod session;
mod session_ids;
mod setup;
mod ticket;
mod ticket_file;

pub use admission::{Admission, ArrivalVerdict, Load, Pass, Refusal};
pub use alert::{Alert, fatal};
pub use certificate::{
    CertificateCheck, Certificates, DeviceRoot, Identity, KeyKind, LocalAuthority, LocalCertificate, NewKey, RenewalId,
    Warning, device_chain,
};
pub use challenge::{Challenges, validation_name};
pub use client_auth::{ClientAuth, Revoked, fingerprint};
pub use clock::Clock;
pub use fault::Fault;
pub use handshake::{
    Acceptor, AcceptorOptions, Connector, ConnectorOptions, Established, Greeting, Handshake, HandshakeFacts, Hello,
    Progress, Provider,
};
pub use hello::{First, classify, refusal};
pub use record::{ContentType, RecordFault, RecordHead, header};
pub use rustls_pki_types as pki_types;
pub use session::{
    AssemblyBudget, Away, Claim, Desk, Foreign, InPlace, Input, KeyCache, Layer, Opened, RecordLayer, RustlsPath,
    Sealing, Session, Side, Suite, Version,
};
pub use session_ids::SessionIds;
pub use setup::SetupFault;
pub use ticket::{TicketKey, Tickets};
pub use ticket_file::{TicketFileFault, TicketRing};
