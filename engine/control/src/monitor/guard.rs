//! The listener's side of monitoring: so many connections at a time, and each request in its time. Any user of this machine
//! may connect, so an idle one must not hold memory and descriptors for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::limits;

/// Accepts at most [`limits::METRICS_SEATS`] connections at a time; further ones wait in the kernel.
pub(super) struct GuardedListener {
    listener: TcpListener,
    seats: Arc<Semaphore>,
}

impl GuardedListener {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, seats: Arc::new(Semaphore::new(limits::METRICS_SEATS)) }
    }
}

impl Listener for GuardedListener {
    type Io = GuardedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (GuardedStream, SocketAddr) {
        loop {
            // Only a closed semaphore fails, and nobody closes it.
            let Ok(seat) = Arc::clone(&self.seats).acquire_owned().await else { continue };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let deadline = Box::pin(sleep(limits::METRICS_REQUEST));
                    return (GuardedStream { stream, deadline, _seat: seat }, peer);
                }
                // No descriptor is left, or the peer has gone: not at once again.
                Err(_) => sleep(limits::METRICS_BACKOFF).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection whose next request must be answered within [`limits::METRICS_REQUEST`] of the last answer. Only bytes that the
/// peer takes put the deadline off: one that drips its request, or does not read, is cut.
pub(super) struct GuardedStream {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    _seat: OwnedSemaphorePermit,
}

impl GuardedStream {
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().poll(cx).is_ready()
    }

    fn go_on(&mut self) {
        self.deadline = Box::pin(sleep_until(Instant::now() + limits::METRICS_REQUEST));
    }
}

fn late<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for GuardedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_late(cx) {
            return late();
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_late(cx) {
            return late();
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes));
        this.go_on();
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let router = Router::new().route("/", get(|| async { "ok\n" }));
        tokio::spawn(async move { axum::serve(GuardedListener::new(listener), router).await });
        address
    }

    async fn answer(stream: &mut TcpStream) -> io::Result<String> {
        stream.write_all(REQUEST).await?;
        let mut bytes = [0; 1_024];
        let len = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut bytes)).await??;
        Ok(String::from_utf8_lossy(&bytes[..len]).into_owned())
    }

    async fn is_cut(stream: &mut TcpStream) -> bool {
        let mut bytes = [0; 64];
        let read = tokio::time::timeout(limits::METRICS_REQUEST * 3, stream.read(&mut bytes)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }

    /// Who takes all places and is silent, or drips, has them for a moment; whoever asks behind it is answered.
    #[tokio::test]
    async fn idle_connections_give_their_seats_back() {
        let address = serve().await;
        let mut idle = Vec::new();
        for _ in 0..limits::METRICS_SEATS {
            idle.push(TcpStream::connect(address).await.expect("connects"));
        }
        let mut dripping = idle.pop().expect("some");
        let drip = tokio::spawn(async move {
            for byte in REQUEST.iter().cycle() {
                if dripping.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(400)).await;
            }
        });
        let begun = std::time::Instant::now();
        let mut asker = TcpStream::connect(address).await.expect("connects");
        assert!(answer(&mut asker).await.expect("an answer").starts_with("HTTP/1.1 200"), "behind {} idle", idle.len());
        assert!(begun.elapsed() >= limits::METRICS_REQUEST / 2, "the seats were taken");
        for stream in &mut idle {
            assert!(is_cut(stream).await);
        }
        tokio::time::timeout(limits::METRICS_REQUEST * 3, drip).await.expect("the dripping one is cut").expect("ends");
        // A scraper that comes back in time may go on with its connection.
        assert!(answer(&mut asker).await.expect("an answer").starts_with("HTTP/1.1 200"));
    }
}
