//! How the traffic secrets of TLS 1.3 leave rustls: its key-log hook, which here never reaches a log.
//!
//! A configuration has one hook for all its connections, so what it hears is put down per thread: cleared before each
//! step of a connection and taken right after it.

use std::cell::RefCell;

use zeroize::Zeroize;

use crate::session::MAX_SECRET_BYTES;

const CLIENT: &str = "CLIENT_TRAFFIC_SECRET_0";
const SERVER: &str = "SERVER_TRAFFIC_SECRET_0";

/// A traffic secret.
pub(crate) struct TrafficSecret {
    bytes: [u8; MAX_SECRET_BYTES],
    len: usize,
}

impl TrafficSecret {
    fn new(secret: &[u8]) -> Option<Self> {
        let mut this = Self { bytes: [0; MAX_SECRET_BYTES], len: secret.len() };
        this.bytes.get_mut(..secret.len())?.copy_from_slice(secret);
        Some(this)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for TrafficSecret {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// The first traffic secrets of a connection, as far as they are known.
#[derive(Default)]
pub(crate) struct Secrets {
    pub(crate) client: Option<TrafficSecret>,
    pub(crate) server: Option<TrafficSecret>,
}

thread_local! {
    static HEARD: RefCell<Secrets> = RefCell::default();
}

/// The hook.
#[derive(Debug)]
pub(crate) struct Hook;

impl rustls::KeyLog for Hook {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        // TLS 1.2 offers its master secret without asking: nothing here wants it.
        HEARD.with_borrow_mut(|heard| match label {
            CLIENT => heard.client = TrafficSecret::new(secret),
            SERVER => heard.server = TrafficSecret::new(secret),
            _ => {}
        });
    }

    fn will_log(&self, label: &str) -> bool {
        label == CLIENT || label == SERVER
    }
}

/// Run one step of a connection and keep what it says.
pub(crate) fn listen<T>(secrets: &mut Secrets, step: impl FnOnce() -> T) -> T {
    HEARD.take();
    let result = step();
    let heard = HEARD.take();
    secrets.client = heard.client.or(secrets.client.take());
    secrets.server = heard.server.or(secrets.server.take());
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::KeyLog;

    #[test]
    fn hears_its_own_step_only_and_no_master_secret() {
        Hook.log(SERVER, &[0; 32], &[9; 32]);
        let mut secrets = Secrets::default();
        listen(&mut secrets, || {
            Hook.log("CLIENT_RANDOM", &[0; 32], &[1; 48]);
            Hook.log("EXPORTER_SECRET", &[0; 32], &[3; 32]);
            Hook.log(CLIENT, &[0; 32], &[2; 32]);
        });
        assert!(secrets.server.is_none());
        assert_eq!(secrets.client.as_ref().map(TrafficSecret::bytes), Some(&[2; 32][..]));
        listen(&mut secrets, || Hook.log(SERVER, &[0; 32], &[4; 48]));
        assert!(secrets.client.is_some() && secrets.server.is_some());
        assert!(!Hook.will_log("CLIENT_HANDSHAKE_TRAFFIC_SECRET"));
    }
}
