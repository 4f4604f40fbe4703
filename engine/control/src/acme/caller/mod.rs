//! Calls to authorities, by instant-acme.

mod order;

use std::sync::Arc;

use instant_acme::{
    Account, CertificateIdentifier, ExternalAccountKey, Key, NewAccount, Order, RevocationReason, RevocationRequest,
};
use linchpin_storage::schema::ServedCertificate;
use linchpin_tls::pki_types::pem::PemObject as _;
use linchpin_tls::pki_types::{CertificateDer, Der, PrivateKeyDer, PrivatePkcs8KeyDer};
use linchpin_tls::{Challenges, KeyKind, NewKey};
use zeroize::Zeroizing;

use super::call::{AcmeAnswer, AcmeCall, CallFailure, FailureKind};
use super::fault::{exchange, failure};
use super::hook::{self, SetRecord};
use super::judge::identity;
use super::line::OrderLine;
use super::now_s;
use super::orders::Orders;
use super::settings::AcmeSettings;
use super::transport::AuthorityClient;

/// What is open towards one authority.
struct Open {
    transport: AuthorityClient,
    account: Option<Account>,
}

/// Carries out [`AcmeCall`]s, one at a time.
pub(super) struct Caller {
    settings: Arc<AcmeSettings>,
    challenges: Arc<Challenges>,
    open: Vec<Open>,
    /// The order that was called about last.
    order: Option<Order>,
    /// Records of dns-01 that are set.
    set: Vec<SetRecord>,
}

type Called<T> = Result<T, CallFailure>;

fn refused(text: impl Into<String>) -> CallFailure {
    CallFailure::new(FailureKind::Refused, text)
}

fn pkcs8(pem: &str) -> Called<PrivatePkcs8KeyDer<'static>> {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs8(key)) => Ok(key),
        _ => Err(refused("the stored key of the account is damaged")),
    }
}

impl Caller {
    /// # Errors
    /// The roots of an authority cannot be read.
    pub(super) fn new(settings: Arc<AcmeSettings>, challenges: Arc<Challenges>) -> Result<Self, String> {
        let open = |authority: &super::Authority| {
            Ok(Open { transport: AuthorityClient::new(authority.ca.as_deref())?, account: None })
        };
        let open = settings.authorities.iter().map(open).collect::<Result<_, String>>()?;
        Ok(Self { settings, challenges, open, order: None, set: Vec::new() })
    }

    /// Carry out a call for a line.
    pub(super) async fn call(&mut self, orders: &Orders, line: usize, authority: u8, call: &AcmeCall) -> AcmeAnswer {
        let transport = self.open[usize::from(authority)].transport.clone();
        transport.begin();
        let line = &orders.lines()[line];
        let answer = match call {
            AcmeCall::MakeKey => make_key(line.kind).await,
            AcmeCall::MakeAccountKey => make_key(KeyKind::Ecdsa).await,
            AcmeCall::Register => self.register(orders, authority).await,
            AcmeCall::Window => self.window(orders, line, authority).await,
            AcmeCall::Order { replaces } => self.place(orders, line, authority, *replaces).await,
            AcmeCall::Look => self.look(orders, line, authority).await,
            AcmeCall::Prove { turn } => self.prove(orders, line, authority, *turn).await,
            AcmeCall::Finalize => self.finalize(orders, line, authority).await,
            AcmeCall::Fetch => self.fetch(orders, line, authority).await,
            AcmeCall::Revoke { reason } => self.revoke(orders, line, authority, *reason).await,
        };
        answer.unwrap_or_else(|mut failure| {
            let noted = transport.noted();
            if noted.status >= 400 && failure.retry_after_s.is_none() {
                failure.retry_after_s = noted.retry_after_s;
            }
            if noted.status == 429 {
                failure.kind = FailureKind::Limited;
            }
            AcmeAnswer::Failed(failure)
        })
    }

    /// Close all challenges, and remove records that were set for them.
    pub(super) async fn close_challenges(&mut self) {
        self.challenges.close();
        let Some(command) = self.settings.dns_hook.clone() else { return };
        for set in std::mem::take(&mut self.set) {
            if let Err(why) = hook::run(&command, "cleanup", &set).await {
                tracing::warn!("{}: {why}", set.name);
            }
        }
    }

    async fn register(&mut self, orders: &Orders, authority: u8) -> Called<AcmeAnswer> {
        let (at, settings) = (usize::from(authority), &self.settings.authorities[usize::from(authority)]);
        let stored = orders.account(authority).ok_or_else(|| refused("no key of the account is stored"))?;
        let builder = || Account::builder_with_http(Box::new(self.open[at].transport.clone()));
        let contact: Vec<&str> = settings.contact.iter().map(String::as_str).collect();
        let (account, key_pem) = match &settings.binding {
            // The library binds only keys that it makes itself.
            Some(binding) => {
                let key = ExternalAccountKey::new(binding.kid.clone(), &binding.key);
                let wanted =
                    NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
                let made = exchange!(builder().create(&wanted, settings.directory.clone(), Some(&key)));
                let (account, credentials) = made.map_err(|error| failure(&error))?;
                let key = NewKey::from_der(credentials.private_key().secret_pkcs8_der());
                (account, Some(key.map_err(|fault| refused(fault.to_string()))?.pem()))
            }
            None => {
                let der = pkcs8(&stored.key_pem)?;
                let directory = &settings.directory;
                let made = exchange!(async {
                    let key = Key::from_pkcs8_der(der.clone_key())?;
                    builder().create_from_key((key, PrivateKeyDer::Pkcs8(der.clone_key())), directory.clone()).await
                });
                let (account, credentials) = made.map_err(|error| failure(&error))?;
                drop(credentials);
                if !contact.is_empty() {
                    exchange!(account.update_contacts(&contact)).map_err(|error| failure(&error))?;
                }
                (account, None)
            }
        };
        let url = account.id().to_owned();
        self.open[at].account = Some(account);
        Ok(AcmeAnswer::Registered { url, key_pem })
    }

    /// The account, opened once.
    async fn account(&mut self, orders: &Orders, authority: u8) -> Called<Account> {
        let at = usize::from(authority);
        let stored = orders.account(authority).ok_or_else(|| refused("there is no account"))?;
        if let Some(account) = self.open[at].account.as_ref().filter(|account| account.id() == &*stored.url) {
            return Ok(account.clone());
        }
        let builder = Account::builder_with_http(Box::new(self.open[at].transport.clone()));
        let (id, directory) = (stored.url.to_string(), stored.directory.to_string());
        let opened = builder.from_parts(id, pkcs8(&stored.key_pem)?, directory).await;
        let account = opened.map_err(|error| failure(&error))?;
        self.open[at].account = Some(account.clone());
        Ok(account)
    }

    async fn window(&mut self, orders: &Orders, line: &OrderLine, authority: u8) -> Called<AcmeAnswer> {
        let account = self.account(orders, authority).await?;
        let held = line.current.as_ref().ok_or_else(|| refused("there is no certificate"))?;
        let id = certificate_id(&held.certificate)?;
        let (info, again) = account.renewal_info(&id).await.map_err(|error| failure(&error))?;
        let seconds = |at: i64| u64::try_from(at).unwrap_or(0);
        Ok(AcmeAnswer::Window {
            start_s: seconds(info.suggested_window.start.unix_timestamp()),
            end_s: seconds(info.suggested_window.end.unix_timestamp()),
            again_s: again.as_secs(),
        })
    }

    async fn revoke(&mut self, orders: &Orders, line: &OrderLine, authority: u8, reason: u8) -> Called<AcmeAnswer> {
        let account = self.account(orders, authority).await?;
        let held = line.current.as_ref().ok_or_else(|| refused("there is no certificate"))?;
        let certificate = CertificateDer::from_pem_slice(held.certificate.chain_pem.as_bytes())
            .map_err(|_| refused("the stored certificate is damaged"))?;
        let reason = match reason {
            1 => Some(RevocationReason::KeyCompromise),
            4 => Some(RevocationReason::Superseded),
            5 => Some(RevocationReason::CessationOfOperation),
            _ => None,
        };
        let request = RevocationRequest { certificate: &certificate, reason };
        exchange!(account.revoke(&request)).map_err(|error| failure(&error))?;
        Ok(AcmeAnswer::Revoked)
    }
}

async fn make_key(kind: KeyKind) -> Called<AcmeAnswer> {
    let made = tokio::task::spawn_blocking(move || NewKey::make(kind).map(|key| key.pem())).await;
    let made: Result<Zeroizing<String>, String> = match made {
        Ok(made) => made.map_err(|fault| fault.to_string()),
        Err(_) => Err("making a key failed inside the server".to_owned()),
    };
    made.map(AcmeAnswer::Key).map_err(refused)
}

/// What names a certificate towards its authority (RFC 9773, 4.1).
fn certificate_id(certificate: &ServedCertificate) -> Called<CertificateIdentifier<'static>> {
    let identity = identity(certificate, now_s()).map_err(refused)?;
    let id = identity.renewal_id().ok_or_else(|| refused("the certificate does not name the key of its authority"))?;
    let (authority_key, serial) = (Der::from_slice(&id.authority_key), Der::from_slice(&id.serial));
    Ok(CertificateIdentifier::new(authority_key, serial).into_owned())
}
