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

mod admission;
mod alert;
mod certificate;
mod client_auth;
mod clock;
mod fault;
mod handshake;
mod hello;
pub mod limits;
mod record;
mod session;
mod session_ids;
mod setup;
mod ticket;

pub use admission::{Admission, Load, Pass, Refusal, Verdict};
pub use alert::{Alert, fatal};
pub use certificate::{Certificates, DeviceRoot, Identity, LocalAuthority, LocalCertificate, Report, Warning};
pub use client_auth::{ClientAuth, Revoked, fingerprint};
pub use clock::Clock;
pub use fault::Fault;
pub use handshake::{
    Acceptor, AcceptorOptions, Connector, ConnectorOptions, Established, Facts, Greeting, Handshake, Hello, Progress,
    Provider,
};
pub use hello::{First, classify};
pub use record::{ContentType, Record, RecordFault, header};
pub use rustls_pki_types as pki_types;
pub use session::{
    AssemblyBudget, Desk, InPlace, Input, KeyCache, Layer, Opened, RecordLayer, RustlsPath, Sealing, Session, Side,
    Suite, Version,
};
pub use session_ids::SessionIds;
pub use setup::SetupFault;
pub use ticket::{TicketKey, Tickets};
