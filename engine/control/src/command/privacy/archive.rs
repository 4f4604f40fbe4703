//! An archive as it is written: ustar (POSIX.1-1988), a file after the other, whole in texts. Nothing of it is in memory but the
//! file that is written now.

use serde_json::Value;
use tokio::sync::mpsc;

use crate::{Code, CommandError};

/// Blocks of a tar archive, bytes.
const BLOCK: usize = 512;
/// Longest name of a file, bytes.
const NAME: usize = 100;

fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    field[..digits].copy_from_slice(&text.as_bytes()[..digits]);
}

/// One file with its head and what fills its last block up. Names are ours: ASCII, at most 100 bytes.
fn entry(name: &str, text: &str, at_s: u64) -> String {
    debug_assert!(name.is_ascii() && name.len() <= NAME);
    let mut head = [0; BLOCK];
    let name = &name.as_bytes()[..name.len().min(NAME)];
    head[..name.len()].copy_from_slice(name);
    octal(&mut head[100..108], 0o600);
    octal(&mut head[108..116], 0);
    octal(&mut head[116..124], 0);
    octal(&mut head[124..136], text.len() as u64);
    octal(&mut head[136..148], at_s);
    head[148..156].fill(b' ');
    head[156] = b'0';
    head[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u64 = head.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut head[148..155], sum);
    head[154] = 0;
    let mut out = String::with_capacity(BLOCK + text.len() + BLOCK);
    out.extend(head.iter().map(|byte| char::from(*byte)));
    out.push_str(text);
    out.extend(std::iter::repeat_n('\0', text.len().next_multiple_of(BLOCK) - text.len()));
    out
}

/// Where the files of an export go.
pub(super) struct ArchiveSink {
    pieces: mpsc::Sender<Result<String, CommandError>>,
    at_s: u64,
}

impl ArchiveSink {
    /// To whoever reads the other end, with this time in the archive, s since 1970.
    pub(super) const fn new(pieces: mpsc::Sender<Result<String, CommandError>>, at_s: u64) -> Self {
        Self { pieces, at_s }
    }

    /// One file.
    ///
    /// # Errors
    /// Whoever asked has gone away.
    pub(super) fn file(&self, name: &str, text: &str) -> Result<(), CommandError> {
        self.piece(entry(name, text, self.at_s))
    }

    /// One file of JSON.
    ///
    /// # Errors
    /// As [`ArchiveSink::file`].
    pub(super) fn json(&self, name: &str, value: &Value) -> Result<(), CommandError> {
        self.file(name, &format!("{value:#}\n"))
    }

    fn piece(&self, text: String) -> Result<(), CommandError> {
        let gone = |_| CommandError::new(Code::Failed, "whoever asked for the export has gone away");
        self.pieces.blocking_send(Ok(text)).map_err(gone)
    }

    /// That was all.
    ///
    /// # Errors
    /// As [`ArchiveSink::file`].
    pub(super) fn end(&self) -> Result<(), CommandError> {
        self.piece("\0".repeat(2 * BLOCK))
    }

    /// The answer has begun: it is cut off, so that nobody takes it for whole.
    pub(super) fn cut(&self, error: CommandError) {
        // Whoever asked may have gone away.
        let _ = self.pieces.blocking_send(Err(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_follows() {
        let made = entry("people.json", "{\"name\": \"Ä\"}\n", 1_700_000_000);
        assert_eq!(made.len() % BLOCK, 0);
        let bytes = made.as_bytes();
        assert_eq!(&bytes[..12], b"people.json\0");
        assert_eq!(&bytes[124..136], b"00000000017\0");
        assert_eq!(&bytes[257..263], b"ustar\0");
        let sum: u64 = bytes[..148].iter().chain(&bytes[156..512]).map(|byte| u64::from(*byte)).sum::<u64>() + 8 * 32;
        assert_eq!(u64::from_str_radix(std::str::from_utf8(&bytes[148..154]).expect("digits"), 8), Ok(sum));
        assert!(made[512..].starts_with("{\"name\": \"Ä\"}\n\0"));
    }
}
