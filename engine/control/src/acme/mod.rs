//! Certificates that renew themselves (ACME, RFC 8555; renewal information, RFC 9773).
//!
//! - [`orders`] decides: states, calendar, back-off, budgets. It has no clock, socket or disk; tests run weeks of it in
//!   virtual time against an authority that misbehaves, and kill it at every step.
//! - [`driver`] carries its effects out on control's runtime: calls to the authority, records in the store, open
//!   challenges ([`linchpin_tls::Challenges`]), certificates that are served.
//!
//! Rules: what is valid is served, and ordering comes later; key and order are stored before they are used; a write that
//! fails stops ordering; a certificate that works is never given up for one that devices cannot use.

mod answers;
mod calendar;
mod call;
mod caller;
mod desk;
mod dns;
mod driver;
mod fault;
mod hook;
mod judge;
pub mod limits;
mod line;
mod metrics;
mod orders;
mod plan;
mod prove;
mod report;
mod settings;
mod step;
mod stored;
mod transport;
mod trying;
mod which;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use linchpin_storage::Store;
use linchpin_tls::{Challenges, Identity};
use tokio::sync::mpsc;

pub use desk::AcmeDesk;
pub use line::WantedCertificate;
pub(crate) use metrics::abouts as metric_abouts;
pub use plan::{Gravity, Listens, PlanFinding, look_ahead};
pub use prove::ProofMethod;
pub use report::{CertificateReport, LineReport, OrderNote};
pub use settings::{AccountBinding, AcmeSettings, Authority};
pub use stored::{stored_certificate, stored_lines};
pub use which::Which;

use caller::Caller;
use driver::{OrderDriver, Shown};
use line::HeldCertificate;
use orders::Orders;

/// Takes the identities that are to be served from now on; says why not.
pub type Serve = Arc<dyn Fn(Vec<Identity>) -> Result<(), String> + Send + Sync>;

type Served = Box<dyn Fn(&Orders) -> Result<(), String> + Send + Sync>;

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Orders as they are stored, before anything is done about them.
pub struct Acme {
    settings: Arc<AcmeSettings>,
    challenges: Arc<Challenges>,
    store: Option<Arc<Store>>,
    orders: Orders,
}

impl std::fmt::Debug for Acme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Acme({} lines)", self.orders.lines().len())
    }
}

impl Acme {
    /// Read what is stored. Without a store nothing survives the process.
    ///
    /// # Errors
    /// The store cannot be read; there is no authority, or too many of something.
    pub fn load(
        settings: AcmeSettings,
        store: Option<Arc<Store>>,
        challenges: Arc<Challenges>,
    ) -> Result<Self, String> {
        if !(1..=limits::AUTHORITIES).contains(&settings.authorities.len()) {
            return Err(format!(
                "{} authorities, allowed are 1 to {}",
                settings.authorities.len(),
                limits::AUTHORITIES
            ));
        }
        if settings.certificates.len() > limits::CERTIFICATES {
            let given = settings.certificates.len();
            return Err(format!("{given} certificates to order, allowed are {}", limits::CERTIFICATES));
        }
        let loaded = stored::load(&settings, store.as_deref(), now_s());
        let (lines, accounts) = loaded.map_err(|error| error.to_string())?;
        let directories = settings.authorities.iter().map(|authority| authority.directory.as_str().into()).collect();
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
        let orders = Orders::new(lines, directories, &accounts, u64::from_le_bytes(seed));
        Ok(Self { settings: Arc::new(settings), challenges, store, orders })
    }

    /// What can be served now.
    #[must_use]
    pub fn identities(&self) -> Vec<Identity> {
        identities(&self.orders)
    }

    /// Begin ordering, on the runtime that this is called in.
    ///
    /// # Errors
    /// The roots of an authority cannot be read.
    pub fn start(self, serve: Serve) -> Result<AcmeDesk, String> {
        let Self { settings, challenges, store, orders } = self;
        let caller = Caller::new(Arc::clone(&settings), Arc::clone(&challenges))?;
        let shown: Arc<Mutex<Shown>> = Arc::default();
        let (wishes, wished) = mpsc::channel(limits::WISHES);
        let desk = AcmeDesk { settings, challenges, store: store.clone(), shown: Arc::clone(&shown), wishes };
        let serve: Served = Box::new(move |orders| serve(identities(orders)));
        tokio::spawn(OrderDriver { orders, caller, disk: store, serve, shown }.run(wished));
        Ok(desk)
    }
}

/// The certificates that lines hold and that may be served, an ECDSA and an RSA one of the same names as a pair.
fn identities(orders: &Orders) -> Vec<Identity> {
    let now_s = now_s();
    let mut served = Vec::new();
    for line in orders.lines() {
        // An expired one serves on: some clients do not look, and none is better off without any.
        let Some(held) = line.current.as_ref() else { continue };
        match judge::identity(&held.certificate, now_s) {
            Ok(identity) => served.push(identity),
            Err(why) => tracing::error!("the certificate of {} cannot be served: {why}", line.title()),
        }
    }
    served
}
