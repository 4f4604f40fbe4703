//! What a shard itself answers where the control plane would: problem details (RFC 9457), without the CORS field.

use linchpin_protocol::http::reply::put_string;
use linchpin_protocol::http::{AnswerHead, AnswerLength, HttpFault};

use crate::End;

/// Why a request is not answered by the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Problem {
    /// Its form is wrong.
    Malformed(HttpFault),
    /// Its `Host` is none of this server's.
    ForeignHost,
    /// There is no such file.
    NoFile,
    /// Its method is none that anything here answers.
    Method,
    /// Its body came too slowly.
    SlowBody,
    /// The control plane failed.
    Failed,
    /// The control plane did not answer in time.
    Busy,
    /// Too many requests are under way, and its owner has most of them.
    Crowded,
    /// The server stops.
    Stopping,
}

impl Problem {
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::Malformed(fault) => fault.status(),
            Self::ForeignHost => 421,
            Self::NoFile => 404,
            Self::Method => 405,
            Self::SlowBody => 408,
            Self::Failed => 500,
            Self::Busy | Self::Crowded | Self::Stopping => 503,
        }
    }

    /// Why the connection ends after it.
    pub(super) const fn end(self) -> End {
        match self {
            Self::Malformed(_) | Self::ForeignHost | Self::Method => End::HttpMalformed,
            Self::NoFile => End::HttpDone,
            Self::SlowBody => End::LoginTimeout,
            Self::Failed => End::AnswerFailed,
            Self::Busy | Self::Crowded => End::Busy,
            Self::Stopping => End::Drained,
        }
    }

    fn detail(self) -> String {
        let text = match self {
            Self::Malformed(fault) => return fault.to_string(),
            Self::ForeignHost => {
                "this server does not answer for the name in Host; add it to listen.hosts, or use another"
            }
            Self::NoFile => "there is no such file; load the page again",
            Self::Method => "the method is none of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS",
            Self::SlowBody => "the body came slower than 1 KiB a second; send it faster",
            Self::Failed => "the server failed to answer; its log says more",
            Self::Busy => "the server did not answer within 30 seconds; try again in a moment",
            Self::Crowded => "too many requests are under way and most of them are yours; try again in a moment",
            Self::Stopping => "the server stops; try again in a moment",
        };
        text.to_owned()
    }

    /// Append the answer. The connection closes behind it.
    pub(super) fn write(self, head_only: bool, wire: &mut Vec<u8>) {
        let mut body = format!("{{\"status\":{},\"code\":\"{}\",\"detail\":", self.status(), self.end());
        put_string(&mut body, &self.detail());
        body.push('}');
        let own = match self.status() {
            503 => "Retry-After: 1\r\n",
            // What is asked beyond these is not looked at: which of them a path takes, its own answer says.
            405 => "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n",
            _ => "",
        };
        let more = &format!("Content-Type: application/problem+json\r\nCache-Control: no-store\r\n{own}");
        let length = AnswerLength::Known(body.len() as u64);
        AnswerHead { status: self.status(), length, keep_alive: false, fields: &[], more }.write(wire);
        if !head_only {
            wire.extend_from_slice(body.as_bytes());
        }
    }
}
