//! The task that sends what is due. It never holds a shard's or the store's thread: the store is read and written on threads
//! that may block, and the mail server is waited for without one.
//!
//! A mail leaves the store once the server has it. A program that ends between the two sends it again, with the same
//! `Message-ID`; one that runs on does not, also when the disk did not take that it was sent.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linchpin_storage::schema::{MailKey, OutboxMail};

use super::folder::MailFolder;
use super::kind::MailKind;
use super::smtp::{MailServer, SendEnd, SmtpWay};
use super::text::{BodyForm, MailFrame, message, until_ms};
use crate::loader::{Loader, LoaderFault};
use crate::{clock, limits};

/// How the task gets on, for metrics.
#[derive(Debug, Default)]
pub(crate) struct MailFigures {
    sent: AtomicU64,
    failed: AtomicU64,
    given_up: AtomicU64,
}

impl MailFigures {
    /// In Prometheus' text format; `waiting` and `refused` are the outbox's.
    pub(crate) fn metrics(&self, loader: &Loader) -> String {
        let (waiting, refused) = loader.outbox().figures();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut text = String::new();
        let lines = [
            ("linchpin_mails_waiting", "gauge", "Mails that wait to be sent.", waiting as u64),
            (
                "linchpin_mails_sent_total",
                "counter",
                "Mails that the server took, or files for the operator.",
                count(&self.sent),
            ),
            ("linchpin_mail_failures_total", "counter", "Tries to send a mail that failed.", count(&self.failed)),
            (
                "linchpin_mails_given_up_total",
                "counter",
                "Mails that were never sent; the log says why.",
                count(&self.given_up),
            ),
            (
                "linchpin_mails_refused_total",
                "counter",
                "Mails that were not made: too many wait, or went to one address.",
                refused as u64,
            ),
        ];
        for (name, kind, help, value) in lines {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        text
    }
}

/// What becomes of a mail after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It leaves the store.
    Gone,
    /// It is tried again then, ms since 1970.
    Later(u64),
    /// It leaves the store unsent.
    GivenUp,
}

/// Pauses before the second try, the third and so on; the last one again and again.
const PAUSES_MS: [u64; 6] = [5_000, 30_000, 120_000, 600_000, 3_600_000, 4 * 3_600_000];

fn fate(mail: &OutboxMail, end: &SendEnd, now_ms: u64) -> Fate {
    match end {
        SendEnd::Sent => return Fate::Gone,
        SendEnd::Refused(_) => return Fate::GivenUp,
        SendEnd::Later(_) | SendEnd::NoWay(_) => {}
    }
    let tries = usize::from(mail.tries) + 1;
    let due_ms = now_ms + PAUSES_MS[(tries - 1).min(PAUSES_MS.len() - 1)];
    let until = until_ms(mail);
    if tries >= usize::from(limits::MAIL_TRIES) || (until > 0 && until <= due_ms) {
        Fate::GivenUp
    } else {
        Fate::Later(due_ms)
    }
}

/// Where mails go.
#[derive(Debug)]
enum WayOut {
    Smtp(SmtpWay),
    Folder(Arc<MailFolder>),
    Nowhere,
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct MailTask {
    loader: Arc<Loader>,
    way: WayOut,
    frame: MailFrame,
    figures: Arc<MailFigures>,
    /// Those that were sent, and of which the store does not know it yet.
    unwritten: BTreeSet<MailKey>,
    /// How long nothing is tried after the way was shut.
    shut: Duration,
}

impl MailTask {
    /// To this mail server, else to files in this folder.
    ///
    /// # Errors
    /// They are not usable; says why.
    pub(crate) fn new(
        loader: &Arc<Loader>,
        (server, folder): (Option<&MailServer>, Option<&Path>),
        public_url: &str,
        figures: &Arc<MailFigures>,
    ) -> Result<Self, String> {
        let (way, from) = match server {
            Some(server) => (WayOut::Smtp(SmtpWay::new(server)?), server.mailbox()?),
            None => {
                let folder = folder.map(|path| WayOut::Folder(Arc::new(MailFolder::new(path))));
                let from = "linchpin@localhost".parse().map_err(|_| "no address to write from".to_owned())?;
                (folder.unwrap_or(WayOut::Nowhere), from)
            }
        };
        Ok(Self {
            loader: Arc::clone(loader),
            way,
            frame: MailFrame { public_url: public_url.into(), from },
            figures: Arc::clone(figures),
            unwritten: BTreeSet::new(),
            shut: Duration::ZERO,
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Loader) -> Result<T, LoaderFault> + Send + 'static,
    ) -> Result<T, LoaderFault> {
        let loader = Arc::clone(&self.loader);
        let closed = || LoaderFault::Store(linchpin_storage::Error::Closed);
        tokio::task::spawn_blocking(move || job(&loader)).await.map_err(|_| closed())?
    }

    /// Send what is due, for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let pause = self.round().await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // A way that is shut is not opened by more mails.
                () = self.loader.outbox().posted(), if self.shut.is_zero() => {}
            }
        }
    }

    /// Send some of what is due; how long to wait before the next look.
    async fn round(&mut self) -> Duration {
        let now_ms = clock::now_ms();
        let found = match self.blocking(move |loader| loader.due_mails(now_ms)).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "mails that wait cannot be read");
                return limits::MAIL_LOOK;
            }
        };
        let is_more = found.due.len() == limits::MAILS_TOGETHER;
        for (key, mail) in found.due {
            if !self.one(key, mail).await {
                self.shut = (self.shut * 2).clamp(limits::MAIL_SHUT, limits::MAIL_LOOK);
                return self.shut;
            }
            self.shut = Duration::ZERO;
        }
        if is_more {
            return Duration::ZERO;
        }
        let next = found.next_ms.map(|due_ms| Duration::from_millis(due_ms.saturating_sub(clock::now_ms())));
        next.map_or(limits::MAIL_LOOK, |next| next.min(limits::MAIL_LOOK))
    }

    /// Try one; `false`: there is no way now, for the others neither.
    async fn one(&mut self, key: MailKey, mail: OutboxMail) -> bool {
        let end = if self.unwritten.contains(&key) {
            SendEnd::Sent
        } else if matches!(until_ms(&mail), until if until > 0 && until <= clock::now_ms()) {
            SendEnd::Refused(0)
        } else {
            self.send(&key, &mail).await
        };
        let is_open = !matches!(end, SendEnd::NoWay(_));
        let fate = fate(&mail, &end, clock::now_ms());
        self.say(&key, &mail, (&end, fate));
        let written = self.blocking(move |loader| match fate {
            Fate::Gone | Fate::GivenUp => loader.mail_gone(key),
            Fate::Later(due_ms) => loader.mail_later(key, due_ms),
        });
        match written.await {
            Ok(()) => drop(self.unwritten.remove(&key)),
            Err(error) => {
                tracing::error!(%error, "what became of a mail was not written down");
                if end == SendEnd::Sent && self.unwritten.len() < limits::MAILS {
                    self.unwritten.insert(key);
                }
                return false;
            }
        }
        is_open
    }

    async fn send(&self, key: &MailKey, mail: &OutboxMail) -> SendEnd {
        let form = if matches!(self.way, WayOut::Smtp(_)) { BodyForm::Coded } else { BodyForm::Plain };
        let message = match message(&self.frame, (key, mail), form, clock::now_ms()) {
            Ok(message) => message,
            Err(why) => {
                tracing::error!(kind = mail.kind, "a mail cannot be made: {why}");
                return SendEnd::Refused(0);
            }
        };
        match &self.way {
            WayOut::Smtp(way) => way.send(message).await,
            WayOut::Folder(folder) => {
                let (folder, text) = (Arc::clone(folder), message.formatted());
                match tokio::task::spawn_blocking(move || folder.write(&text)).await {
                    Ok(Ok(())) => SendEnd::Sent,
                    Ok(Err(error)) => SendEnd::NoWay(error.to_string()),
                    Err(_) => SendEnd::NoWay("the file was not written".to_owned()),
                }
            }
            WayOut::Nowhere => SendEnd::NoWay("there is neither a mail server nor a data directory".to_owned()),
        }
    }

    /// Let the operator know, without the address.
    fn say(&self, key: &MailKey, mail: &OutboxMail, (end, fate): (&SendEnd, Fate)) {
        let (org, tries) = (key.org().get(), mail.tries);
        let kind = MailKind::of_number(mail.kind);
        let why = match end {
            SendEnd::Sent => {
                self.figures.sent.fetch_add(1, Ordering::Relaxed);
                return;
            }
            SendEnd::Refused(0) => "its link is over, or it cannot be made".to_owned(),
            SendEnd::Refused(status) | SendEnd::Later(status) => format!("the server answered {status}"),
            SendEnd::NoWay(why) => why.clone(),
        };
        self.figures.failed.fetch_add(1, Ordering::Relaxed);
        if fate == Fate::GivenUp {
            self.figures.given_up.fetch_add(1, Ordering::Relaxed);
            tracing::error!(org, ?kind, tries, "a mail was given up: {why}");
        } else {
            tracing::warn!(org, ?kind, tries, "a mail was not sent yet, and is tried again: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(tries: u8, until_ms: u64) -> OutboxMail {
        let fields = vec![(super::super::text::UNTIL.into(), until_ms.to_string().into())];
        OutboxMail { kind: 1, to: "a@b".into(), locale: "".into(), fields, tries, made_ms: 0 }
    }

    #[test]
    fn pauses_grow_and_end_with_the_link_or_the_tries() {
        let later = SendEnd::Later(451);
        assert_eq!(fate(&mail(0, 0), &SendEnd::Sent, 1_000), Fate::Gone);
        assert_eq!(fate(&mail(0, 0), &later, 1_000), Fate::Later(6_000));
        let mut due = 0;
        for tries in 0..limits::MAIL_TRIES - 1 {
            let Fate::Later(next) = fate(&mail(tries, 0), &SendEnd::NoWay("down".into()), 0) else { panic!("{tries}") };
            assert!(next >= due, "{tries}");
            due = next;
        }
        assert_eq!(fate(&mail(limits::MAIL_TRIES - 1, 0), &later, 0), Fate::GivenUp);
        assert_eq!(fate(&mail(0, 5_000), &later, 0), Fate::GivenUp, "the link is over then");
        assert_eq!(fate(&mail(0, 5_001), &later, 0), Fate::Later(5_000));
        assert_eq!(fate(&mail(0, 0), &SendEnd::Refused(550), 0), Fate::GivenUp, "it will never be taken");
    }
}
