//! What a line does next, by what is stored of it.

use super::calendar::{due_s, is_half_gone, order_allowed_s};
use super::call::AcmeCall;
use super::limits;
use super::line::LineStage;
use super::orders::{OrderEffect, Orders, Part};

impl Orders {
    /// Begin the next step of a line, if one is due.
    pub(super) fn step(&mut self, now_s: u64, at: usize, fx: &mut Vec<OrderEffect>) {
        if self.wishes_of_an_operator(now_s, at, fx) {
            return;
        }
        let line = &self.lines[at];
        let Some(order) = &line.state.order else {
            return self.without_order(now_s, at, fx);
        };
        if (now_s < line.state.not_before_s && !line.wishes.renew) || now_s < line.look_s {
            return;
        }
        let authority = order.authority;
        if !order.url.is_empty() {
            let call = match line.stage {
                LineStage::Look => AcmeCall::Look,
                LineStage::Prove => AcmeCall::Prove { turn: line.state.invalid },
                LineStage::Finalize => AcmeCall::Finalize,
                LineStage::Fetch => AcmeCall::Fetch,
            };
            return self.call(at, authority, call, fx);
        }
        // Nothing was ordered with this key yet, so another authority may get it.
        let wanted = self.authority_for(now_s, at);
        if let Some(order) = self.lines[at].state.order.as_mut().filter(|order| order.authority != wanted) {
            order.authority = wanted;
            return self.store(Part::Line(at), fx);
        }
        match &self.accounts[usize::from(wanted)] {
            None => self.call(at, wanted, AcmeCall::MakeAccountKey, fx),
            Some(account) if account.url.is_empty() => self.call(at, wanted, AcmeCall::Register, fx),
            Some(_) => {
                let line = &self.lines[at];
                let is_known = line.current.as_ref().is_some_and(|held| held.has_id && !held.certificate.revoked);
                let replaces = is_known && !line.state.replaced && self.signed_by(at) == Some(wanted);
                self.call(at, wanted, AcmeCall::Order { replaces }, fx);
            }
        }
    }

    fn without_order(&mut self, now_s: u64, at: usize, fx: &mut Vec<OrderEffect>) {
        let line = &self.lines[at];
        let is_wished = line.wishes.renew;
        let is_due = is_wished || now_s >= due_s(line);
        if is_due && (is_wished || now_s >= line.state.not_before_s) {
            let authority = self.authority_for(now_s, at);
            let orders: Vec<(u8, u64)> = self
                .lines
                .iter()
                .filter(|other| other.names == self.lines[at].names)
                .flat_map(|other| other.state.orders.iter().copied())
                .collect();
            let allowed_s = order_allowed_s(&self.lines[at], authority, &orders, now_s);
            if is_wished || now_s >= allowed_s {
                return self.call(at, authority, AcmeCall::MakeKey, fx);
            }
            // Nobody needs to look before.
            self.lines[at].look_s = allowed_s;
        }
        let line = &self.lines[at];
        let can_ask = line.current.as_ref().is_some_and(|held| held.has_id && !held.certificate.revoked);
        let Some(authority) = self.signed_by(at).filter(|_| can_ask && now_s >= line.state.ask_s) else { return };
        if self.account(authority).is_some_and(|account| !account.url.is_empty()) {
            self.call(at, authority, AcmeCall::Window, fx);
        }
    }

    /// Rollback and revocation; true if one of them began.
    fn wishes_of_an_operator(&mut self, now_s: u64, at: usize, fx: &mut Vec<OrderEffect>) -> bool {
        if std::mem::take(&mut self.lines[at].wishes.roll_back) {
            let line = &mut self.lines[at];
            let is_usable = line.previous.as_ref().is_some_and(|held| held.is_valid(now_s));
            if !is_usable {
                self.say(now_s, at, "no rollback: there is no earlier certificate that is still valid", fx);
                return false;
            }
            std::mem::swap(&mut line.current, &mut line.previous);
            // Else the calendar might order at once what was taken back.
            line.state.not_before_s = line.state.not_before_s.max(now_s + limits::RENEWALS_APART.as_secs());
            (line.state.renew_s, line.state.ask_s) = (0, 0);
            self.say(now_s, at, "rolled back to the certificate before; no renewal for a day", fx);
            self.store(Part::Certificates(at), fx);
            return true;
        }
        let line = &self.lines[at];
        let Some(reason) = line.wishes.revoke else { return false };
        if line.current.as_ref().is_none_or(|held| held.certificate.revoked) {
            self.lines[at].wishes.revoke = None;
            self.say(now_s, at, "nothing is revoked: there is no certificate, or it is revoked already", fx);
            return false;
        }
        let Some(authority) = self.signed_by(at).filter(|authority| self.account(*authority).is_some()) else {
            self.lines[at].wishes.revoke = None;
            self.say(now_s, at, "nothing is revoked: the authority that signed it is not configured any more", fx);
            return false;
        };
        self.call(at, authority, AcmeCall::Revoke { reason }, fx);
        true
    }

    /// The authority that has its turn: the second one when the first fails for too long.
    fn authority_for(&self, now_s: u64, at: usize) -> u8 {
        let line = &self.lines[at];
        if self.accounts.len() < 2 || line.state.failures == 0 {
            return 0;
        }
        let is_valid = line.current.as_ref().is_some_and(|held| held.is_valid(now_s));
        if is_valid {
            return u8::from(is_half_gone(line, now_s));
        }
        // With nothing to lose they take turns.
        u8::from((line.state.failures / limits::FALL_BACK_AFTER) % 2 == 1)
    }
}
