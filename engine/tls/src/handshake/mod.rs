//! From the first byte to a [`crate::Session`]: rustls does the handshake, then gives its secrets away.

mod acceptor;
mod conn;
mod connector;
mod greeting;
mod handover;
mod keylog;
mod provider;
mod remembered;
mod step;

pub use acceptor::{Acceptor, AcceptorOptions};
pub use connector::{Connector, ConnectorOptions};
pub use greeting::{Greeting, Hello};
pub use handover::{Established, HandshakeFacts};
pub use provider::Provider;
pub use step::{Handshake, Progress};

pub(crate) use conn::{Conn, Step, TicketKeeper, Wish};
