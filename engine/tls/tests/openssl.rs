//! OpenSSL on the other end of a real socket, as client and as server, where it is installed.
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test may use sockets and threads")]

mod world;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use linchpin_tls::{
    Acceptor, Desk, Fault, HandshakeFacts, InPlace, Input, Layer, Opened, Progress, Provider, RecordLayer, Session,
    Version,
};
use world::{NAME, Server, World};

const PATIENCE: Duration = Duration::from_secs(10);

fn is_installed() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "CI must have openssl");
    }
    found
}

/// A server that sends back what it hears; tells what each connection agreed on, or how it failed.
fn echo(acceptor: Acceptor) -> (u16, Receiver<Result<HandshakeFacts, Fault>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (acceptor, tell) = (acceptor.clone(), tell.clone());
            std::thread::spawn(move || serve(&acceptor, socket, &|facts| drop(tell.send(facts))));
        }
    });
    (port, told)
}

fn serve(acceptor: &Acceptor, mut socket: TcpStream, tell: &dyn Fn(Result<HandshakeFacts, Fault>)) {
    let (mut buffer, mut out) = (vec![0; 1_200], Vec::new());
    let mut server = Server::new();
    while !matches!(server, Server::Done(_)) {
        let len = socket.read(&mut buffer).unwrap_or(0);
        if len == 0 {
            return;
        }
        let fed = server.feed(acceptor, &buffer[..len], &mut out);
        let _ = socket.write_all(&std::mem::take(&mut out));
        if let Err(fault) = fed {
            return tell(Err(fault));
        }
    }
    let mut done = server.done();
    tell(Ok(done.facts));
    let mut desk = Desk::default();
    let mut bytes = done.rest;
    loop {
        let mut input = Input::new(&mut bytes);
        loop {
            match done.session.open(&mut desk, &mut input, &mut out) {
                Ok(Opened::Plain(plain)) => {
                    let text = String::from_utf8_lossy(plain);
                    if text.contains("UPDATE")
                        && let Session::InPlace(layer) = &mut done.session
                    {
                        layer.send_key_update(&mut desk, &mut out, true);
                    }
                    let answer = format!("<{}>\n", text.trim_end());
                    done.session.seal_slice(&mut desk, &mut out, answer.as_bytes()).expect("seals");
                }
                Ok(Opened::Drained) => break,
                Ok(Opened::PeerClosed) => {
                    done.session.close(&mut desk, &mut out);
                    let _ = socket.write_all(&out);
                    return;
                }
                Err(fault) => {
                    let _ = socket.write_all(&out);
                    return tell(Err(fault));
                }
            }
        }
        let _ = socket.write_all(&std::mem::take(&mut out));
        bytes = vec![0; 1_200];
        let len = socket.read(&mut bytes).unwrap_or(0);
        bytes.truncate(len);
        if len == 0 {
            return;
        }
    }
}

fn spawn(arguments: &[&str]) -> Child {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("openssl starts")
}

/// Collect what a child prints.
fn collect(from: Option<impl Read + Send + 'static>, into: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let (mut from, into) = (from.expect("piped"), into.clone());
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            into.lock().expect("never poisoned").push_str(&String::from_utf8_lossy(&buffer[..len]));
        }
    })
}

/// Let OpenSSL's client type lines, each once the words of the one before were seen; gives all that it printed.
fn s_client(port: u16, arguments: &[&str], lines: &[(&str, &str)]) -> String {
    let address = format!("127.0.0.1:{port}");
    let mut child = spawn(&[&["s_client", "-connect", &address, "-servername", NAME][..], arguments].concat());
    let mut stdin = child.stdin.take().expect("piped");
    let printed = Arc::new(Mutex::new(String::new()));
    let readers = [collect(child.stdout.take(), &printed), collect(child.stderr.take(), &printed)];
    let mut wait_for = |words: &str| {
        let deadline = Instant::now() + PATIENCE;
        while !printed.lock().expect("never poisoned").contains(words) && Instant::now() < deadline {
            if child.try_wait().expect("a child").is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait_for("Verify return code");
    for (line, words) in lines {
        // In one write: a command counts only at the start of what OpenSSL reads.
        let _ = stdin.write_all(format!("{line}\n").as_bytes());
        wait_for(words);
    }
    drop(stdin);
    let _ = child.wait();
    readers.into_iter().for_each(|reader| reader.join().expect("reads"));
    printed.lock().expect("never poisoned").clone()
}

fn worlds() -> Vec<World> {
    let layers = [Layer::InPlace, Layer::Rustls];
    Provider::ALL.iter().flat_map(|provider| layers.map(|layer| World::new(*provider, layer))).collect()
}

#[test]
fn every_suite_and_key_updates_both_ways() {
    if !is_installed() {
        return;
    }
    for world in worlds() {
        let (port, told) = echo(world.acceptor());
        for suite in ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] {
            let lines = [
                ("one", "<one>"),
                ("k", "KEYUPDATE"),
                ("two", "<two>"),
                ("K", "<two>\nKEYUPDATE"),
                ("three", "<three>"),
                ("UPDATE four", "<UPDATE four>"),
                ("five", "<five>"),
            ];
            let printed = s_client(port, &["-tls1_3", "-ciphersuites", suite], &lines);
            for word in ["<one>", "<two>", "<three>", "<UPDATE four>", "<five>"] {
                assert!(printed.contains(word), "{suite}: {word} is missing in\n{printed}");
            }
            assert_eq!(told.recv().expect("told").expect("a handshake").version, Version::Tls13);
        }
        for suite in ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
        {
            let printed = s_client(port, &["-tls1_2", "-cipher", suite], &[("one", "<one>"), ("two", "<two>")]);
            assert!(printed.contains("<one>") && printed.contains("<two>"), "{suite}:\n{printed}");
            assert_eq!(told.recv().expect("told").expect("a handshake").version, Version::Tls12);
        }
    }
}

#[test]
fn sessions_resume_by_ticket_and_by_id() {
    if !is_installed() {
        return;
    }
    let file = std::env::temp_dir().join(format!("linchpin-tls-session-{}", std::process::id()));
    let path = file.to_str().expect("a path").to_owned();
    for world in worlds() {
        // Two shards: they share session ids, and tickets have the same keys.
        let (port, told) = echo(world.acceptor());
        let (other_port, other_told) = echo(world.acceptor());
        for how in [&["-tls1_3"][..], &["-tls1_2"], &["-tls1_2", "-no_ticket"]] {
            s_client(port, &[how, &["-sess_out", &path]].concat(), &[("x", "<x>")]);
            assert!(!told.recv().expect("told").expect("a handshake").resumed);
            let printed = s_client(other_port, &[how, &["-sess_in", &path]].concat(), &[("again", "<again>")]);
            assert!(printed.contains("Reused") && printed.contains("<again>"), "{how:?}:\n{printed}");
            assert!(other_told.recv().expect("told").expect("a handshake").resumed, "{how:?}");
        }
        assert_eq!(world.options.session_ids.len(), 1, "only the client without tickets costs memory");
    }
    let _ = std::fs::remove_file(file);
}

#[test]
fn small_clients_get_small_fragments() {
    if !is_installed() {
        return;
    }
    for world in worlds() {
        let (port, told) = echo(world.acceptor());
        for (code, bytes) in [("512", 512), ("1024", 1_024), ("2048", 2_048), ("4096", 4_096)] {
            for version in ["-tls1_2", "-tls1_3"] {
                let printed = s_client(
                    port,
                    &[version, "-maxfraglen", code, "-msg"],
                    &[(&format!("{}the end", "long ".repeat(700)), "the end>")],
                );
                assert!(printed.contains("long long"), "{printed}");
                let facts = told.recv().expect("told").expect("a handshake");
                assert_eq!(facts.max_fragment_bytes, Some(bytes));
                let lengths = received_lengths(&printed);
                assert!(lengths.len() > 3_500 / bytes, "{lengths:?}");
                assert!(lengths.iter().all(|len| *len <= bytes + 24), "{version} {code}: {lengths:?}");
            }
        }
    }
}

/// Lengths of the records that OpenSSL says it received.
fn received_lengths(printed: &str) -> Vec<usize> {
    let lines: Vec<&str> = printed.lines().collect();
    let headers = lines.windows(2).filter(|pair| pair[0].contains("<<< TLS") && pair[0].contains("RecordHeader"));
    let hex = |text: &str| text.trim().split(' ').map(|byte| usize::from_str_radix(byte, 16).expect("hex")).collect();
    headers
        .map(|pair| {
            let bytes: Vec<usize> = hex(pair[1]);
            bytes[3] << 8 | bytes[4]
        })
        .collect()
}

#[test]
fn renegotiation_is_refused_and_old_versions_are_closed() {
    if !is_installed() {
        return;
    }
    for world in worlds() {
        let (port, told) = echo(world.acceptor());
        let printed = s_client(port, &["-tls1_2"], &[("one", "<one>"), ("R", "RENEGOTIATING"), ("two", "<two>")]);
        assert!(printed.contains("<one>") && printed.contains("no renegotiation"), "{printed}");
        assert!(told.recv().expect("told").is_ok());
        let _ = told.try_recv();
        for version in ["-tls1", "-tls1_1"] {
            let printed = s_client(port, &[version, "-cipher", "ALL:@SECLEVEL=0"], &[]);
            assert!(printed.contains("alert protocol version"), "{version}:\n{printed}");
            let minor = if version == "-tls1" { 1 } else { 2 };
            let fault = std::iter::from_fn(|| told.recv().ok()).find_map(Result::err);
            let fault = fault.filter(|fault| !matches!(fault, Fault::PeerAlert(_)));
            assert!(fault.is_none_or(|fault| fault == Fault::OldVersion(minor)));
        }
        for suite in ["AES128-SHA256", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"] {
            let printed = s_client(port, &["-tls1_2", "-cipher", suite], &[("x", "<x>")]);
            assert!(printed.contains("handshake failure") && !printed.contains("<x>"), "{suite}:\n{printed}");
        }
    }
}

#[test]
fn our_client_talks_to_openssls_server() {
    if !is_installed() {
        return;
    }
    for world in worlds() {
        let made = world.authority.server(&[NAME], world::NOW_S, Duration::from_secs(86_400 * 90)).expect("made");
        let dir = std::env::temp_dir().join(format!("linchpin-tls-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::write(dir.join("chain.pem"), &made.chain_pem).expect("writes");
        std::fs::write(dir.join("key.pem"), made.key_pem.as_bytes()).expect("writes");
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| dir.join(name).to_str().expect("a path").to_owned());
        let port = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("bound").port();
        let port_text = port.to_string();
        let arguments = ["s_server", "-accept", &port_text, "-cert", &chain, "-key", &key, "-rev", "-quiet"];
        let mut child = spawn(&arguments);
        let socket = (0..50).find_map(|_| {
            std::thread::sleep(Duration::from_millis(40));
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        drop(socket.expect("OpenSSL's server listens"));
        for version in [Version::Tls12, Version::Tls13] {
            let connector = world.connector(Some(version));
            for visit in 0..2 {
                let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("connects");
                let facts = converse(&connector, &mut socket);
                assert_eq!((facts.version, facts.resumed), (version, visit > 0));
            }
        }
        child.kill().expect("ours to end");
        let _ = child.wait();
        let _ = std::fs::remove_dir_all(dir);
    }
}

/// Shake hands, say a line, hear it backwards.
fn converse(connector: &linchpin_tls::Connector, socket: &mut TcpStream) -> HandshakeFacts {
    let (mut out, mut buffer) = (Vec::new(), vec![0; 1_200]);
    let mut progress = connector.connect(world::name(), &mut out).expect("a hello");
    let mut done = loop {
        socket.write_all(&std::mem::take(&mut out)).expect("writes");
        progress = match progress {
            Progress::Done(done) => break *done,
            Progress::Pending(pending) => {
                let len = socket.read(&mut buffer).expect("reads");
                assert!(len > 0, "OpenSSL hung up");
                pending.advance(&buffer[..len], &mut out).expect("goes on")
            }
        };
    };
    let (mut desk, mut heard) = (Desk::default(), Vec::new());
    done.session.seal_slice(&mut desk, &mut out, b"stressed\n").expect("seals");
    if let Session::InPlace(layer) = &mut done.session {
        InPlace::send_key_update(layer, &mut desk, &mut out, true);
        done.session.seal_slice(&mut desk, &mut out, b"live\n").expect("seals");
    } else {
        done.session.seal_slice(&mut desk, &mut out, b"live\n").expect("seals");
    }
    socket.write_all(&std::mem::take(&mut out)).expect("writes");
    let mut bytes = std::mem::take(&mut done.rest);
    while !heard.windows(4).any(|window| window == b"evil") {
        let (plain, end) = world::listen(&mut done.session, &mut desk, &bytes, 333, &mut out);
        assert_eq!(end, world::End::Open);
        heard.extend(plain);
        if heard.windows(4).any(|window| window == b"evil") {
            break;
        }
        let len = socket.read(&mut buffer).expect("reads");
        assert!(len > 0, "OpenSSL hung up after {:?}", String::from_utf8_lossy(&heard));
        bytes = buffer[..len].to_vec();
    }
    assert!(heard.starts_with(b"desserts"));
    done.session.close(&mut desk, &mut out);
    socket.write_all(&out).expect("writes");
    done.facts
}
