//! The sizes of the server's records, as OpenSSL sees them: short for who asks for short ones (max_fragment_length), and
//! a handshake message in one piece for everybody else.

use std::path::Path;

use linchpin_compat::{BackEnd, Folder, Server};

use crate::chain::{self, Kind};
use crate::openssl;
use crate::pipe::Pipe;

/// Kinds of records.
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;
/// What TLS 1.2 adds to a fragment with AES-GCM.
const SEAL_BYTES: usize = 24;
/// Application bytes in a record for clients that do not ask: what a stock ESP8266 sketch receives holds it.
const USUAL_BYTES: usize = 1_024;

/// Kind and length of the records that came, from what `-msg` writes: a line of the header's five bytes after a line with
/// `<<<` and `RecordHeader`.
fn records(trace: &str) -> Vec<(u8, usize)> {
    let lines: Vec<_> = trace.lines().collect();
    let header = |line: &str| -> Option<(u8, usize)> {
        let bytes: Option<Vec<_>> = line.split_whitespace().map(|word| u8::from_str_radix(word, 16).ok()).collect();
        let [kind, _, _, high, low] = bytes?.try_into().ok()?;
        Some((kind, usize::from(u16::from_be_bytes([high, low]))))
    };
    let comes = |line: &str| line.starts_with("<<< TLS") && line.contains("RecordHeader");
    lines.windows(2).filter(|pair| comes(pair[0])).map(|pair| header(pair[1]).expect("the bytes of a header")).collect()
}

/// A device of TLS 1.2 that receives a long value; all records that came.
fn received(server: &Server, root: &Path, options: &[&str]) -> Vec<(u8, usize)> {
    let (device, folder) = (&server.devices()[0], Folder::new());
    let path = folder.path().join("trace");
    let mut command = openssl::command(server, chain::NAME, root, &[&["-tls1_2", "-msg"], options].concat());
    let mut pipe = Pipe::start(command.arg("-msgfile").arg(&path));
    pipe.login(device);
    pipe.receive(server, device, 1, &"long".repeat(250));
    assert!(pipe.finish(), "{}", pipe.said());
    let trace = std::fs::read_to_string(path).expect("what came");
    let records = records(&trace);
    assert!(records.len() > 4, "no records in {trace}");
    records
}

fn longest(records: &[(u8, usize)], kind: u8) -> usize {
    records.iter().filter(|(of, _)| *of == kind).map(|(_, bytes)| *bytes).max().expect("a record of this kind")
}

fn sizes(kind: Kind, layer: &str) {
    let (server, roots) = chain::serve(&[kind], BackEnd::Auto, layer);
    for asked in [512, 1_024, 2_048, 4_096] {
        let came = received(&server, &roots[0], &["-maxfraglen", &asked.to_string()]);
        assert!(longest(&came, HANDSHAKE) <= asked, "{asked} were asked for: {came:?}");
        assert!(longest(&came, APPLICATION) <= asked + SEAL_BYTES, "{asked} were asked for: {came:?}");
    }
    let came = received(&server, &roots[0], &[]);
    assert!(longest(&came, HANDSHAKE) > chain::CHAIN_BYTES, "the chain came in pieces: {came:?}");
    assert!(longest(&came, APPLICATION) <= USUAL_BYTES + SEAL_BYTES, "too long for a small board: {came:?}");
}

#[test]
fn records_are_as_short_as_was_asked_for_in_place() {
    sizes(Kind::Ecdsa, "in-place");
}

#[test]
fn records_are_as_short_as_was_asked_for_in_rustls() {
    sizes(Kind::Rsa, "rustls");
}

#[test]
fn a_plain_port_serves_tls_to_who_begins_it() {
    let server = Server::dev().shards(2).devices(2).start();
    let devices = server.more_devices();
    for (version, device) in ["-tls1_2", "-tls1_3"].into_iter().zip(&devices) {
        let mut command = openssl::command_to(server.address(), "localhost", &server.ca(), &[version]);
        let mut pipe = Pipe::start(&mut command);
        pipe.live(&server, device);
    }
}
