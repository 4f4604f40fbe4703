//! The HTTP side of a simulated device: a program that reads and writes its values with long and chunked bodies.

use std::collections::VecDeque;

use linchpin_protocol::http::client::next_response;
use linchpin_protocol::model::Token;

use crate::World;

/// It gives up when an answer has not come for so long, ms.
const ANSWER_MS: u64 = 20_000;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// A value, which may not be there.
    Read,
    /// That a value is taken.
    Write,
}

/// One connection of it.
#[derive(Debug, Default)]
pub struct HttpSide {
    received: Vec<u8>,
    /// Requests that are not answered, and when each was sent.
    open: VecDeque<(Wanted, u64)>,
}

impl HttpSide {
    /// Must it give up?
    #[must_use]
    pub fn is_lost(&self, now_ms: u64) -> bool {
        self.open.front().is_some_and(|(_, at_ms)| now_ms >= at_ms + ANSWER_MS)
    }

    /// The next request, or a few of them; none while an answer is awaited.
    pub fn ask(&mut self, world: &mut World, token: &Token) -> Vec<u8> {
        if !self.open.is_empty() {
            return Vec::new();
        }
        let (token, now_ms) = (token.expose(), world.now_ms());
        let read = format!("GET /{token}/get/v1 HTTP/1.1\r\nHost: x\r\n\r\n");
        let write = format!("PUT /{token}/update/v2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
        // Blanks are part of a body: short ones and long ones, which are read only for a good token.
        let most = if world.random.chance(300) { 20_000 } else { 200 };
        let blanks = world.random.below(most) as usize;
        let body = format!("[{}\"{now_ms}\"]", " ".repeat(blanks));
        let (wanted, request) = match world.random.below(4) {
            0 => (vec![Wanted::Read], read),
            1 => (vec![Wanted::Read; 3], read.repeat(3)),
            2 => (vec![Wanted::Write], format!("{write}Content-Length: {}\r\n\r\n{body}", body.len())),
            _ => {
                let len = world.random.between(1 + body.len() as u64 / 200, 2_000) as usize;
                let chunks: String = body
                    .as_bytes()
                    .chunks(len)
                    .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
                    .collect();
                (vec![Wanted::Write], format!("{write}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"))
            }
        };
        self.open.extend(wanted.into_iter().map(|wanted| (wanted, now_ms)));
        request.into_bytes()
    }

    /// Take what came; true: something was answered.
    ///
    /// # Panics
    /// When what comes is no answer, or one that a good request does not get.
    pub fn take(&mut self, bytes: &[u8]) -> bool {
        self.received.extend_from_slice(bytes);
        let mut is_answered = false;
        while let Some(answer) = next_response(&self.received, false).expect("a server's answer") {
            let (status, used) = (answer.status, answer.used);
            let (wanted, _) = self.open.pop_front().expect("only what was asked is answered");
            let may = match wanted {
                Wanted::Read => [200, 400, 404, 429, 503].contains(&status),
                Wanted::Write => [200, 429, 503].contains(&status),
            };
            assert!(may, "{wanted:?} is answered with {status}: {}", String::from_utf8_lossy(&self.received[..used]));
            self.received.drain(..used);
            is_answered = true;
        }
        is_answered
    }
}
