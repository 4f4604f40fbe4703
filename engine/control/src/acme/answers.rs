//! What the answer to a call changes.

use linchpin_storage::schema::{AcmeAccount, AcmeOrder};
use zeroize::Zeroizing;

use super::calendar::wait_s;
use super::call::{AcmeAnswer, AcmeCall, CallFailure, FailureKind, OrderStage};
use super::limits;
use super::line::{HeldCertificate, LineStage};
use super::orders::{Busy, OrderEffect, Orders, Part};

impl Orders {
    /// Take in the answer to the call under way.
    pub(super) fn answered(&mut self, now_s: u64, answer: AcmeAnswer, fx: &mut Vec<OrderEffect>) {
        let Busy::Calling(at, authority, call) = std::mem::replace(&mut self.busy, Busy::Free) else { return };
        match (call, answer) {
            (AcmeCall::MakeKey, AcmeAnswer::Key(key_pem)) => {
                let line = &mut self.lines[at];
                let order = AcmeOrder { authority, key_pem, url: "".into(), begun_s: now_s };
                line.state.order = Some(order);
                line.start_over();
                self.say(now_s, at, format!("a certificate for {} is due", self.lines[at].names.join(", ")), fx);
                self.store(Part::Line(at), fx);
            }
            (AcmeCall::MakeAccountKey, AcmeAnswer::Key(key_pem)) => {
                let directory = self.directories[usize::from(authority)].clone();
                let account = AcmeAccount { directory, key_pem, url: "".into() };
                self.accounts[usize::from(authority)] = Some(account);
                self.store(Part::Account(authority), fx);
            }
            (AcmeCall::Register, AcmeAnswer::Registered { url, key_pem }) => {
                self.registered(now_s, at, authority, url, key_pem, fx);
            }
            (AcmeCall::Window, AcmeAnswer::Window { start_s, end_s, again_s }) => {
                self.window(now_s, at, start_s, end_s, again_s, fx);
            }
            (AcmeCall::Window, AcmeAnswer::Failed(_)) => {
                // The calendar of our own serves as well.
                self.lines[at].state.ask_s = now_s + limits::ASK_RENEWAL_AGAIN.as_secs();
                self.store(Part::Line(at), fx);
            }
            (AcmeCall::Order { .. }, AcmeAnswer::Ordered(url)) => self.ordered(now_s, at, authority, url, fx),
            (AcmeCall::Prove { .. }, AcmeAnswer::Opened(how)) => {
                let line = &mut self.lines[at];
                line.opened_s = Some(now_s);
                line.stage = LineStage::Look;
                line.look_s = now_s + limits::POLL.as_secs();
                self.say(now_s, at, format!("challenges are open: {how}"), fx);
            }
            (AcmeCall::Finalize, AcmeAnswer::Status { stage: OrderStage::Ready, again_s, why }) => {
                // It has the request: asking again at once would be asking for ever.
                self.status(now_s, at, OrderStage::Processing, again_s, &why, fx);
            }
            (AcmeCall::Look | AcmeCall::Finalize, AcmeAnswer::Status { stage, again_s, why }) => {
                self.status(now_s, at, stage, again_s, &why, fx);
            }
            (AcmeCall::Fetch, AcmeAnswer::Fetched(held)) => self.fetched(now_s, at, *held, fx),
            (AcmeCall::Revoke { .. }, AcmeAnswer::Revoked) => {
                let line = &mut self.lines[at];
                line.wishes.revoke = None;
                if let Some(held) = &mut line.current {
                    held.certificate.revoked = true;
                }
                // Neither the day after a rollback nor the pause between two orders holds it up, after a restart neither.
                line.wishes.renew = true;
                if line.state.failures == 0 {
                    line.state.not_before_s = 0;
                }
                self.say(now_s, at, "the certificate is revoked; a new one is ordered", fx);
                self.store(Part::Certificates(at), fx);
            }
            (AcmeCall::Revoke { .. }, AcmeAnswer::Failed(failure)) => {
                self.lines[at].wishes.revoke = None;
                self.say(now_s, at, format!("nothing is revoked: {}", failure.text), fx);
            }
            (call, AcmeAnswer::Failed(failure)) => self.failed(now_s, at, authority, &call, &failure, fx),
            (call, _) => {
                let failure = CallFailure::new(FailureKind::Unreachable, "an answer to another question");
                self.failed(now_s, at, authority, &call, &failure, fx);
            }
        }
    }

    fn registered(
        &mut self,
        now_s: u64,
        at: usize,
        authority: u8,
        url: String,
        key_pem: Option<Zeroizing<String>>,
        fx: &mut Vec<OrderEffect>,
    ) {
        if let Some(account) = &mut self.accounts[usize::from(authority)] {
            account.url = url.into();
            if let Some(key_pem) = key_pem {
                account.key_pem = key_pem;
            }
        }
        self.say(now_s, at, "the authority has an account for this server", fx);
        self.store(Part::Account(authority), fx);
    }

    fn window(&mut self, now_s: u64, at: usize, start_s: u64, end_s: u64, again_s: u64, fx: &mut Vec<OrderEffect>) {
        let random = self.random();
        let state = &mut self.lines[at].state;
        let [least, most] = limits::ASK_RENEWAL.map(|wait| wait.as_secs());
        state.ask_s = now_s + again_s.clamp(least, most);
        let stays = (start_s..=end_s).contains(&state.renew_s) && state.renew_s > 0;
        if end_s < start_s {
            state.renew_s = 0;
        } else if end_s <= now_s {
            // 0 says that nothing is known.
            state.renew_s = end_s.max(1);
        } else if !stays {
            let from_s = start_s.max(now_s);
            state.renew_s = from_s + random % (end_s - from_s + 1);
        }
        self.store(Part::Line(at), fx);
    }

    fn ordered(&mut self, now_s: u64, at: usize, authority: u8, url: String, fx: &mut Vec<OrderEffect>) {
        let state = &mut self.lines[at].state;
        state.orders.retain(|order| order.1 + limits::ORDERS_SPAN.as_secs() > now_s);
        // Wishes of operators may be more than the budget; the newest ones count.
        if state.orders.len() >= 2 * limits::ORDERS {
            state.orders.remove(0);
        }
        state.orders.push((authority, now_s));
        if let Some(order) = &mut state.order {
            order.url = url.into();
        }
        self.say(now_s, at, "ordered", fx);
        self.store(Part::Line(at), fx);
    }

    fn status(
        &mut self,
        now_s: u64,
        at: usize,
        stage: OrderStage,
        again_s: Option<u64>,
        why: &str,
        fx: &mut Vec<OrderEffect>,
    ) {
        let line = &mut self.lines[at];
        let begun_s = line.state.order.as_ref().map_or(now_s, |order| order.begun_s);
        let is_old = now_s > begun_s + limits::ORDER_LIFETIME.as_secs();
        match stage {
            OrderStage::Pending if line.opened_s.is_none() => line.stage = LineStage::Prove,
            OrderStage::Pending if line.opened_s.is_some_and(|at_s| now_s > at_s + limits::PROOF.as_secs()) => {
                line.start_over();
                fx.push(OrderEffect::CloseChallenges);
                let failure =
                    CallFailure::new(FailureKind::Unreachable, "the authority did not come to look at the names");
                self.fail(now_s, at, &failure, fx);
            }
            OrderStage::Pending | OrderStage::Processing if is_old => {
                self.give_up(now_s, at, "the order took more than a day", fx);
            }
            OrderStage::Pending | OrderStage::Processing => {
                line.stage = LineStage::Look;
                let wait_s = again_s.map_or(line.wait_s, |asked_s| asked_s.min(limits::RETRY_AFTER.as_secs()));
                line.look_s = now_s + wait_s.max(1);
                line.wait_s = (line.wait_s * 2).min(limits::POLL_MOST.as_secs());
            }
            OrderStage::Ready => {
                line.stage = LineStage::Finalize;
                fx.push(OrderEffect::CloseChallenges);
            }
            OrderStage::Valid => line.stage = LineStage::Fetch,
            OrderStage::Invalid => self.give_up(now_s, at, why, fx),
        }
    }

    /// The order gives no certificate any more: the next one begins anew.
    fn give_up(&mut self, now_s: u64, at: usize, why: &str, fx: &mut Vec<OrderEffect>) {
        let state = &mut self.lines[at].state;
        state.order = None;
        state.invalid += 1;
        state.failed.retain(|at_s| at_s + limits::FAILED_SPAN.as_secs() > now_s);
        state.failed.push(now_s);
        let over = state.failed.len().saturating_sub(limits::FAILED);
        state.failed.drain(..over);
        self.lines[at].start_over();
        fx.extend([OrderEffect::CloseChallenges, OrderEffect::Ended(false)]);
        let text = format!("the order ended without a certificate: {why}");
        self.fail(now_s, at, &CallFailure::new(FailureKind::Refused, text), fx);
    }

    fn fetched(&mut self, now_s: u64, at: usize, held: HeldCertificate, fx: &mut Vec<OrderEffect>) {
        let line = &mut self.lines[at];
        let serves_devices = line.current.as_ref().is_some_and(|old| old.is_valid(now_s) && old.reaches);
        if serves_devices && !held.reaches {
            line.is_held_back = true;
            return self.give_up(
                now_s,
                at,
                "no chain of the new certificate reaches a root that devices have; the one before serves on",
                fx,
            );
        }
        line.is_held_back = false;
        line.wishes.renew = false;
        let state = &mut line.state;
        (state.order, state.failures, state.invalid, state.not_before_s) = (None, 0, 0, 0);
        (state.renew_s, state.ask_s, state.replaced) = (0, 0, false);
        state.failed.clear();
        line.start_over();
        let days = held.not_after_s.saturating_sub(now_s) / 86_400;
        self.swap_in(at, held);
        fx.push(OrderEffect::Ended(true));
        self.say(now_s, at, format!("the new certificate is stored and served; it is valid for {days} days"), fx);
        self.store(Part::Certificates(at), fx);
    }

    fn failed(
        &mut self,
        now_s: u64,
        at: usize,
        authority: u8,
        call: &AcmeCall,
        failure: &CallFailure,
        fx: &mut Vec<OrderEffect>,
    ) {
        match failure.kind {
            FailureKind::NotReplaceable if matches!(call, AcmeCall::Order { replaces: true }) => {
                // RFC 9773, 5: the order is made again without the field, once.
                self.lines[at].state.replaced = true;
                let text = format!("{}: ordering without saying what is replaced", failure.text);
                self.say(now_s, at, text, fx);
                self.store(Part::Line(at), fx);
            }
            FailureKind::AccountGone => {
                if let Some(account) = &mut self.accounts[usize::from(authority)] {
                    account.url = "".into();
                }
                let line = &mut self.lines[at];
                // Another account cannot go on with this one's order.
                if let Some(order) = &mut line.state.order {
                    order.url = "".into();
                }
                line.start_over();
                self.fail(now_s, at, failure, fx);
            }
            FailureKind::OrderGone | FailureKind::Unfit => self.give_up(now_s, at, &failure.text, fx),
            FailureKind::Refused if matches!(call, AcmeCall::Finalize | AcmeCall::Prove { .. } | AcmeCall::Fetch) => {
                self.give_up(now_s, at, &failure.text, fx);
            }
            _ => {
                if matches!(call, AcmeCall::Prove { .. } | AcmeCall::Look | AcmeCall::Finalize) {
                    self.lines[at].start_over();
                    fx.push(OrderEffect::CloseChallenges);
                }
                self.fail(now_s, at, failure, fx);
            }
        }
    }

    /// Count a failure, and wait.
    fn fail(&mut self, now_s: u64, at: usize, failure: &CallFailure, fx: &mut Vec<OrderEffect>) {
        let random = self.random();
        let state = &mut self.lines[at].state;
        state.failures += 1;
        let wait_s = wait_s(state.failures, failure.retry_after_s, random);
        state.not_before_s = now_s + wait_s;
        self.lines[at].wishes.renew = false;
        self.say(now_s, at, format!("{}; the next attempt is in {} min", failure.text, wait_s.div_ceil(60)), fx);
        self.store(Part::Line(at), fx);
    }
}
