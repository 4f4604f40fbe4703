//! What waits to be sent: records in the store, put there in the batch of what causes them. Here is how many there may be,
//! and how many to one address.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use linchpin_storage::Batch;
use linchpin_storage::schema::{MailKey, OrgId, OutboxMail};
use tokio::sync::Notify;

use super::kind::MailKind;
use super::text::{ORG, TOKEN, UNTIL};
use crate::account::{EmailAddress, GivenSecret};
use crate::limits;
use crate::loader::LoaderFault;

/// A mail to be put there.
#[derive(Clone, Debug)]
pub(crate) struct NewMail<'a> {
    /// What it is about.
    pub(crate) kind: MailKind,
    /// Whom it goes to.
    pub(crate) to: &'a EmailAddress,
    /// The language, such as `de`.
    pub(crate) locale: Box<str>,
    /// The secret of its link, and when it ends, ms since 1970.
    pub(crate) secret: Option<(&'a GivenSecret, u64)>,
    /// The name of the organization that it is about.
    pub(crate) org_name: Box<str>,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: AtomicUsize,
    /// Mails that would have been and were not, because there was no room.
    refused: AtomicUsize,
    posted: Notify,
    /// There is a mail server: people are told what happens to their accounts. Files would tell nobody.
    notices: AtomicBool,
    counts: Mutex<MailCounts>,
}

/// Mails to one address, or asked for by one, within the hour.
#[derive(Debug, Default)]
struct MailCounts(HashMap<u64, (u32, u64)>);

impl MailCounts {
    /// One more, if there may be one more.
    fn take(&mut self, key: u64, most: u32, now_ms: u64) -> bool {
        if self.0.len() >= limits::MAIL_ADDRESSES && !self.0.contains_key(&key) {
            self.0.retain(|_, (_, until)| now_ms < *until);
            if self.0.len() >= limits::MAIL_ADDRESSES {
                return false;
            }
        }
        let count = self.0.entry(key).or_insert((0, now_ms + limits::MAIL_WINDOW_MS));
        if count.1 <= now_ms {
            *count = (0, now_ms + limits::MAIL_WINDOW_MS);
        }
        count.0 += 1;
        count.0 <= most
    }
}

impl Outbox {
    /// May a mail go to this address, which this digest stands for? It is counted.
    pub(crate) fn admits(&self, digest: &[u8; 32], most: u32, now_ms: u64) -> bool {
        let key = u64::from_be_bytes(*digest.first_chunk().unwrap_or(&[0; 8]));
        let is_admitted = self.counts.lock().unwrap_or_else(PoisonError::into_inner).take(key, most, now_ms);
        if !is_admitted {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_admitted
    }

    /// A mail that was counted will not be put.
    pub(crate) fn give_back(&self, digest: &[u8; 32]) {
        let key = u64::from_be_bytes(*digest.first_chunk().unwrap_or(&[0; 8]));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.0.entry(key).and_modify(|(count, _)| *count = count.saturating_sub(1));
    }

    /// May one more wait?
    ///
    /// # Errors
    /// [`LoaderFault::Often`]: too many do.
    pub(crate) fn check_room(&self) -> Result<(), LoaderFault> {
        if self.waiting.load(Ordering::Relaxed) >= limits::MAILS {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(LoaderFault::Often { what: "mails that wait to be sent", limit: limits::MAILS });
        }
        Ok(())
    }

    /// Put a mail into the batch of what causes it. After the commit, [`Outbox::wake`].
    ///
    /// # Errors
    /// [`LoaderFault::Often`]: too many wait.
    pub(crate) fn put(
        &self,
        batch: &mut Batch,
        (org, number): (OrgId, u32),
        mail: &NewMail<'_>,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        self.check_room()?;
        let mut fields: Vec<(Box<str>, Box<str>)> = vec![(ORG.into(), mail.org_name.clone())];
        if let Some((secret, until_ms)) = mail.secret {
            fields.push((TOKEN.into(), secret.expose().into()));
            fields.push((UNTIL.into(), until_ms.to_string().into()));
        }
        let record = OutboxMail {
            kind: mail.kind as u16,
            to: mail.to.expose().into(),
            locale: mail.locale.clone(),
            fields,
            tries: 0,
            made_ms: now_ms,
        };
        batch.put(&MailKey::new(now_ms, org, u64::from(number)), &record)?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// From now on people are told what happens to their accounts.
    pub(crate) fn send_notices(&self) {
        self.notices.store(true, Ordering::Relaxed);
    }

    /// Are they?
    pub(crate) fn sends_notices(&self) -> bool {
        self.notices.load(Ordering::Relaxed)
    }

    /// There is something in the store that was not there before.
    pub(crate) fn wake(&self) {
        self.posted.notify_one();
    }

    /// Until there is.
    pub(super) async fn posted(&self) {
        self.posted.notified().await;
    }

    /// One is gone.
    pub(crate) fn gone(&self) {
        // Somebody may have counted meanwhile.
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| waiting.checked_sub(1));
    }

    /// How many there are, as somebody counted.
    pub(crate) fn counted(&self, waiting: usize) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Waiting, and refused since the start.
    pub(super) fn figures(&self) -> (usize, usize) {
        (self.waiting.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_gets_so_many_an_hour_and_the_table_is_bounded() {
        let outbox = Outbox::default();
        let most = limits::MAILS_PER_ADDRESS;
        for _ in 0..most {
            assert!(outbox.admits(&[1; 32], most, 1_000));
        }
        assert!(!outbox.admits(&[1; 32], most, 2_000) && outbox.admits(&[2; 32], most, 2_000));
        assert!(outbox.admits(&[1; 32], most, 1_001 + limits::MAIL_WINDOW_MS));
        let mut counts = MailCounts::default();
        for key in 0..limits::MAIL_ADDRESSES as u64 {
            assert!(counts.take(key, 1, 0));
        }
        assert!(!counts.take(u64::MAX, 1, 1), "there is no room, and nobody is forgotten for a newcomer");
        assert!(counts.take(u64::MAX, 1, limits::MAIL_WINDOW_MS) && counts.0.len() == 1);
    }
}
