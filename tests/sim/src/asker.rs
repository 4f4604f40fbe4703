//! A client of HTTP: it may pipeline, and it reads answers of any framing.

use std::collections::VecDeque;

use crate::World;
use crate::driver::Conn;

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// The head as it came.
    pub head: String,
    /// The body as far as it came.
    pub body: Vec<u8>,
    /// It came whole.
    pub is_whole: bool,
}

/// Where the reader stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    Length(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    UntilClose,
}

/// See the module's page.
#[derive(Debug)]
pub struct Asker {
    /// Its connection.
    pub conn: Conn,
    received: Vec<u8>,
    stage: Stage,
    /// Answers in their order; the last may not be whole.
    pub answers: Vec<HttpAnswer>,
    /// Is the answer that comes next one to HEAD?
    heads: VecDeque<bool>,
}

impl Asker {
    /// Connect from an address.
    pub fn connect(world: &mut World, address: [u8; 4]) -> Self {
        Self::over(world.connect(address))
    }

    /// On a connection that stands.
    #[must_use]
    pub fn over(conn: Conn) -> Self {
        Self { conn, received: Vec::new(), stage: Stage::Head, answers: Vec::new(), heads: VecDeque::new() }
    }

    /// Send a request; `fields` are more lines, each ended by CR LF.
    pub fn ask(&mut self, world: &mut World, method: &str, target: &str, fields: &str, body: &[u8]) {
        self.heads.push_back(method == "HEAD");
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}").into_bytes();
        if !body.is_empty() {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        world.send(self.conn, &bytes);
    }

    /// Send a request with a chunked body.
    pub fn ask_chunked(&mut self, world: &mut World, target: &str, chunks: &[&[u8]]) {
        self.heads.push_back(false);
        let mut bytes =
            format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
        for chunk in chunks.iter().copied().chain([&[][..]]) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        world.send(self.conn, &bytes);
    }

    /// Read what has come. Bytes may also come from elsewhere: [`Self::take`].
    pub fn read(&mut self, world: &mut World) {
        while let Some(segment) = world.read(self.conn) {
            self.take(&segment);
        }
        if self.stage == Stage::UntilClose && world.wires[self.conn].ended {
            self.whole();
        }
    }

    /// Bytes of the answers.
    ///
    /// # Panics
    /// When they are none.
    pub fn take(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.received);
        let mut at = 0;
        while let Some(used) = self.parse(&all[at..]) {
            at += used;
        }
        self.received = all[at..].to_vec();
    }

    fn whole(&mut self) {
        self.last().is_whole = true;
        self.stage = Stage::Head;
    }

    fn last(&mut self) -> &mut HttpAnswer {
        self.answers.last_mut().expect("a head came")
    }

    /// How many bytes were used; `None`: more must come.
    fn parse(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.stage {
            Stage::Head => {
                let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
                self.head(std::str::from_utf8(&bytes[..end]).expect("text"));
                Some(end)
            }
            Stage::Length(left) | Stage::Chunk(left) => {
                let some = left.min(bytes.len());
                if some == 0 {
                    return None;
                }
                self.last().body.extend_from_slice(&bytes[..some]);
                match (self.stage, left - some) {
                    (Stage::Length(_), 0) => self.whole(),
                    (Stage::Length(_), left) => self.stage = Stage::Length(left),
                    (_, 0) => self.stage = Stage::ChunkEnd,
                    (_, left) => self.stage = Stage::Chunk(left),
                }
                Some(some)
            }
            Stage::ChunkEnd => {
                assert_eq!(bytes.get(..2)?, b"\r\n", "a chunk ends with its line");
                self.stage = Stage::ChunkSize;
                Some(2)
            }
            Stage::ChunkSize => {
                let end = bytes.windows(2).position(|two| two == b"\r\n")?;
                let text = std::str::from_utf8(&bytes[..end]).expect("text");
                let size = usize::from_str_radix(text, 16).expect("a size");
                if size > 0 {
                    self.stage = Stage::Chunk(size);
                    return Some(end + 2);
                }
                assert_eq!(bytes.get(..end + 4)?, b"0\r\n\r\n", "the last chunk");
                self.whole();
                Some(end + 4)
            }
            Stage::UntilClose => {
                self.last().body.extend_from_slice(bytes);
                (!bytes.is_empty()).then_some(bytes.len())
            }
        }
    }

    fn head(&mut self, head: &str) {
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        assert!(head.starts_with("HTTP/1.1 "), "no answer: {head}");
        let field = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        self.answers.push(HttpAnswer { status, head: head.to_owned(), ..HttpAnswer::default() });
        if status == 100 {
            return self.whole();
        }
        let to_head = self.heads.pop_front().unwrap_or(false);
        self.stage = match (field("transfer-encoding"), field("content-length")) {
            _ if to_head || matches!(status, 204 | 304) => return self.whole(),
            (Some(coding), None) => {
                assert_eq!(coding, "chunked");
                Stage::ChunkSize
            }
            (None, Some(len)) => Stage::Length(len.parse().expect("a length")),
            (None, None) => Stage::UntilClose,
            (Some(_), Some(_)) => panic!("two lengths: {head}"),
        };
        if self.stage == Stage::Length(0) {
            self.whole();
        }
    }

    /// Status and body of the answers that came whole.
    #[must_use]
    pub fn whole_answers(&self) -> Vec<(u16, String)> {
        let whole = self.answers.iter().filter(|answer| answer.is_whole);
        whole.map(|answer| (answer.status, String::from_utf8_lossy(&answer.body).into_owned())).collect()
    }
}
