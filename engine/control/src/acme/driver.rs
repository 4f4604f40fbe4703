//! Carries out what [`Orders`] decides: calls, records, open challenges, what is served. One task on control's runtime.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use linchpin_storage::schema::{AcmeKey, AcmeRecord, CertificateKey, CertificateSlot};
use linchpin_storage::{Class, Error, Store};
use tokio::sync::{mpsc, oneshot};

use super::caller::Caller;
use super::line::{Alarm, Wishes};
use super::orders::{OrderEffect, OrderInput, Orders, Part};
use super::report::{LineReport, report};
use super::stored::account_id;
use super::{Served, now_s};

/// Where orders are stored; `None`: nowhere, for a try.
pub(super) type Disk = Option<Arc<Store>>;

/// What is asked of the task.
#[derive(Debug)]
pub(super) struct CertificateWish {
    pub(super) line: usize,
    pub(super) wishes: Wishes,
    /// What can be done at once is done.
    pub(super) done: oneshot::Sender<()>,
}

/// What others see of the orders.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) lines: Vec<LineReport>,
    pub(super) is_halted: bool,
    /// Orders that ended with a certificate, and without, since the start.
    pub(super) orders: [u64; 2],
}

pub(super) struct OrderDriver {
    pub(super) orders: Orders,
    pub(super) caller: Caller,
    pub(super) disk: Disk,
    pub(super) serve: Served,
    pub(super) shown: Arc<Mutex<Shown>>,
}

impl OrderDriver {
    /// Run until nobody can wish anything any more.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<CertificateWish>) {
        let (mut input, mut waiting) = (OrderInput::Tick, None::<oneshot::Sender<()>>);
        loop {
            self.take_in(input).await;
            if let Some(done) = waiting.take() {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
            let now_s = now_s();
            let left = Duration::from_secs(self.orders.wake_s(now_s).saturating_sub(now_s).max(1));
            input = tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(CertificateWish { line, wishes, done }) => {
                        waiting = Some(done);
                        OrderInput::Wish(line, wishes)
                    }
                    None => break,
                },
                () = tokio::time::sleep(left) => OrderInput::Tick,
            };
        }
        self.caller.close_challenges().await;
    }

    /// One input, and all that follows from it.
    pub(super) async fn take_in(&mut self, input: OrderInput) {
        let mut effects = Vec::new();
        self.orders.handle(now_s(), input, &mut effects);
        let mut next = std::collections::VecDeque::from(effects);
        while let Some(effect) = next.pop_front() {
            // Before a call that may take a minute: who asks sees how far it is.
            self.show();
            let Some(input) = self.carry_out(effect).await else { continue };
            let mut effects = Vec::new();
            self.orders.handle(now_s(), input, &mut effects);
            next.extend(effects);
        }
        self.show();
    }

    async fn carry_out(&mut self, effect: OrderEffect) -> Option<OrderInput> {
        match effect {
            OrderEffect::Call(line, authority, call) => {
                Some(OrderInput::Answer(self.caller.call(&self.orders, line, authority, &call).await))
            }
            OrderEffect::Store(part) => Some(OrderInput::Written(self.store(part).await)),
            OrderEffect::Serve(line) => {
                if let Err(why) = (self.serve)(&self.orders) {
                    tracing::error!("{}: the new certificate is not served: {why}", self.orders.lines()[line].title());
                }
                None
            }
            OrderEffect::CloseChallenges => {
                self.caller.close_challenges().await;
                None
            }
            OrderEffect::Ended(issued) => {
                self.shown.lock().unwrap_or_else(PoisonError::into_inner).orders[usize::from(!issued)] += 1;
                None
            }
            OrderEffect::Say(line, text) => {
                tracing::info!("certificate {}: {text}", self.title(line));
                None
            }
            OrderEffect::Alarm(line, alarm) => {
                self.alarm(line, alarm);
                None
            }
        }
    }

    fn title(&self, line: usize) -> String {
        self.orders.lines().get(line).map(super::line::OrderLine::title).unwrap_or_default()
    }

    fn alarm(&self, line: usize, alarm: Alarm) {
        let title = self.title(line);
        match alarm {
            Alarm::None => tracing::info!("certificate {title}: all is well"),
            Alarm::NoDeviceRoot => {
                tracing::error!(
                    "certificate {title}: no chain reaches a root that devices have: see device_roots in [tls]"
                );
            }
            Alarm::Late => tracing::warn!("certificate {title}: a third of its time is left, and renewing fails"),
            Alarm::Urgent => tracing::error!("certificate {title}: a sixth of its time is left, and it is not renewed"),
            Alarm::Nothing => tracing::error!("certificate {title}: nothing valid is served"),
        }
    }

    fn show(&self) {
        let now_s = now_s();
        let lines = self.orders.lines().iter().map(|line| report(line, now_s)).collect();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.lines = lines;
        shown.is_halted = self.orders.is_halted();
    }

    /// Make a part durable; blocks for the disk on another thread.
    async fn store(&self, part: Part) -> Result<(), String> {
        let Some(store) = self.disk.clone() else { return Ok(()) };
        let mut records = Vec::new();
        let mut certificates = Vec::new();
        match part {
            Part::Account(authority) => {
                let account = self.orders.account(authority).ok_or("there is no account")?;
                records.push((AcmeKey::Account(account_id(&account.directory)), AcmeRecord::Account(account.clone())));
            }
            Part::Line(at) | Part::Certificates(at) => {
                let line = &self.orders.lines()[at];
                records.push((AcmeKey::Line(line.id), AcmeRecord::Line(line.state.clone())));
                if part == Part::Certificates(at) {
                    let slots =
                        [(CertificateSlot::Current, &line.current), (CertificateSlot::Previous, &line.previous)];
                    for (slot, held) in slots {
                        let held = held.as_ref().map(|held| held.certificate.clone());
                        certificates.extend(held.map(|held| (CertificateKey { line: line.id, slot }, held)));
                    }
                }
            }
        }
        let write = move || -> Result<(), Error> {
            let mut batch = store.batch();
            for (key, record) in &records {
                batch.put(key, record)?;
            }
            for (key, certificate) in &certificates {
                batch.put(key, certificate)?;
            }
            store.commit(Class::A, batch)
        };
        match tokio::task::spawn_blocking(write).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("the write failed inside the server".to_owned()),
        }
    }
}
