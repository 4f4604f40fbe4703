//! What shards and the control plane write each other about a request. Plain data in both directions.

use std::net::SocketAddr;

use linchpin_protocol::http::{BodyLength, ListedFields, Method};

use crate::ids::ConnRef;
use crate::live::LiveGrant;

/// Names one ask: late answers find a connection that ended, or went on to another ask, by neither of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AskRef {
    /// The connection that it came from.
    pub conn: ConnRef,
    /// Its number on its shard; wraps after 2^32 asks.
    pub number: u32,
}

/// A request for the control plane, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskStart {
    /// What to do; never [`Method::Other`].
    pub method: Method,
    /// With what: path and query as received, from the first slash on.
    pub target: Box<str>,
    /// The fields that may travel. Those of proxies are not among them: `peer` and `over_tls` say what they said.
    pub fields: ListedFields,
    /// The client, as far as proxies that the operator lists say who it is.
    pub peer: SocketAddr,
    /// The client speaks TLS, with this server or with a proxy that the operator lists.
    pub over_tls: bool,
    /// How long its body is.
    pub body: BodyLength,
    /// It asks for a live socket, in a way that can be granted with [`AnswerPart::Grant`].
    pub wants_live: bool,
}

impl AskStart {
    /// It changes nothing: GET, HEAD or OPTIONS.
    #[must_use]
    pub const fn only_reads(&self) -> bool {
        matches!(self.method, Method::Get | Method::Head | Method::Options)
    }
}

/// From a shard to the control plane.
#[derive(Debug)]
pub enum AskPart {
    /// An ask begins.
    Start(Box<AskStart>),
    /// Bytes of its body, 1 to [`crate::limits::ASK_CHUNK_BYTES`], within the credit that control gave.
    Body(Box<[u8]>),
    /// Its body is whole.
    BodyEnd,
    /// Control may send so many more bytes of the answer's body.
    Credit(u32),
    /// The client is gone, or was answered by the shard: no answer will be read. Not sent once the answer has ended.
    Cancel,
}

/// From the control plane to a shard. In this order: any `Credit`, `Start`, any `Body`, and `End` or `Failed`, which may
/// come at any time.
#[derive(Debug)]
pub enum AnswerPart {
    /// The body is wanted: so many more bytes of it are taken. The first one accepts the body.
    Credit(u32),
    /// The head of the answer.
    Start(Box<AnswerStart>),
    /// Bytes of its body, within the credit that the shard gave ([`crate::limits::ASK_CREDIT_BYTES`] at first).
    Body(Box<[u8]>),
    /// The answer is whole.
    End,
    /// There is no answer, or no more of it: a bug of the server.
    Failed,
    /// Instead of all others: the connection becomes a live socket that may see this much.
    Grant(Box<LiveGrant>),
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerStart {
    /// Status code, 200 to 599.
    pub status: u16,
    /// Names and values. Not those that the shard writes: see `linchpin_protocol::http::is_answer_field`.
    pub fields: Vec<(Box<str>, Box<[u8]>)>,
    /// Length of the body, bytes, if it is known before; for HEAD that of the body which GET would have.
    pub len_bytes: Option<u64>,
}
