//! When a line is due, how long it waits after failures, and whether it may order: pure functions of what is stored.

use super::limits::{
    BACK_OFF, FAILED, FAILED_SPAN, ORDER_SPACING, ORDERS, ORDERS_SPAN, RENEWALS_APART, RETRY_AFTER, SHORT_LIFETIME,
};
use super::line::{Alarm, HeldCertificate, OrderLine};

/// When the certificate is renewed, s since 1970.
pub(crate) fn due_s(line: &OrderLine) -> u64 {
    let Some(held) = &line.current else { return 0 };
    if held.certificate.revoked {
        return 0;
    }
    let lifetime_s = held.lifetime_s();
    // Not later than this, whatever the authority says: a window in 2100 is a mistake.
    let latest_s = held.not_before_s + lifetime_s / 4 * 3;
    match line.state.renew_s {
        0 => by_lifetime_s(line, held),
        renew_s => renew_s.max(held.certificate.issued_s + RENEWALS_APART.as_secs()).min(latest_s),
    }
}

/// Two thirds of the lifetime, or half of a short one, less up to a fiftieth by which lines differ.
fn by_lifetime_s(line: &OrderLine, held: &HeldCertificate) -> u64 {
    let lifetime_s = held.lifetime_s();
    let share_s = if lifetime_s < SHORT_LIFETIME.as_secs() { lifetime_s / 2 } else { lifetime_s / 3 * 2 };
    let spread_s = (lifetime_s / 50).max(1);
    let jitter_s = (u64::from(line.id[0]) << 8 | u64::from(line.id[1])) % spread_s;
    held.not_before_s + share_s - jitter_s
}

/// The wait after so many failures in a row; `random` is any number, for the spread of the last step.
pub(crate) fn back_off_s(failures: u32, random: u64) -> u64 {
    let step = (failures.max(1) as usize - 1).min(BACK_OFF.len() - 1);
    let wait_s = BACK_OFF[step].as_secs();
    if step < BACK_OFF.len() - 1 {
        return wait_s;
    }
    wait_s / 5 * 4 + random % (wait_s / 5 * 2)
}

/// The wait after a failure: what the authority asks for, in bounds, or else ours.
pub(crate) fn wait_s(failures: u32, retry_after_s: Option<u64>, random: u64) -> u64 {
    match retry_after_s {
        Some(asked_s) => asked_s.clamp(BACK_OFF[0].as_secs(), RETRY_AFTER.as_secs()),
        None => back_off_s(failures, random),
    }
}

/// When the next order may be made at this authority, s since 1970; `orders`: those of all lines with these names.
pub(crate) fn order_allowed_s(line: &OrderLine, authority: u8, orders: &[(u8, u64)], now_s: u64) -> u64 {
    let span_s = ORDERS_SPAN.as_secs();
    let mut recent: Vec<u64> = orders.iter().filter(|order| order.0 == authority).map(|order| order.1).collect();
    recent.sort_unstable();
    recent.retain(|at_s| at_s + span_s > now_s);
    let mut allowed_s = 0;
    if recent.len() >= ORDERS {
        allowed_s = recent[recent.len() - ORDERS] + span_s;
    }
    let own = line.state.orders.iter().filter(|order| order.0 == authority).map(|order| order.1).max();
    if let Some(last_s) = own {
        let spacing = ORDER_SPACING[(line.state.invalid as usize).min(ORDER_SPACING.len() - 1)];
        allowed_s = allowed_s.max(last_s + spacing.as_secs());
    }
    let failed: Vec<u64> =
        line.state.failed.iter().copied().filter(|at_s| at_s + FAILED_SPAN.as_secs() > now_s).collect();
    if failed.len() >= FAILED {
        allowed_s = allowed_s.max(failed[failed.len() - 1] + FAILED_SPAN.as_secs());
    }
    allowed_s
}

/// Has half of the time between the first attempt and the end of the certificate passed?
pub(crate) fn is_half_gone(line: &OrderLine, now_s: u64) -> bool {
    let Some(held) = &line.current else { return false };
    let due_s = due_s(line);
    now_s >= due_s + held.not_after_s.saturating_sub(due_s) / 2
}

/// How bad the state of a line is.
pub(crate) fn alarm(line: &OrderLine, now_s: u64) -> Alarm {
    let Some(held) = line.current.as_ref().filter(|held| held.is_valid(now_s)) else { return Alarm::Nothing };
    let left_s = held.not_after_s - now_s;
    match held.lifetime_s() {
        lifetime_s if left_s < lifetime_s / 6 => Alarm::Urgent,
        _ if line.is_held_back => Alarm::NoDeviceRoot,
        lifetime_s if line.state.failures > 0 && left_s < lifetime_s / 3 => Alarm::Late,
        _ if !held.reaches => Alarm::NoDeviceRoot,
        _ => Alarm::None,
    }
}
