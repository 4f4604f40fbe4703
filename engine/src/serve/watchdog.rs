//! The service manager's watchdog (WatchdogSec): it is fed only while every shard ticks.

use std::time::Duration;

use crate::serve::notify;
use crate::serve::progress::ShardProgress;

/// Feed it from now on, if the manager wants that. The thread ends with the process.
pub(crate) fn start(progress: &ShardProgress) {
    let interval = std::env::var("WATCHDOG_USEC").ok().and_then(|text| interval(&text));
    let Some(interval) = interval else { return };
    let progress = progress.clone();
    progress.watch();
    let run = move || {
        loop {
            std::thread::sleep(interval);
            // A server that stands still to be handed over has a watch of its own.
            if progress.have_all_ticked() || progress.has_orders() {
                notify::alive();
            } else {
                tracing::error!("a shard has not ticked for {interval:?}: the service manager is not fed");
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("watchdog".to_owned()).spawn(run) {
        tracing::error!(%error, "nobody feeds the service manager's watchdog");
    }
}

/// A third of what the manager waits for: a shard that sleeps looks at its clocks once a second.
fn interval(usec: &str) -> Option<Duration> {
    let whole = usec.parse().ok().filter(|usec| *usec > 0).map(Duration::from_micros)?;
    Some((whole / 3).max(Duration::from_secs(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_a_third_and_not_below_two_looks() {
        assert_eq!(interval("30000000"), Some(Duration::from_secs(10)));
        assert_eq!(interval("1000"), Some(Duration::from_secs(2)));
        assert_eq!((interval("0"), interval("x")), (None, None));
    }
}
