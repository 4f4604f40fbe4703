//! What clients remember of servers: one shelf for all connections of a [`Connector`](super::Connector).
//!
//! rustls' own keeps eight TLS 1.3 tickets a server, enough for a browser. A fleet of devices with one connector comes
//! back at once, and each ticket serves once: it needs as many as it has devices.
#![allow(clippy::disallowed_types, reason = "rustls asks for it on any thread; clients only, no shard of a server")]

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// Tickets of TLS 1.3 by server, the newest last.
#[derive(Default)]
struct Tickets {
    by_server: HashMap<ServerName<'static>, VecDeque<Tls13ClientSessionValue>>,
    count: usize,
}

/// See the module. Tickets are secret: only their number is shown.
pub(super) struct Remembered {
    tickets: Mutex<Tickets>,
    tickets_max: usize,
    /// TLS 1.2 uses a session again and again, so one a server is enough for all.
    others: ClientSessionMemoryCache,
}

impl Remembered {
    /// Room for so many tickets, and for as many servers.
    pub(super) fn new(tickets_max: usize) -> Self {
        Self { tickets: Mutex::default(), tickets_max, others: ClientSessionMemoryCache::new(tickets_max) }
    }
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.tickets.lock().unwrap_or_else(PoisonError::into_inner).count;
        write!(f, "Remembered({count} of {})", self.tickets_max)
    }
}

impl ClientSessionStore for Remembered {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.others.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.others.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.others.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.others.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.others.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = tickets.count >= self.tickets_max;
        let of_server = tickets.by_server.entry(server_name).or_default();
        // A full shelf gives up the oldest ticket of the same server; without one it takes no more.
        if is_full && of_server.pop_front().is_none() {
            return;
        }
        of_server.push_back(value);
        tickets.count += usize::from(!is_full);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = tickets.by_server.get_mut(server_name)?.pop_back()?;
        tickets.count -= 1;
        Some(ticket)
    }
}
