//! An order that is only tried: with another authority, with nothing stored and nothing served.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::caller::Caller;
use super::driver::{OrderDriver, Shown};
use super::orders::{OrderInput, Orders};
use super::{AcmeDesk, AcmeSettings, LineReport, Which, limits, now_s, stored};
use crate::{Code, CommandError};

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// The directory for tries with an authority: its own one for them if it is known, or else itself.
fn directory_for_tries(directory: &str) -> &str {
    if directory == LETS_ENCRYPT { LETS_ENCRYPT_STAGING } else { directory }
}

impl AcmeDesk {
    /// Order one certificate and throw it away; its log says how it went.
    ///
    /// # Errors
    /// There is no such line, or an order is under way: challenges are shared.
    pub async fn try_order(&self, which: &Which, directory: Option<&str>) -> Result<LineReport, CommandError> {
        let mut lines = self.lines();
        let line = lines.swap_remove(which.find(&lines)?[0]);
        let failed = |why: String| CommandError::new(Code::Refused, why);
        if !self.challenges.is_empty() || self.lines().iter().any(|line| line.state == "ordering") {
            return Err(failed("an order is under way; try when it is done".to_owned()));
        }
        let wanted = self.settings.certificates.iter().find(|wanted| wanted.names == line.names);
        let mut wanted = wanted.cloned().ok_or_else(|| failed("it is not configured any more".to_owned()))?;
        wanted.keys.retain(|kind| kind.name() == line.kind);
        let mut authority = self.settings.authorities[0].clone();
        let directory = directory.unwrap_or_else(|| directory_for_tries(&authority.directory)).to_owned();
        // A key of an account is for the authority that gave it.
        if directory != authority.directory {
            authority.binding = None;
        }
        authority.directory.clone_from(&directory);
        let settings =
            AcmeSettings { authorities: vec![authority], certificates: vec![wanted], ..(*self.settings).clone() };
        let (lines, _) = stored::load(&settings, None, now_s())?;
        let orders = Orders::new(lines, vec![directory.into()], &[], 0);
        let caller = Caller::new(Arc::new(settings), Arc::clone(&self.challenges)).map_err(failed)?;
        let shown: Arc<Mutex<Shown>> = Arc::default();
        let driver = OrderDriver { orders, caller, disk: None, serve: Box::new(|_| Ok(())), shown };
        Ok(run(driver).await)
    }
}

/// Until there is a certificate, or the first failure, or too much time has passed.
async fn run(mut driver: OrderDriver) -> LineReport {
    let begun = Instant::now();
    loop {
        driver.take_in(OrderInput::Tick).await;
        let line = &driver.orders.lines()[0];
        if line.current.is_some() || line.state.failures > 0 || begun.elapsed() > limits::TRY {
            break;
        }
        let now_s = now_s();
        let left_s = driver.orders.wake_s(now_s).saturating_sub(now_s).clamp(1, 5);
        tokio::time::sleep(Duration::from_secs(left_s)).await;
    }
    driver.caller.close_challenges().await;
    super::report::report(&driver.orders.lines()[0], now_s())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_go_where_they_cost_nothing() {
        assert_eq!(directory_for_tries(LETS_ENCRYPT), LETS_ENCRYPT_STAGING);
        assert_eq!(directory_for_tries("https://ca.example/dir"), "https://ca.example/dir");
    }
}
