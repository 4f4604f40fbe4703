//! Messages over the socket between the two processes.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use linchpin_driver::Passage;
use linchpin_shard::handover::{HandoverMessage, read_message, write_message};
use zeroize::{Zeroize, Zeroizing};

/// A message with what came beside it.
pub(crate) type Arrived = (HandoverMessage, Vec<OwnedFd>);

/// One end.
pub(crate) struct HandoverLine {
    passage: Passage,
    bytes: Zeroizing<Vec<u8>>,
    descriptors: VecDeque<OwnedFd>,
}

/// Nothing whole came, for now.
pub(crate) enum Unheard {
    /// Within the time.
    Silent,
    /// The other end is closed, or what came is no message.
    Cut(String),
}

const CHUNK_BYTES: usize = 64 * 1_024;

impl HandoverLine {
    pub(crate) fn new(passage: Passage, within: Duration) -> io::Result<Self> {
        passage.set_timeout(Some(within))?;
        Ok(Self { passage, bytes: Zeroizing::new(Vec::new()), descriptors: VecDeque::new() })
    }

    /// Send a message, and the descriptors that it lists.
    pub(crate) fn send(&self, message: &HandoverMessage, descriptors: &[OwnedFd]) -> io::Result<()> {
        debug_assert_eq!(message.descriptors(), descriptors.len());
        let room = match message {
            // Keys are in it: it must not grow, which would leave copies.
            HandoverMessage::Batch(freights) => freights.iter().map(|freight| freight.len() + 4).sum::<usize>() + 16,
            _ => 64,
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        write_message(&mut bytes, message);
        let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        self.passage.send(&bytes, &borrowed)
    }

    /// The next message, if it comes within this time.
    pub(crate) fn receive(&mut self, within: Duration) -> Result<Arrived, Unheard> {
        let cut = |error: &dyn std::fmt::Display| Unheard::Cut(error.to_string());
        loop {
            match read_message(&self.bytes) {
                Ok(Some((message, len))) => {
                    self.bytes[..len].zeroize();
                    self.bytes.drain(..len);
                    let count = message.descriptors();
                    if self.descriptors.len() < count {
                        return Err(Unheard::Cut("descriptors are missing".to_owned()));
                    }
                    return Ok((message, self.descriptors.drain(..count).collect()));
                }
                Ok(None) => {}
                Err(error) => return Err(cut(&error)),
            }
            if !self.passage.has_something(within).map_err(|error| cut(&error))? {
                return Err(Unheard::Silent);
            }
            let mut chunk = Zeroizing::new(vec![0; CHUNK_BYTES]);
            let mut came = Vec::new();
            match self.passage.receive(&mut chunk, &mut came) {
                Ok(0) => return Err(Unheard::Cut("its end of the socket is closed".to_owned())),
                Ok(n) => {
                    self.descriptors.extend(came);
                    self.append(&chunk[..n]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cut(&error)),
            }
        }
    }

    /// Bytes behind those that wait; where that needs more memory, the old is wiped.
    fn append(&mut self, more: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < more.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((self.bytes.len() + more.len()).next_power_of_two()));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(more);
    }
}
