//! A device whose TLS is another program's: frames go in at its standard input and come out at its standard output.

use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use linchpin_compat::limits::{EFFECT, LOGIN, POLL};
use linchpin_compat::{Device, Frame, Server, command, eventually, status};

/// Longer than a fragment of 512 bytes and than two of them with their overhead: it comes in several records to those who
/// asked for short ones.
const LONG_VALUE_BYTES: usize = 1_000;
/// A while in which nothing is said.
const QUIET: Duration = Duration::from_secs(2);

/// Bytes that a program has written, as they come.
type Written = Arc<Mutex<Vec<u8>>>;

/// A running program; killed when dropped.
pub(crate) struct Pipe {
    line: String,
    child: Child,
    input: Option<ChildStdin>,
    /// Standard output and standard error.
    written: [Written; 2],
    /// What was found last ends here, in standard output.
    read: usize,
    last_id: u16,
}

fn collect(mut from: impl Read + Send + 'static) -> Written {
    let written = Written::default();
    let to = Arc::clone(&written);
    // Ends with the program: its output is closed then.
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..len]);
        }
    });
    written
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

impl Pipe {
    /// Start it.
    pub(crate) fn start(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {line}: {error}; run make setup"));
        let input = child.stdin.take();
        let written =
            [collect(child.stdout.take().expect("its output")), collect(child.stderr.take().expect("the other"))];
        Self { line, child, input, written, read: 0, last_id: 0 }
    }

    fn bytes(&self, stream: usize) -> Vec<u8> {
        self.written[stream].lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that it has written, readable.
    pub(crate) fn said(&self) -> String {
        self.written
            .iter()
            .map(|written| {
                let bytes = written.lock().unwrap_or_else(PoisonError::into_inner);
                String::from_utf8_lossy(&bytes).into_owned() + "\n"
            })
            .collect()
    }

    /// Look for something until it is there.
    fn wait<T>(&mut self, limit: Duration, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let ended = self.child.try_wait().expect("the state of the program");
            assert!(
                begun.elapsed() < limit,
                "{}\nno {what} in {limit:?}, end {ended:?}; it wrote:\n{}",
                self.line,
                self.said()
            );
            std::thread::sleep(POLL);
        }
    }

    /// Wait until it has written this on either stream.
    pub(crate) fn expect_text(&mut self, text: &str) {
        self.wait(LOGIN, text, |pipe| pipe.said().contains(text).then_some(()));
    }

    /// Wait until it has written this so many times.
    pub(crate) fn expect_count(&mut self, text: &str, count: usize) {
        self.wait(LOGIN, text, |pipe| (pipe.said().matches(text).count() >= count).then_some(()));
    }

    /// Wait until its output goes on with something that has this in it.
    fn expect_bytes(&mut self, what: &str, bytes: &[u8]) {
        self.wait(EFFECT, what, |pipe| {
            let at = position(&pipe.bytes(0)[pipe.read..], bytes)?;
            pipe.read += at + bytes.len();
            Some(())
        });
    }

    /// Write to its input.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("its input is open");
        input.write_all(bytes).and_then(|()| input.flush()).unwrap_or_else(|error| {
            panic!("{} takes no input: {error}; it wrote:\n", self.line);
        });
    }

    /// Send a frame; returns its id.
    fn send(&mut self, command: u8, body: &[u8]) -> u16 {
        self.last_id += 1;
        self.send_bytes(&Frame::new(command, self.last_id, body).bytes());
        self.last_id
    }

    /// Send a frame that is answered with 200.
    fn expect_ok(&mut self, what: &str, command: u8, body: &[u8]) {
        let id = self.send(command, body);
        self.expect_bytes(&format!("answer to {what}"), &Frame::response(id, status::OK).bytes());
    }

    /// Log in, and introduce itself as a device that takes long messages.
    pub(crate) fn login(&mut self, device: &Device) {
        self.expect_ok("the login", command::LOGIN, device.token.as_bytes());
        self.expect_ok("the introduction", command::INTERNAL, b"ver\x001.0.0\0buff-in\x001024\0dev\0pipe");
    }

    /// Send a PING and wait for its answer.
    pub(crate) fn ping(&mut self) {
        self.expect_ok("a ping", command::PING, b"");
    }

    /// Write a value as the device.
    pub(crate) fn write(&mut self, server: &Server, device: &Device, pin: u8, value: &str) {
        self.send(command::HARDWARE, format!("vw\0{pin}\0{value}").as_bytes());
        eventually(EFFECT, &format!("V{pin} is written by {}", self.line), || {
            (server.value(device, &format!("V{pin}")).as_deref() == Some(value)).then_some(())
        });
    }

    /// Let the operator write a value, which comes whole.
    pub(crate) fn receive(&mut self, server: &Server, device: &Device, pin: u8, value: &str) {
        server.write(device, &format!("V{pin}"), value);
        let body = format!("vw\0{pin}\0{value}");
        let sent = Frame::new(command::HARDWARE, 0, body.as_bytes()).bytes();
        // From the length on: the server chooses the id.
        self.expect_bytes(&format!("write of V{pin}"), &sent[3..]);
    }

    /// All that a device does: log in, write, receive, be silent, and still be there.
    pub(crate) fn live(&mut self, server: &Server, device: &Device) {
        self.login(device);
        assert!(server.is_online(device), "{} is logged in but not online", self.line);
        self.write(server, device, 1, "over TLS");
        self.receive(server, device, 4, "77");
        let long: String = ('a'..='z').cycle().take(LONG_VALUE_BYTES).collect();
        self.write(server, device, 2, &long);
        for pin in 5..8 {
            self.receive(server, device, pin, &format!("{pin}{}", &long[1..]));
        }
        self.ping();
        std::thread::sleep(QUIET);
        self.ping();
        self.write(server, device, 3, "still here");
        assert!(server.is_online(device), "{} has lost its connection:\n{}", self.line, self.said());
    }

    /// Close its input and wait for its end; true if it ended well.
    pub(crate) fn finish(&mut self) -> bool {
        drop(self.input.take());
        self.ended()
    }

    /// Wait for its end; true if it ended well.
    pub(crate) fn ended(&mut self) -> bool {
        let success = self.wait(LOGIN, "end", |pipe| pipe.child.try_wait().expect("its state").map(|s| s.success()));
        // What it wrote last is read by then, or within moments.
        std::thread::sleep(POLL);
        success
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
