//! monoio: a task a connection. A receive owns its buffer while it waits, so an idle connection holds one of
//! [`crate::BUFFER_BYTES`] besides its task and [`Conversation`]; the answers' buffer is kept for the next ones.

use std::io;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::{IoUringDriver, RuntimeBuilder};

use crate::BUFFER_BYTES;
use crate::conversation::Conversation;

/// Serve until an error; `is_deferred`: SINGLE_ISSUER and DEFER_TASKRUN instead of monoio's own flags.
pub(crate) fn serve(listener: std::net::TcpListener, is_deferred: bool) -> io::Result<()> {
    let mut builder = RuntimeBuilder::<IoUringDriver>::new().with_entries(4_096);
    if is_deferred {
        let mut ring = io_uring_of_monoio::IoUring::builder();
        ring.setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun();
        builder = builder.uring_builder(ring);
    }
    builder.build()?.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            monoio::spawn(converse(stream));
        }
    })
}

async fn converse(mut stream: TcpStream) {
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
