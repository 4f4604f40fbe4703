//! Backups that the server makes by itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{BackupPlace, BackupPlan, Upkeep};
use crate::{CommandError, limits};

/// How long until a backup is due: from the newest one on, whoever made it and however often the server was restarted since.
fn until_due(newest_s: Option<u64>, every: Duration, now_s: u64) -> Duration {
    // A backup of the future was dated by a wrong clock: it counts as made now.
    let age_s = newest_s.map(|newest_s| now_s.saturating_sub(newest_s));
    age_s.map_or(Duration::ZERO, |age_s| every.saturating_sub(Duration::from_secs(age_s)))
}

fn is_late(newest_s: Option<u64>, every: Duration, now_s: u64) -> bool {
    newest_s.is_some_and(|newest_s| Duration::from_secs(now_s.saturating_sub(newest_s)) > every * 2)
}

/// Make backups for as long as the server runs.
pub(crate) async fn run(upkeep: Upkeep) {
    let Some(BackupPlan { place, every: Some(every), keep }) = upkeep.plan().cloned() else { return };
    let mut pause = limits::BACKUP_FIRST;
    loop {
        tokio::time::sleep(pause).await;
        let (one, to) = (upkeep.clone(), place.clone());
        pause = match tokio::task::spawn_blocking(move || look(&one, &to, every, keep)).await {
            Ok(Ok(pause)) => pause,
            Ok(Err(error)) => {
                let retry = limits::BACKUP_RETRY.min(every);
                tracing::error!(%error, "no backup was made; the next try is in {retry:?}");
                retry
            }
            Err(_) => {
                tracing::error!("a backup failed inside the server");
                every
            }
        };
    }
}

/// Make a backup if one is due; when to look again.
fn look(upkeep: &Upkeep, place: &BackupPlace, every: Duration, keep: u32) -> Result<Duration, CommandError> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let newest_s = upkeep.newest_backup_s(place)?;
    let pause = until_due(newest_s, every, now_s);
    if !pause.is_zero() {
        return Ok(pause);
    }
    if is_late(newest_s, every, now_s) {
        tracing::warn!("the newest backup in {place} is older than two intervals of {every:?}");
    }
    let done = upkeep.back_up(place, Some(keep))?;
    tracing::info!(id = done.id, new_bytes = done.new_bytes, "a backup is in {place}");
    Ok(every)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    /// A server that is started again every so many hours, over a month of its own time: the hours of its backups.
    fn backups(restart_every_h: u64, every: Duration) -> Vec<u64> {
        let (mut newest_s, mut made) = (None, Vec::new());
        for start in (0..30 * 24).step_by(restart_every_h as usize) {
            let (begin_s, end_s) = (1_000_000 + start * HOUR, 1_000_000 + (start + restart_every_h) * HOUR);
            let mut now_s = begin_s + limits::BACKUP_FIRST.as_secs();
            while now_s < end_s {
                let pause = until_due(newest_s, every, now_s);
                if pause.is_zero() {
                    newest_s = Some(now_s);
                    made.push((now_s - 1_000_000) / HOUR);
                }
                now_s += if pause.is_zero() { every } else { pause }.as_secs();
            }
        }
        made
    }

    #[test]
    fn a_server_that_restarts_more_often_than_it_backs_up_makes_backups() {
        for restart_every_h in [1, 5, 23, 24, 25, 30] {
            let made = backups(restart_every_h, Duration::from_secs(24 * HOUR));
            assert!((28..=31).contains(&made.len()), "restarts every {restart_every_h} h: {made:?}");
            assert!(
                made.windows(2).all(|pair| (24..=26).contains(&(pair[1] - pair[0]))),
                "{restart_every_h}: {made:?}"
            );
        }
    }

    #[test]
    fn the_first_is_due_at_once_and_a_wrong_clock_delays_by_one_interval_at_most() {
        let every = Duration::from_secs(24 * HOUR);
        assert_eq!(until_due(None, every, 5), Duration::ZERO);
        assert_eq!(until_due(Some(u64::MAX), every, 5), every);
        assert!(is_late(Some(0), every, 49 * HOUR) && !is_late(Some(0), every, 47 * HOUR) && !is_late(None, every, 1));
    }
}
