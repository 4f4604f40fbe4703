//! Records that carry no application bytes: alerts, key updates, tickets, renegotiation.

use super::inplace::InPlace;
use super::keys::{RX, TX, Version};
use super::{Desk, Side};
use crate::Fault;
use crate::alert::{Alert, LEVEL_FATAL};
use crate::limits::{KEY_UPDATES, POST_HANDSHAKE_BYTES, RENEGOTIATIONS, WARNINGS};
use crate::record::ContentType;

const HELLO_REQUEST: u8 = 0;
const CLIENT_HELLO: u8 = 1;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;
/// Type and length of a handshake message.
const MESSAGE_HEADER_BYTES: usize = 4;

impl InPlace {
    /// Act on an opened record; true if it holds application bytes for the caller.
    pub(super) fn take(
        &mut self,
        desk: &mut Desk,
        kind: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        let half_message = self.link().extra.as_ref().is_some_and(|extra| !extra.post.is_empty());
        if half_message && kind != ContentType::Handshake {
            return Err(Fault::Malformed("another record within a handshake message"));
        }
        match (kind, self.link().version) {
            (ContentType::ApplicationData, _) => {
                self.link_mut().key_updates = 0;
                return Ok(!content.is_empty());
            }
            (ContentType::Alert, _) => self.on_alert(content)?,
            (ContentType::Handshake, Version::Tls13) => self.on_messages(desk, content)?,
            (ContentType::Handshake, Version::Tls12) => self.on_renegotiation(desk, content, out)?,
            (ContentType::ChangeCipherSpec, _) => return Err(Fault::RecordType(20)),
        }
        Ok(false)
    }

    fn on_alert(&mut self, content: &[u8]) -> Result<(), Fault> {
        if content.is_empty() {
            // RFC 8446, 5.4.
            return Err(Fault::NoContent("an alert"));
        }
        let &[level, number] = content else { return Err(Fault::Malformed("an alert that is not 2 bytes long")) };
        let link = self.link_mut();
        if !(1..=LEVEL_FATAL).contains(&level) {
            return Err(Fault::Illegal("the level of an alert"));
        }
        if number == Alert::CloseNotify as u8 {
            link.peer_closed = true;
            return Ok(());
        }
        // TLS 1.3 knows only fatal ones (RFC 8446, 6), but some send this one as a warning.
        let polite = link.version == Version::Tls12 || number == Alert::UserCanceled as u8;
        if level == LEVEL_FATAL || !polite {
            return Err(Fault::PeerAlert(number));
        }
        link.warnings += 1;
        if link.warnings > WARNINGS { Err(Fault::Warnings) } else { Ok(()) }
    }

    /// TLS 1.2: the other side wants to negotiate again. Once it hears a polite no.
    fn on_renegotiation(&mut self, desk: &mut Desk, content: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let wish = match self.link().side {
            Side::Server => CLIENT_HELLO,
            Side::Client => HELLO_REQUEST,
        };
        let Some(&[kind, a, b, c]) = content.first_chunk::<MESSAGE_HEADER_BYTES>() else {
            return Err(Fault::Malformed("a handshake message in pieces"));
        };
        if kind != wish {
            return Err(Fault::UnexpectedMessage(kind));
        }
        if content.len() - MESSAGE_HEADER_BYTES != u32::from_be_bytes([0, a, b, c]) as usize {
            return Err(Fault::Malformed("a wish to renegotiate that does not fill its record"));
        }
        let link = self.link_mut();
        link.renegotiations += 1;
        if link.renegotiations > RENEGOTIATIONS {
            return Err(Fault::Renegotiation);
        }
        if !link.closed {
            self.seal_alert(desk, out, Alert::NoRenegotiation);
        }
        Ok(())
    }

    /// TLS 1.3: messages after the handshake, which may be cut into records and share them.
    fn on_messages(&mut self, desk: &mut Desk, content: &[u8]) -> Result<(), Fault> {
        if content.is_empty() {
            return Err(Fault::NoContent("a handshake record"));
        }
        let mut post = self.link_mut().extra.as_mut().map(|extra| std::mem::take(&mut extra.post)).unwrap_or_default();
        if post.is_empty() {
            // The usual case: whole messages, which need no copy.
            let used = self.messages_in(desk, content)?;
            post.extend_from_slice(&content[used..]);
        } else {
            if post.len() + content.len() > POST_HANDSHAKE_BYTES {
                return Err(Fault::Malformed("a message after the handshake that is too long"));
            }
            post.extend_from_slice(content);
            let used = self.messages_in(desk, &post)?;
            post.drain(..used);
        }
        if !post.is_empty() {
            self.link_mut().extra_mut().post = post;
        }
        self.link_mut().tidy();
        Ok(())
    }

    /// Act on all whole messages; gives the bytes they took.
    fn messages_in(&mut self, desk: &mut Desk, bytes: &[u8]) -> Result<usize, Fault> {
        let mut at = 0;
        while let Some(&kind) = bytes.get(at) {
            let tickets = self.link().side == Side::Client && kind == NEW_SESSION_TICKET;
            if kind != KEY_UPDATE && !tickets {
                return Err(Fault::UnexpectedMessage(kind));
            }
            let Some(&[_, a, b, c]) = bytes[at..].first_chunk::<MESSAGE_HEADER_BYTES>() else { break };
            let len = u32::from_be_bytes([0, a, b, c]) as usize;
            if kind == KEY_UPDATE && len != 1 || len > POST_HANDSHAKE_BYTES - MESSAGE_HEADER_BYTES {
                return Err(Fault::Malformed("the length of a message after the handshake"));
            }
            let body = at + MESSAGE_HEADER_BYTES..at + MESSAGE_HEADER_BYTES + len;
            let Some(message) = bytes.get(body.clone()) else { break };
            at = body.end;
            if tickets {
                self.on_ticket(message)?;
            } else {
                if at != bytes.len() {
                    // Keys must not change within a record (RFC 8446, 5.1).
                    return Err(Fault::UnexpectedMessage(bytes[at]));
                }
                self.on_key_update(desk, message[0])?;
            }
        }
        Ok(at)
    }

    fn on_ticket(&mut self, message: &[u8]) -> Result<(), Fault> {
        match self.link_mut().extra.as_mut().and_then(|extra| extra.tickets.as_mut()) {
            Some(kernel) => kernel.handle_new_session_ticket(message).map_err(Fault::Handshake),
            None => Ok(()),
        }
    }

    fn on_key_update(&mut self, desk: &mut Desk, request: u8) -> Result<(), Fault> {
        let link = self.link_mut();
        link.key_updates += 1;
        if link.key_updates > KEY_UPDATES {
            return Err(Fault::KeyUpdates);
        }
        match request {
            0 => {}
            // However many are asked for before our next record, one answer is right (RFC 8446, 4.6.3).
            1 => link.owes_update = true,
            _ => return Err(Fault::Illegal("a key update that is neither 0 nor 1")),
        }
        self.update(desk, RX);
        Ok(())
    }

    /// Answer the peer's wish for a key update.
    pub(super) fn settle_update(&mut self, desk: &mut Desk, out: &mut Vec<u8>) {
        let link = self.link_mut();
        if link.owes_update && !link.closed {
            self.send_key_update(desk, out, false);
        }
    }

    /// Change our keys, telling the peer under the old ones; `request` asks it to change its own.
    pub fn send_key_update(&mut self, desk: &mut Desk, out: &mut Vec<u8>, request: bool) {
        if self.link().version == Version::Tls12 || self.link().closed {
            return;
        }
        self.seal_small(desk, out, ContentType::Handshake, &[KEY_UPDATE, 0, 0, 1, u8::from(request)]);
        self.link_mut().owes_update = false;
        self.update(desk, TX);
    }
}
