//! Backups that the server makes by itself.

use super::{BackupPlan, Upkeep};

/// Make backups for as long as the server runs.
pub(crate) async fn run(upkeep: Upkeep) {
    let Some(BackupPlan { place, every: Some(every), keep }) = upkeep.plan().cloned() else { return };
    loop {
        tokio::time::sleep(every).await;
        let (one, to) = (upkeep.clone(), place.clone());
        match tokio::task::spawn_blocking(move || one.back_up(&to, Some(keep))).await {
            Ok(Ok(made)) => tracing::info!(id = made.id, new_bytes = made.new_bytes, "a backup is in {place}"),
            Ok(Err(error)) => tracing::error!(%error, "no backup was made; the next try is in {every:?}"),
            Err(_) => tracing::error!("a backup failed inside the server"),
        }
    }
}
