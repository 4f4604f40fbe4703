//! tokio on one thread: a task a connection, which waits until there is something to read and then borrows the one buffer.
//! An idle connection holds its task with the [`Conversation`] and tokio's registration, no buffer.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::conversation::Conversation;

struct Scratch {
    buffer: Vec<u8>,
    out: Vec<u8>,
}

/// Serve until an error.
pub(crate) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let scratch = Scratch { buffer: vec![0; 16 * 1024], out: Vec::with_capacity(16 * 1024) };
    let scratch = Rc::new(RefCell::new(scratch));
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(converse(stream, scratch.clone()));
        }
    })
}

async fn converse(mut stream: TcpStream, scratch: Rc<RefCell<Scratch>>) {
    let mut conversation = Conversation::default();
    while stream.readable().await.is_ok() {
        let rest = {
            let Scratch { buffer, out } = &mut *scratch.borrow_mut();
            match stream.try_read(buffer) {
                Ok(0) => return,
                Ok(count) => {
                    out.clear();
                    if !conversation.take(&buffer[..count], out) {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => return,
            }
            if out.is_empty() {
                continue;
            }
            match stream.try_write(out) {
                Ok(count) if count == out.len() => continue,
                Ok(count) => out[count..].to_vec(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => out.clone(),
                Err(_) => return,
            }
        };
        if stream.write_all(&rest).await.is_err() {
            return;
        }
    }
}
