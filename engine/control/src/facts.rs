//! What the server knows of itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::monitor::figure::About;

/// What the server knows of itself, for `linchpin status`.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Version of the binary.
    pub version: &'static str,
    /// Commit that it was built from, such as `1f2e3d4c5b6a` or `1f2e3d4c5b6a-dirty`; `unknown` without git.
    pub commit: &'static str,
    /// Back end and features.
    pub driver: String,
    /// Connections that the limits allow.
    pub capacity: u64,
    /// Addresses of the plain ports.
    pub plain: Vec<SocketAddr>,
    /// Addresses of the TLS ports.
    pub tls: Vec<SocketAddr>,
    /// Addresses of the TLS ports that want a certificate of the client.
    pub mutual: Vec<SocketAddr>,
    /// Addresses for load balancers.
    pub proxied: Vec<SocketAddr>,
    /// When the server started.
    pub started: Instant,
    /// What the threads around shards count besides the shards.
    pub counters: Vec<About>,
    /// Knows when the first of the certificates that are served ends; `None`: TLS is not spoken.
    pub certificate_end: Option<Arc<dyn CertificateEnd>>,
}

/// When the first of the certificates that are served ends.
pub trait CertificateEnd: Send + Sync {
    /// Unix s; `None`: none is served.
    fn unix_s(&self) -> Option<u64>;
}

impl std::fmt::Debug for dyn CertificateEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CertificateEnd({:?})", self.unix_s())
    }
}
