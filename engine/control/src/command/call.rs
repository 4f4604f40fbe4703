//! Who calls, and from where: what every row is run with.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use linchpin_storage::schema::{Actor, OrgId};

use super::needs::Needs;
use crate::access::role::Giver;
use crate::access::scope::check;
use crate::access::{Directory, Permission, PersonRef, Right, Scope, ScopeReach};
use crate::account::{GivenSecret, LiveSession};
use crate::audit::{AuditAction, By, Note, ObjectKind};
use crate::loader::{Asker, Loader, LoaderFault};
use crate::{Code, CommandError, clock};

/// Who calls.
#[derive(Debug)]
pub(crate) enum RowCaller {
    /// The operator: at the admin socket, or with the store in hand.
    Operator,
    /// Somebody who has not said who they are.
    Stranger,
    /// Somebody with a session or a key.
    Known(Box<KnownCaller>),
}

/// Somebody with a session or a key.
#[derive(Debug)]
pub(crate) struct KnownCaller {
    /// What they may do.
    pub(crate) asker: Asker,
    /// Their session; `None`: a key or an access token.
    pub(crate) session: Option<(GivenSecret, Arc<LiveSession>)>,
}

/// Where a call came from, and what came with it besides its parameters.
#[derive(Clone, Debug)]
pub(crate) struct CallOrigin {
    /// The address.
    pub(crate) address: IpAddr,
    /// What kind of program; may be empty.
    pub(crate) agent: Box<str>,
    /// Its number; 0: none.
    pub(crate) request: u64,
    /// It came over TLS.
    pub(crate) over_tls: bool,
    /// The port that its browser knows: names of cookies end with it where TLS does not keep them apart.
    pub(crate) port: u16,
    /// The token in the session's cookie, whether it is good or not.
    pub(crate) session: Option<GivenSecret>,
    /// The mark of a known browser.
    pub(crate) known: Option<Box<str>>,
    /// What binds a sign-in elsewhere to this browser.
    pub(crate) oidc: Option<Box<str>>,
    /// Does a browser go there with its page, by `Sec-Fetch-Mode`? Then people see the answer.
    pub(crate) is_page: bool,
    /// `If-Match`.
    pub(crate) if_match: Option<Box<str>>,
    /// Name and secret of HTTP's `Basic`, as OAuth clients send them.
    pub(crate) basic: Option<(Box<str>, GivenSecret)>,
}

impl Default for CallOrigin {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            agent: Box::default(),
            request: 0,
            over_tls: false,
            port: 80,
            session: None,
            known: None,
            oidc: None,
            is_page: false,
            if_match: None,
            basic: None,
        }
    }
}

impl CallOrigin {
    /// The name of the session's cookie: browsers keep `__Host-` ones to this host and to TLS; cookies know no ports.
    pub(crate) fn session_cookie(&self) -> String {
        if self.over_tls { "__Host-session".to_owned() } else { format!("linchpin-session-{}", self.port) }
    }

    /// The name of the cookie that marks a known browser.
    pub(crate) fn known_cookie(&self) -> String {
        if self.over_tls { "__Host-known".to_owned() } else { format!("linchpin-known-{}", self.port) }
    }

    /// The name of the cookie that binds a sign-in at another server to this browser.
    pub(crate) fn oidc_cookie(&self) -> String {
        if self.over_tls { "__Host-oidc".to_owned() } else { format!("linchpin-oidc-{}", self.port) }
    }

    /// As [`CallOrigin::cookie`], but the browser sends it too when another site leads it here.
    pub(crate) fn lax_cookie(&self, name: &str, value: Option<&str>, seconds: u64) -> String {
        self.cookie(name, value, seconds).replace("SameSite=Strict", "SameSite=Lax")
    }

    /// A `Set-Cookie` that page scripts do not see and other sites do not send. `None`: the browser forgets it.
    pub(crate) fn cookie(&self, name: &str, value: Option<&str>, seconds: u64) -> String {
        let (value, seconds) = value.map_or(("", 0), |value| (value, seconds));
        let secure = if self.over_tls { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    }
}

/// What an answer has besides its JSON. At the admin socket it is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// Another status than 200 (204 without an answer).
    pub(crate) status: Option<u16>,
    /// Version of what was answered.
    pub(crate) etag: Option<String>,
    /// `Set-Cookie`, a line each.
    pub(crate) cookies: Vec<String>,
    /// What pages send in `X-Linchpin-Csrf` from now on.
    pub(crate) csrf: Option<String>,
    /// Where the browser is led.
    pub(crate) location: Option<String>,
    /// What follows is a file of this name.
    pub(crate) file_name: Option<String>,
    /// What follows is no JSON but of this media type; each item is a text.
    pub(crate) media: Option<&'static str>,
}

/// One call of a row.
#[derive(Debug)]
pub(crate) struct RowCall {
    caller: RowCaller,
    origin: CallOrigin,
    now_ms: u64,
    needs: Needs,
    loader: Option<Arc<Loader>>,
    extras: Mutex<Extras>,
}

impl RowCall {
    /// Of an operator, of a row that needs this.
    pub(crate) fn operator(loader: Option<Arc<Loader>>, needs: Needs) -> Self {
        Self::new(RowCaller::Operator, CallOrigin::default(), loader, needs)
    }

    /// Of somebody who comes over HTTP.
    pub(crate) fn new(caller: RowCaller, origin: CallOrigin, loader: Option<Arc<Loader>>, needs: Needs) -> Self {
        Self { caller, origin, now_ms: clock::now_ms(), needs, loader, extras: Mutex::default() }
    }

    /// Who calls.
    pub(crate) const fn caller(&self) -> &RowCaller {
        &self.caller
    }

    /// Where from.
    pub(crate) const fn origin(&self) -> &CallOrigin {
        &self.origin
    }

    /// When, ms since 1970.
    pub(crate) const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The way to the records of people.
    ///
    /// # Errors
    /// The server has no store, or one that was not upgraded.
    pub(crate) fn loader(&self) -> Result<&Arc<Loader>, CommandError> {
        let text = "this server holds no people: it has no store, or `linchpin upgrade finalize` has not run";
        self.loader.as_ref().ok_or_else(|| CommandError::new(Code::Refused, text))
    }

    /// Let the caller do `P` in an organization: the only way to its records. What the row declares is what it may ask for.
    ///
    /// # Errors
    /// They may not; for whoever has no business there it does not exist. A refusal is written down.
    pub(crate) fn scope<P: Right>(&self, org: OrgId) -> Result<Scope<P>, CommandError> {
        let declared = matches!(self.needs, Needs::In(all) if all.contains(&P::PERMISSION));
        if !declared {
            tracing::error!(permission = P::PERMISSION.name(), "a command asked for what its row does not declare");
            return Err(CommandError::new(Code::Failed, "the command failed inside the server: see its log"));
        }
        let loader = self.loader()?;
        match &self.caller {
            RowCaller::Operator if loader.directory().tree.get(org).is_some() => Ok(Scope::operator(org)),
            RowCaller::Operator => Err(CommandError::no_such_org(org)),
            RowCaller::Stranger => Err(CommandError::new(Code::SignInFirst, "sign in first")),
            RowCaller::Known(known) => loader.admit(&known.asker, org, self.now_ms).map_err(|denial| {
                // Under a view the role is refused. It is an attempt of the person only if their own eyes may not see it either.
                let is_theirs = || match known.asker.standing.own_eyes() {
                    Some(own) => check(&own, org, &loader.directory().tree, P::PERMISSION, self.now_ms)
                        .is_err_and(|denial| denial.status() == 403),
                    None => true,
                };
                if denial.status() == 403 && is_theirs() {
                    let note = Note::new(AuditAction::Denied, ObjectKind::Org, org.get(), P::PERMISSION.name());
                    if let Err(error) = loader.ledger().refuse(self.by(), org, note, self.now_ms) {
                        tracing::error!(%error, "a refusal was not written down");
                    }
                }
                denial.into()
            }),
        }
    }

    /// The same without a word to the audit log, for what is shown besides: `None`: they may not.
    pub(crate) fn scope_if<P: Right>(&self, org: OrgId) -> Option<Scope<P>> {
        if !matches!(self.needs, Needs::In(all) if all.contains(&P::PERMISSION)) {
            return None;
        }
        let loader = self.loader().ok()?;
        match &self.caller {
            RowCaller::Operator => loader.directory().tree.get(org).map(|_| Scope::operator(org)),
            RowCaller::Stranger => None,
            RowCaller::Known(known) => loader.admit(&known.asker, org, self.now_ms).ok(),
        }
    }

    /// What the caller can hand on in an organization.
    ///
    /// # Errors
    /// See [`RowCall::loader`].
    pub(crate) fn giver(&self, org: OrgId) -> Result<Giver, CommandError> {
        Ok(match &self.caller {
            RowCaller::Known(known) => known.asker.standing.giver(&self.loader()?.directory().tree, org, self.now_ms),
            RowCaller::Operator => Giver::ALL,
            RowCaller::Stranger => Giver::NONE,
        })
    }

    /// Does the caller have this role, as the organization defines it?
    pub(crate) fn holds(&self, org: OrgId, role: u16) -> bool {
        matches!(&self.caller, RowCaller::Known(known) if known.asker.standing.holds(org, role))
    }

    /// Would the caller be admitted? For parts of an answer; what is read goes through [`RowCall::scope`].
    pub(crate) fn may_see(&self, org: OrgId, permission: Permission, directory: &Directory) -> bool {
        match &self.caller {
            RowCaller::Operator => true,
            RowCaller::Stranger => false,
            RowCaller::Known(known) => {
                let standing = &known.asker.standing;
                check(standing, org, &directory.tree, permission, self.now_ms) == Ok(ScopeReach::Org)
            }
        }
    }

    /// As the audit log has them.
    pub(crate) fn by(&self) -> By {
        match &self.caller {
            RowCaller::Operator => By::operator(),
            RowCaller::Known(known) => known.asker.by(),
            RowCaller::Stranger => By {
                actor: Actor::Nobody,
                address: self.origin.address.to_string().into(),
                agent: self.origin.agent.clone(),
                request: self.origin.request,
            },
        }
    }

    /// Who they are with their session, for what is their own.
    ///
    /// # Errors
    /// An operator or a key is nobody's self.
    pub(crate) fn session(&self) -> Result<(&Asker, &GivenSecret, &Arc<LiveSession>), CommandError> {
        match &self.caller {
            RowCaller::Known(known) => known.session.as_ref().map(|(token, live)| (&known.asker, token, live)),
            _ => None,
        }
        .ok_or_else(|| CommandError::new(Code::Refused, "this is for people who are signed in"))
    }

    /// Who they are, for what is their own.
    ///
    /// # Errors
    /// As [`RowCall::session`].
    pub(crate) fn myself(&self) -> Result<PersonRef, CommandError> {
        Ok(self.session()?.2.owner)
    }

    /// Must they give a second factor first?
    pub(crate) fn owes_factor(&self) -> bool {
        match (&self.caller, &self.loader) {
            (RowCaller::Known(known), Some(loader)) => known.asker.standing.owes_factor(&loader.directory().tree, None),
            _ => false,
        }
    }

    /// Change what the answer has besides its JSON.
    pub(crate) fn extras(&self, edit: impl FnOnce(&mut Extras)) {
        edit(&mut self.extras.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What the answer has besides its JSON.
    pub(crate) fn take_extras(&self) -> Extras {
        std::mem::take(&mut self.extras.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The `If-Match` must name this version, if there is one.
    ///
    /// # Errors
    /// [`Code::Outdated`].
    pub(crate) fn check_version(&self, etag: &str) -> Result<(), CommandError> {
        let Some(wanted) = &self.origin.if_match else { return Ok(()) };
        let is_named = |one: &str| one.trim() == "*" || one.trim() == etag;
        if wanted.split(',').any(is_named) {
            return Ok(());
        }
        Err(CommandError::new(Code::Outdated, format!("somebody else has changed it: it is {etag} now, not {wanted}")))
    }
}

/// Parameters that name an organization.
///
/// # Errors
/// 0 is none.
pub(crate) fn org_of(number: u32) -> Result<OrgId, CommandError> {
    OrgId::new(number).ok_or_else(|| LoaderFault::Missing.into())
}
