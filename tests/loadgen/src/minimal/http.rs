//! The two HTTP calls that the load generator makes, and the upgrade to a WebSocket.

use std::io;
use std::sync::{Mutex, PoisonError};

use linchpin_protocol::ws::accept_key;

use super::link::{Link, Reader};
use super::{World, frame};

/// Answer the requests in `bytes`; true if the connection is a WebSocket from here on.
pub(super) fn answer(
    bytes: &mut Vec<u8>,
    link: &mut Link,
    reader: &mut Reader,
    world: &Mutex<World>,
) -> io::Result<bool> {
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes.drain(..end + 4);
        let path = head.split(' ').nth(1).unwrap_or_default();
        if path == "/websockets" {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("sec-websocket-key:"));
            let key = line.and_then(|line| line.split_once(':')).map_or("", |(_, key)| key.trim());
            let accept = accept_key(key);
            let fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
            link.send(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}{accept}\r\n\r\n").as_bytes())?;
            link.become_websocket();
            reader.become_websocket(bytes)?;
            return Ok(true);
        }
        let (status, body) = call(path, world)?;
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
        link.send(&[head.as_bytes(), &body].concat())?;
    }
    Ok(false)
}

fn call(path: &str, world: &Mutex<World>) -> io::Result<(u16, Vec<u8>)> {
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    let (call, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parts = query.split('&');
    let token = parts.next().unwrap_or_default().trim_start_matches("token=").to_owned();
    let (pin, value) = parts.next().map(|part| part.split_once('=').unwrap_or((part, ""))).unwrap_or_default();
    let pin = pin.trim_start_matches('v').to_owned();
    match call {
        "/external/api/get" => {
            *world.heard.entry("http_read").or_insert(0) += 1;
            let value = world.values.get(&(token, pin)).cloned();
            Ok(value.map_or((400, b"none".to_vec()), |value| (200, value)))
        }
        "/external/api/update" => {
            *world.heard.entry("http_write").or_insert(0) += 1;
            let device = world.online.get(&token).cloned();
            let message = frame(20, [0, 9], format!("vw\0{pin}\0{value}").as_bytes());
            world.values.insert((token, pin), value.as_bytes().to_vec());
            drop(world);
            if let Some(mut device) = device {
                device.send(&message)?;
            }
            Ok((200, Vec::new()))
        }
        _ => Ok((404, Vec::new())),
    }
}
