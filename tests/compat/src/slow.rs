//! A proxy that makes the way to the server longer: loopback hides what a client meets at a real distance.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::limits::{PROXY_PIECES, PROXY_TICK};

/// Passes each byte on so much later, both ways, in order; ends with its threads when it is dropped.
#[derive(Debug)]
pub struct SlowProxy {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
    accepting: Option<JoinHandle<()>>,
}

/// Bytes and when they arrive.
type Piece = (Instant, Vec<u8>);

impl SlowProxy {
    /// In front of `server`, each way this long.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start(server: SocketAddr, one_way: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let (stop, ends) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, opened) = (Arc::clone(&stop), Arc::clone(&ends));
        let accepting = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) => connect(client, server, one_way, &opened),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PROXY_TICK),
                    Err(error) => panic!("the proxy cannot accept: {error}"),
                }
            }
        });
        Self { address, stop, ends, accepting: Some(accepting) }
    }

    /// Where clients connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SlowProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for end in self.ends.lock().expect("nobody panics with it").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn connect(client: TcpStream, server: SocketAddr, one_way: Duration, ends: &Mutex<Vec<TcpStream>>) {
    let Ok(server) = TcpStream::connect(server) else {
        let _ = client.shutdown(Shutdown::Both);
        return;
    };
    for end in [&client, &server] {
        end.set_nonblocking(false).expect("a socket that blocks");
        end.set_nodelay(true).expect("TCP_NODELAY");
    }
    let twice = |end: &TcpStream| end.try_clone().expect("a socket twice");
    ends.lock().expect("nobody panics with it").extend([twice(&client), twice(&server)]);
    for (from, to) in [(twice(&client), twice(&server)), (server, client)] {
        // Bounded: who sends more than is on its way waits, as on a long line.
        let (send, receive) = sync_channel(PROXY_PIECES);
        std::thread::spawn(move || take(from, one_way, &send));
        std::thread::spawn(move || give(&receive, to));
    }
}

fn take(mut from: TcpStream, one_way: Duration, pieces: &SyncSender<Piece>) {
    let mut buffer = [0; 16 * 1_024];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if pieces.send((Instant::now() + one_way, buffer[..len].to_vec())).is_err() {
            break;
        }
    }
    // The end arrives as late as bytes do.
    let _ = pieces.send((Instant::now() + one_way, Vec::new()));
}

fn give(pieces: &Receiver<Piece>, mut to: TcpStream) {
    while let Ok((at, bytes)) = pieces.recv() {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_late_whole_and_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = listener.local_addr().expect("its address");
        let echo = std::thread::spawn(move || {
            let (mut end, _) = listener.accept().expect("a connection");
            let mut got = Vec::new();
            end.read_to_end(&mut got).expect("reads");
            end.write_all(&got).expect("writes");
        });
        let one_way = Duration::from_millis(50);
        let proxy = SlowProxy::start(server, one_way);
        let mut client = TcpStream::connect(proxy.address()).expect("connects");
        let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let begun = Instant::now();
        client.write_all(&sent).expect("writes");
        client.shutdown(Shutdown::Write).expect("ends");
        let mut got = Vec::new();
        client.read_to_end(&mut got).expect("reads");
        assert!(got == sent && begun.elapsed() >= 2 * one_way, "{:?}", begun.elapsed());
        echo.join().expect("it served");
    }
}
