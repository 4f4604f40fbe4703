//! Keys while `linchpin top` runs.

use std::io::Stdin;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::shown::TopOrder;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopKey {
    Quit,
    TopOrder(TopOrder),
}

/// The terminal, which gives each key at once; as it was when this is dropped.
pub(super) struct Keyboard {
    stdin: Stdin,
    before: Termios,
}

impl Keyboard {
    /// `None`: the standard input is no terminal.
    pub(super) fn open() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut each = before.clone();
        // Ctrl-C is a key, too: ended by its signal the terminal would stay as it is.
        each.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(&stdin, OptionalActions::Now, &each).ok()?;
        Some(Self { stdin, before })
    }

    /// The next key that means something, until `end`.
    fn next(&mut self, end: Instant) -> Option<TopKey> {
        loop {
            let left = Timespec::try_from(end.saturating_duration_since(Instant::now())).ok()?;
            let mut ready = [PollFd::new(&self.stdin, PollFlags::IN)];
            if poll(&mut ready, Some(&left)).ok()? == 0 {
                return None;
            }
            let mut bytes = [0; 16];
            let count = rustix::io::read(self.stdin.as_fd(), &mut bytes).ok()?;
            if count == 0 {
                return Some(TopKey::Quit);
            }
            if let Some(key) = bytes[..count].iter().find_map(|byte| meaning(*byte)) {
                return Some(key);
            }
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.stdin, OptionalActions::Now, &self.before);
    }
}

fn meaning(byte: u8) -> Option<TopKey> {
    Some(match byte {
        b'q' | b'Q' | 3 | 4 => TopKey::Quit,
        b's' => TopKey::TopOrder(TopOrder::Shard),
        b'c' => TopKey::TopOrder(TopOrder::Cpu),
        b'o' => TopKey::TopOrder(TopOrder::Online),
        b'm' => TopKey::TopOrder(TopOrder::Messages),
        _ => return None,
    })
}

/// Wait until `end` or a key.
pub(super) fn wait(keyboard: Option<&mut Keyboard>, end: Instant) -> Option<TopKey> {
    match keyboard {
        Some(keyboard) => keyboard.next(end),
        None => {
            std::thread::sleep(end.saturating_duration_since(Instant::now()).max(Duration::ZERO));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_the_page_names() {
        assert_eq!((meaning(b'q'), meaning(3)), (Some(TopKey::Quit), Some(TopKey::Quit)));
        assert_eq!(b"scom".map(|key| meaning(key).is_some()), [true; 4]);
        assert_eq!(meaning(b'x'), None);
    }
}
