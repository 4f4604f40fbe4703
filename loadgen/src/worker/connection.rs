//! How connections begin and end.

use std::cmp::Reverse;

use linchpin_driver::ConnId;
use rand::RngExt;

use super::crew::Crew;
use super::device::ClientStage;
use super::effects::ConnectionOwner;
use crate::recorder::{Metric, record};

impl Crew {
    /// Begin a connection.
    pub(super) fn begin(&mut self, at: u32, intended_ns: u64) {
        let device = &mut self.devices[at as usize];
        if device.stage == ClientStage::Off {
            device.stage = ClientStage::Queued;
            device.attempt = device.attempt.wrapping_add(1);
            device.intended_ns = intended_ns;
            self.fx.connects.push_back(ConnectionOwner::Device(at));
        }
    }

    /// A connect was handed to the kernel, or refused.
    pub(crate) fn started(&mut self, owner: ConnectionOwner, result: Result<ConnId, i32>, now_ns: u64) {
        let conn = match result {
            Ok(conn) => conn,
            Err(errno) => {
                self.no_connection(errno);
                match owner {
                    ConnectionOwner::Device(at) => {
                        self.devices[at as usize].stage = ClientStage::Off;
                        self.comeback(at, now_ns);
                    }
                    ConnectionOwner::Http(at) => self.http.closed(at),
                    ConnectionOwner::Half | ConnectionOwner::Nobody => {}
                }
                return;
            }
        };
        if self.owners.len() <= conn.index() {
            self.owners.resize(conn.index() + 1, ConnectionOwner::Nobody);
        }
        self.owners[conn.index()] = owner;
        match owner {
            ConnectionOwner::Device(at) => {
                self.sheet.counts.connects += 1;
                let device = &mut self.devices[at as usize];
                if device.stage != ClientStage::Queued {
                    // It lost power while it waited.
                    self.owners[conn.index()] = ConnectionOwner::Nobody;
                    return self.fx.closes.push((conn, true));
                }
                record(&mut self.sheet.lag, now_ns.saturating_sub(device.intended_ns));
                (device.conn, device.since_ns, device.stage) = (Some(conn), now_ns, ClientStage::Connecting);
                self.attempts.push_back((now_ns, at, device.attempt));
            }
            ConnectionOwner::Http(at) => self.http.started(at, conn, now_ns),
            ConnectionOwner::Half => self.halves.push_back((now_ns + self.half_hold_ns, conn)),
            ConnectionOwner::Nobody => {}
        }
    }

    /// Why there is no connection.
    pub(super) fn no_connection(&mut self, errno: i32) {
        let counts = &mut self.sheet.counts;
        counts.connect_failed += 1;
        match rustix::io::Errno::from_raw_os_error(errno) {
            rustix::io::Errno::ADDRNOTAVAIL => counts.no_address += 1,
            rustix::io::Errno::MFILE | rustix::io::Errno::NFILE => counts.no_descriptor += 1,
            _ => {}
        }
    }

    /// The connection is gone; count it by what it was good for, and come back later.
    pub(super) fn lost(&mut self, at: u32, now_ns: u64) {
        let counts = &mut self.sheet.counts;
        match self.devices[at as usize].stage {
            ClientStage::Off | ClientStage::Queued => return,
            ClientStage::Connecting => counts.connect_failed += 1,
            ClientStage::Shaking if self.crowds[usize::from(self.devices[at as usize].group)].transport.is_tls() => {
                counts.tls_failed += 1;
            }
            ClientStage::Shaking | ClientStage::LoggingIn => counts.login_failed += 1,
            ClientStage::Online => counts.lost += 1,
        }
        self.drop_connection(at);
        // Whatever the plan did before: that it is not online now is the server's doing.
        self.devices[at as usize].is_away = false;
        self.comeback(at, now_ns);
    }

    /// Go off; false if it was already.
    pub(super) fn leave(&mut self, at: u32, now_ns: u64) -> bool {
        let is_on = !matches!(self.devices[at as usize].stage, ClientStage::Off);
        if is_on {
            self.sheet.counts.cut += 1;
            self.drop_connection(at);
        }
        let device = &mut self.devices[at as usize];
        (device.since_ns, device.is_away) = (now_ns, true);
        is_on
    }

    fn drop_connection(&mut self, at: u32) {
        let device = &mut self.devices[at as usize];
        if device.stage == ClientStage::Online {
            self.online -= 1;
        }
        device.stage = ClientStage::Off;
        (device.is_blocked, device.is_armed) = (false, false);
        device.wire.close(&mut self.bench);
        if let Some(conn) = device.conn.take() {
            self.owners[conn.index()] = ConnectionOwner::Nobody;
            self.fx.closes.push((conn, true));
        }
    }

    pub(super) fn comeback(&mut self, at: u32, now_ns: u64) {
        let device = &self.devices[at as usize];
        let pause_ns = self.crowds[usize::from(device.group)].group.reconnect.ns();
        let late_ns = self.random.random_range(0..=pause_ns / 2);
        self.comebacks.push(Reverse((now_ns + pause_ns + late_ns, at, device.attempt)));
    }

    pub(super) fn come_back(&mut self, now_ns: u64) {
        while let Some(Reverse((at_ns, at, attempt))) = self.comebacks.peek().copied()
            && at_ns <= now_ns
            && !self.is_over
        {
            self.comebacks.pop();
            if self.devices[at as usize].attempt == attempt {
                self.begin(at, at_ns);
            }
        }
    }

    /// Answers, logins and half handshakes whose time is over.
    pub(super) fn end_waiting(&mut self, now_ns: u64) {
        let before_ns = now_ns.saturating_sub(self.timeout_ns);
        while let Some(waiting) = self.pending.expired(before_ns) {
            self.settle(waiting, now_ns).timeouts += 1;
        }
        let (ended, skipped) = self.http.end_waiting(before_ns, &mut self.fx, &mut self.owners);
        self.sheet.counts.skipped += skipped;
        for waiting in ended {
            self.settle(waiting, now_ns).timeouts += 1;
        }
        while let Some((since_ns, at, attempt)) =
            self.attempts.front().copied().filter(|(since, ..)| *since <= before_ns)
        {
            self.attempts.pop_front();
            let device = &self.devices[at as usize];
            let metric = match device.stage {
                _ if device.attempt != attempt => continue,
                ClientStage::Connecting => Metric::Connect,
                ClientStage::Shaking if self.crowds[usize::from(device.group)].transport.is_tls() => Metric::Tls,
                ClientStage::Shaking | ClientStage::LoggingIn => Metric::Login,
                _ => continue,
            };
            let intended_ns = if metric == Metric::Connect { device.intended_ns } else { since_ns };
            self.sheet.answer(metric, intended_ns, device.since_ns, now_ns);
            self.lost(at, now_ns);
        }
        while let Some((_, conn)) = self.halves.front().copied().filter(|(until, _)| *until <= now_ns) {
            self.halves.pop_front();
            if self.owners[conn.index()] == ConnectionOwner::Half {
                self.owners[conn.index()] = ConnectionOwner::Nobody;
                self.fx.closes.push((conn, true));
            }
        }
    }
}
