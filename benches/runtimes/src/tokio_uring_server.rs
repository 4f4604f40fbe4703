//! tokio-uring: a task a connection. A receive owns its buffer while it waits, so an idle connection holds one of
//! [`crate::BUFFER_BYTES`] besides its task and [`Conversation`]; the answers' buffer is kept for the next ones.

use std::io;

use tokio_uring::net::{TcpListener, TcpStream};

use crate::BUFFER_BYTES;
use crate::conversation::Conversation;

/// Serve until an error.
pub(crate) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let mut builder = tokio_uring::builder();
    builder.entries(4_096);
    builder.start(async move {
        let listener = TcpListener::from_std(listener);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio_uring::spawn(converse(stream));
        }
    })
}

async fn converse(stream: TcpStream) {
    let mut conversation = Conversation::default();
    let (mut buffer, mut out) = (vec![0; BUFFER_BYTES], Vec::new());
    loop {
        let (result, back) = stream.read(buffer).await;
        buffer = back;
        let Ok(count @ 1..) = result else { return };
        out.clear();
        if !conversation.take(&buffer[..count], &mut out) {
            return;
        }
        if !out.is_empty() {
            let (result, back) = stream.write_all(out).await;
            out = back;
            if result.is_err() {
                return;
            }
        }
    }
}
