//! What commands and metrics use of the orders.

use std::sync::{Arc, Mutex, PoisonError};

use linchpin_storage::Store;
use linchpin_storage::schema::ServedCertificate;
use linchpin_tls::Challenges;
use tokio::sync::{mpsc, oneshot};

use super::driver::{CertificateWish, Shown};
use super::line::Wishes;
use super::{AcmeSettings, LineReport, Which, limits, stored};
use crate::{Code, CommandError};

/// What commands and metrics use. Copies are cheap.
#[derive(Clone)]
pub struct AcmeDesk {
    pub(super) settings: Arc<AcmeSettings>,
    pub(super) challenges: Arc<Challenges>,
    pub(super) store: Option<Arc<Store>>,
    pub(super) shown: Arc<Mutex<Shown>>,
    pub(super) wishes: mpsc::Sender<CertificateWish>,
}

impl std::fmt::Debug for AcmeDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AcmeDesk({} lines)", self.lines().len())
    }
}

impl AcmeDesk {
    /// How all lines stand.
    #[must_use]
    pub fn lines(&self) -> Vec<LineReport> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    /// How the lines stand that fit.
    ///
    /// # Errors
    /// None does.
    pub fn status(&self, which: &Which) -> Result<Vec<LineReport>, CommandError> {
        which.pick(self.lines())
    }

    /// Let the orders know of a wish, and wait until what can be done at once is done. Each line as it was and as it is.
    async fn wish(&self, which: &Which, wishes: Wishes) -> Result<Vec<(LineReport, LineReport)>, CommandError> {
        let before = self.lines();
        let found = which.find(&before)?;
        let ended = || CommandError::new(Code::Refused, "ordering has ended; the log says why");
        for line in &found {
            let (done, is_done) = oneshot::channel();
            let wish = CertificateWish { line: *line, wishes, done };
            self.wishes.send(wish).await.map_err(|_| ended())?;
            match tokio::time::timeout(limits::WISH, is_done).await {
                Ok(done) => done.map_err(|_| ended())?,
                Err(_) => {
                    let text = "the authority keeps the orders busy; the wish is noted and comes next";
                    return Err(CommandError::new(Code::Busy, text));
                }
            }
        }
        let after = self.lines();
        Ok(found.into_iter().map(|at| (before[at].clone(), after[at].clone())).collect())
    }

    /// Order now, whatever the calendar says.
    ///
    /// # Errors
    /// There is no such line.
    pub async fn renew(&self, which: &Which) -> Result<Vec<LineReport>, CommandError> {
        let lines = self.wish(which, Wishes { renew: true, ..Wishes::default() }).await?;
        Ok(lines.into_iter().map(|line| line.1).collect())
    }

    /// Serve the certificate before.
    ///
    /// # Errors
    /// There is no such line, or no such certificate.
    pub async fn roll_back(&self, which: &Which) -> Result<Vec<LineReport>, CommandError> {
        let lines = self.wish(which, Wishes { roll_back: true, ..Wishes::default() }).await?;
        done(lines, |before, after| before.serial() != after.serial())
    }

    /// Revoke what is served, for this reason (RFC 5280, 5.3.1), and order anew.
    ///
    /// # Errors
    /// There is no such line, or the authority does not do it.
    pub async fn revoke(&self, which: &Which, reason: u8) -> Result<Vec<LineReport>, CommandError> {
        let lines = self.wish(which, Wishes { revoke: Some(reason), ..Wishes::default() }).await?;
        let is_revoked = |line: &LineReport| line.current.as_ref().is_some_and(|held| held.revoked);
        done(lines, |before, after| {
            before.current.is_some() && (is_revoked(after) || before.serial() != after.serial())
        })
    }

    /// Chain and key of a line, PEM. Blocks for the disk.
    ///
    /// # Errors
    /// There is not exactly one such line, it has no certificate, or nothing is stored.
    pub fn export(&self, which: &Which) -> Result<ServedCertificate, CommandError> {
        let none = || CommandError::new(Code::Refused, "this server has no store: its state is in memory only");
        stored::exported(&self.settings, self.store.as_deref().ok_or_else(none)?, &self.lines(), which)
    }
}

/// The lines as they are, if at least one has changed so; else the reason of the first, which its log has.
fn done(
    lines: Vec<(LineReport, LineReport)>,
    has_changed: impl Fn(&LineReport, &LineReport) -> bool,
) -> Result<Vec<LineReport>, CommandError> {
    if lines.iter().any(|(before, after)| has_changed(before, after)) {
        return Ok(lines.into_iter().map(|line| line.1).collect());
    }
    let why = lines.first().and_then(|(_, after)| Some(format!("{}: {}", after.title(), after.log.last()?.text)));
    Err(CommandError::new(Code::Refused, why.unwrap_or_else(|| "nothing has changed; the log says why".to_owned())))
}
