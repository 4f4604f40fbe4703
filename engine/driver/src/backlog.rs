//! The rest of sends that sockets did not take.

use std::collections::HashMap;

use crate::limits::BACKLOG_BYTES;
use crate::{ConnId, Event};

#[derive(Debug, Default)]
struct Rest {
    bytes: Vec<u8>,
    sent: usize,
}

/// By connection; most have none.
#[derive(Debug, Default)]
pub(crate) struct Backlogs {
    rests: HashMap<ConnId, Rest>,
    /// All that waits.
    pub(crate) total_bytes: u64,
}

impl Backlogs {
    pub(crate) fn contains(&self, conn: ConnId) -> bool {
        // Checked for every send: without any backlog no hash is computed.
        !self.rests.is_empty() && self.rests.contains_key(&conn)
    }

    /// Keep bytes; false if [`BACKLOG_BYTES`] would be exceeded (nothing is kept then).
    pub(crate) fn keep(&mut self, conn: ConnId, bytes: &[u8]) -> bool {
        let rest = self.rests.entry(conn).or_default();
        if rest.bytes.len() - rest.sent + bytes.len() > BACKLOG_BYTES {
            return false;
        }
        rest.bytes.extend_from_slice(bytes);
        self.total_bytes += bytes.len() as u64;
        true
    }

    /// What waits for a connection.
    pub(crate) fn unsent(&self, conn: ConnId) -> &[u8] {
        self.rests.get(&conn).map_or(&[], |rest| &rest.bytes[rest.sent..])
    }

    /// An event as it is reported: how much waits is counted at that moment.
    pub(crate) fn counted<'e>(&self, event: Event<'e>) -> Event<'e> {
        match event {
            Event::Blocked { conn, .. } => Event::Blocked { conn, bytes: self.unsent(conn).len() },
            event => event,
        }
    }

    /// The socket took `n` bytes; true when nothing is left.
    pub(crate) fn sent(&mut self, conn: ConnId, n: usize) -> bool {
        let Some(rest) = self.rests.get_mut(&conn) else { return true };
        rest.sent += n;
        self.total_bytes -= n as u64;
        let is_done = rest.sent == rest.bytes.len();
        if is_done {
            self.rests.remove(&conn);
        } else if rest.sent > rest.bytes.len() / 2 {
            rest.bytes.drain(..rest.sent);
            rest.sent = 0;
        }
        is_done
    }

    /// Forget what waits.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        if !self.rests.is_empty()
            && let Some(rest) = self.rests.remove(&conn)
        {
            self.total_bytes -= (rest.bytes.len() - rest.sent) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_byte_once_and_counts() {
        let (mut backlogs, conn) = (Backlogs::default(), ConnId(3));
        assert!(!backlogs.contains(conn) && backlogs.unsent(conn).is_empty());
        assert!(backlogs.keep(conn, b"hello ") && backlogs.keep(conn, b"world"));
        assert!(!backlogs.sent(conn, 8));
        assert_eq!(backlogs.unsent(conn), b"rld");
        assert!(backlogs.keep(conn, b"!"));
        assert_eq!(backlogs.total_bytes, 4);
        assert_eq!(backlogs.counted(Event::Blocked { conn, bytes: 0 }), Event::Blocked { conn, bytes: 4 });
        assert!(backlogs.sent(conn, 4));
        assert!(!backlogs.contains(conn));
        assert!(!backlogs.keep(conn, &vec![0; BACKLOG_BYTES + 1]));
        backlogs.forget(conn);
        assert_eq!(backlogs.total_bytes, 0);
    }
}
