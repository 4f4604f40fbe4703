//! Conversations that were recorded with clients that no package registry has.

/// The recordings: the same file that the codec is tested with, where its format is described.
const RECORDED: &str = include_str!("../../../protocol/tests/fixtures/wire.txt");

/// The token in the recordings.
pub const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz012345";

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The device.
    Device,
    /// The recorder in the server's place.
    Server,
}

/// The frames of a recording, in order.
///
/// # Panics
/// When there is no recording of that name.
#[must_use]
pub fn recorded(name: &str) -> Vec<(From, Vec<u8>)> {
    let mut lines = RECORDED.lines().skip_while(|line| line.strip_prefix("## ") != Some(name));
    assert!(lines.next().is_some(), "no recording named {name}");
    lines
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| {
            let (from, rest) = line.split_once(' ')?;
            let from = if from == "c" { From::Device } else { From::Server };
            Some((from, bytes(rest.split_once(' ').map_or(rest, |(hex, _)| hex))))
        })
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "odd number of digits in {hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits")).collect()
}

/// `bytes` with `token` in the place of the recorded one, which has the same length.
#[must_use]
pub fn with_token(bytes: &[u8], token: &str) -> Vec<u8> {
    assert_eq!(token.len(), TOKEN.len());
    match bytes.windows(TOKEN.len()).position(|window| window == TOKEN.as_bytes()) {
        Some(at) => [&bytes[..at], token.as_bytes(), &bytes[at + TOKEN.len()..]].concat(),
        None => bytes.to_vec(),
    }
}
