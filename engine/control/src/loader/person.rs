//! People and their accounts.

use linchpin_storage::schema::{Account, AccountState, CounterName, Grant, GrantKey, IndexEntry, OrgId, User, UserKey};
use ring::hmac;
use zeroize::Zeroizing;

use super::name::name_fits;
use super::{Loader, LoaderFault, by_of};
use crate::access::{PersonRef, Scope, right};
use crate::account::totp::{self, FactorFound};
use crate::account::{Changed, EmailAddress, Whose};
use crate::audit::{AuditAction, AuditedChange, By, Note, ObjectKind};
use crate::limits;
use crate::mail::MailKind;

/// A person as they are stored.
#[derive(Clone, Debug)]
pub struct Person {
    /// Home and number.
    pub id: PersonRef,
    /// Name, address, role.
    pub user: User,
    /// How they prove who they are.
    pub account: Account,
}

/// Somebody to be made.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Their address; nobody else has it.
    pub email: EmailAddress,
    /// For people; may be empty.
    pub name: Box<str>,
    /// Their role at home.
    pub role: u16,
    /// Does it reach the organizations below?
    pub below: bool,
    /// The text of their password's hash; empty: they cannot sign in yet.
    pub password: Zeroizing<String>,
}

/// What becomes of an account.
#[derive(Clone, Debug)]
pub enum AccountEdit {
    /// Another password, hashed.
    Password(Zeroizing<String>),
    /// The secret of a factor, to be confirmed by a code.
    FactorBegin(Zeroizing<Vec<u8>>),
    /// It was confirmed by the code of this step; with digests of recovery codes.
    FactorConfirm(u64, Vec<[u8; 32]>),
    /// No second factor any more.
    FactorRemove,
    /// Other recovery codes: their digests.
    Recovery(Vec<[u8; 32]>),
    /// May not sign in.
    Suspend,
    /// May sign in again.
    Resume,
}

/// Does the name of a person fit?
pub(super) fn person_name_fits(name: &str) -> Result<(), LoaderFault> {
    name_fits(name, 0..=linchpin_storage::limits::NAME_BYTES)
}

impl Loader {
    fn person_at(&self, (org, user): PersonRef) -> Result<Option<Person>, LoaderFault> {
        let Some(record) = self.store.get::<User>(&UserKey::new(org, user))? else { return Ok(None) };
        let account = Account::parse(&record.account).map_err(|_| LoaderFault::Missing)?;
        Ok(Some(Person { id: (org, user), user: record, account }))
    }

    /// The person of an address, for signing in. The record confirms what the index says.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn find_person(&self, email: &EmailAddress) -> Result<Option<Person>, LoaderFault> {
        let Some(entry) = self.store.lookup(&self.store.email_digest(email.expose()))? else { return Ok(None) };
        let person = self.person_at((entry.org, entry.number))?;
        Ok(person.filter(|person| person.user.email.eq_ignore_ascii_case(email.expose())))
    }

    /// The account behind a session: themselves.
    ///
    /// # Errors
    /// The store cannot be read; they were removed.
    pub fn myself(&self, id: PersonRef) -> Result<Person, LoaderFault> {
        self.person_at(id)?.ok_or(LoaderFault::Missing)
    }

    /// A member of the organization of the scope; others are missing.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`]; the store cannot be read.
    pub fn person(&self, scope: &Scope<right::UserView>, id: PersonRef) -> Result<Person, LoaderFault> {
        self.member(scope.org(), id)
    }

    /// The member of the organization of the scope with this address; others are missing.
    ///
    /// # Errors
    /// As [`Loader::person`].
    pub fn person_of(&self, scope: &Scope<right::UserView>, email: &EmailAddress) -> Result<Person, LoaderFault> {
        let person = self.find_person(email)?.ok_or(LoaderFault::Missing)?;
        self.directory().grant(person.id, scope.org()).ok_or(LoaderFault::Missing)?;
        Ok(person)
    }

    pub(super) fn member(&self, org: OrgId, id: PersonRef) -> Result<Person, LoaderFault> {
        self.directory().grant(id, org).ok_or(LoaderFault::Missing)?;
        self.person_at(id)?.ok_or(LoaderFault::Missing)
    }

    /// The members of the organization, in the order of their homes and numbers, behind one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn people(
        &self,
        scope: &Scope<right::UserView>,
        after: Option<PersonRef>,
        limit: usize,
    ) -> Result<Vec<(Person, Grant)>, LoaderFault> {
        let members = self.directory().members(scope.org());
        let behind = members.into_iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        let mut found = Vec::new();
        for (id, grant) in behind.take(limit.min(limits::PAGE)) {
            if let Some(person) = self.person_at(id)? {
                found.push((person, grant));
            }
        }
        Ok(found)
    }

    /// Make a person whose home is this organization. For invitations that are accepted, for the operator and for the
    /// first start: rights were looked at before.
    pub(super) fn add_person(
        &self,
        change: &mut AuditedChange<'_>,
        org: OrgId,
        new: &NewPerson,
    ) -> Result<PersonRef, LoaderFault> {
        person_name_fits(&new.name)?;
        let digest = self.store.email_digest(new.email.expose());
        if self.store.lookup(&digest)?.is_some() {
            return Err(LoaderFault::Conflict("somebody has this e-mail address already"));
        }
        let user = self.numbers.next(&self.store, CounterName::User)?;
        let state = if new.password.is_empty() { AccountState::Pending } else { AccountState::Active };
        let now_ms = change.now_ms();
        let account = Account {
            state,
            epoch: 1,
            password: new.password.clone(),
            password_ms: now_ms,
            verified_ms: now_ms,
            ..Account::default()
        };
        let record = User {
            email: new.email.expose().into(),
            name: new.name.clone(),
            role: new.role,
            created_ms: now_ms,
            account: account.to_bytes(),
        };
        let grant = Grant { role: new.role, below: new.below, until_ms: 0 };
        change.batch.put(&UserKey::new(org, user), &record)?;
        change.batch.put(&GrantKey::new(org, org, user), &grant)?;
        change.batch.put_index(&digest, &IndexEntry { org, number: user })?;
        Ok((org, user))
    }

    pub(super) fn person_added(&self, id: PersonRef, new: &NewPerson) {
        let grant = Grant { role: new.role, below: new.below, until_ms: 0 };
        self.change_directory(|directory| directory.put_grant(id, id.0, Some(grant)));
    }

    /// Make a person as the operator: `linchpin admin user create`, and the first one.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn create_person(&self, by: By, org: OrgId, new: &NewPerson, now_ms: u64) -> Result<PersonRef, LoaderFault> {
        self.directory().role(org, new.role).ok_or(LoaderFault::field("role", "a role of the organization"))?;
        self.directory().tree.get(org).ok_or(LoaderFault::Missing)?;
        // Two that are made at once in different organizations must not get one address: all wait for the first one.
        let mut change = self.ledger.change(by, &[OrgId::FIRST, org], now_ms);
        let id = self.add_person(&mut change, org, new)?;
        let note = Note::new(AuditAction::UserCreate, ObjectKind::User, id.1, &new.name).with("role", "", new.role);
        change.commit(org, note)?;
        self.person_added(id, new);
        Ok(id)
    }

    /// Change an account. What ends old rights (a password, a factor, a suspension) ends all sessions too: durable, then in
    /// memory, then answered.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn edit_account(&self, by: By, id: PersonRef, edit: AccountEdit, now_ms: u64) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let mut person = self.person_at(id)?.ok_or(LoaderFault::Missing)?;
        let account = &mut person.account;
        let (action, ends) = match edit {
            AccountEdit::Password(text) => {
                (account.password, account.password_ms) = (text, now_ms);
                if account.state == AccountState::Pending {
                    account.state = AccountState::Active;
                }
                (AuditAction::PasswordSet, true)
            }
            AccountEdit::FactorBegin(secret) => {
                if account.has_factor() {
                    return Err(LoaderFault::Conflict("there is a second factor already: remove it first"));
                }
                (account.totp, account.totp_step) = (secret, 0);
                (AuditAction::FactorSet, false)
            }
            AccountEdit::FactorConfirm(step, recovery) => {
                if account.totp.is_empty() || account.has_factor() {
                    return Err(LoaderFault::Conflict("there is no second factor that waits to be confirmed"));
                }
                (account.totp_confirmed, account.totp_step, account.recovery) = (true, step, recovery);
                (AuditAction::FactorSet, true)
            }
            AccountEdit::Recovery(digests) => {
                if !account.has_factor() {
                    return Err(LoaderFault::Conflict("there is no second factor that the codes could stand for"));
                }
                account.recovery = digests;
                (AuditAction::FactorSet, false)
            }
            AccountEdit::FactorRemove => {
                (account.totp, account.totp_confirmed, account.recovery) = (Zeroizing::default(), false, Vec::new());
                (AuditAction::FactorRemove, true)
            }
            AccountEdit::Suspend => {
                account.state = AccountState::Suspended;
                (AuditAction::UserSuspend, true)
            }
            AccountEdit::Resume => {
                account.state = if account.password.is_empty() { AccountState::Pending } else { AccountState::Active };
                (AuditAction::UserResume, false)
            }
        };
        account.epoch += u32::from(ends);
        person.user.account = person.account.to_bytes();
        change.batch.put(&UserKey::new(id.0, id.1), &person.user)?;
        if ends {
            self.delete_sessions(&mut change, id)?;
        }
        let notice = match action {
            AuditAction::PasswordSet => Some(MailKind::PasswordChanged),
            // A factor that waits for its code is none yet, and other recovery codes are the same factor.
            AuditAction::FactorSet | AuditAction::FactorRemove if ends => Some(MailKind::FactorChanged),
            _ => None,
        };
        if let Some(kind) = notice {
            self.post_notice(&mut change, &person, kind);
        }
        change.commit(id.0, Note::new(action, ObjectKind::User, id.1, &person.user.name))?;
        self.outbox.wake();
        if ends {
            self.sessions.end(Whose::Person(id.0, id.1));
        }
        self.epochs.bump(Changed::Person(id.0, id.1));
        Ok(())
    }

    /// Suspend a member whose home is this organization, or let them in again.
    ///
    /// # Errors
    /// [`LoaderFault`]: who may do more than the asker is not theirs to suspend.
    pub fn suspend_person(
        &self,
        scope: &Scope<right::UserSuspend>,
        giver: &crate::access::role::Giver,
        id: PersonRef,
        suspend: bool,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let person = self.member(scope.org(), id)?;
        if person.id.0 != scope.org() {
            return Err(LoaderFault::Conflict(
                "this person's home is another organization: end their membership instead",
            ));
        }
        self.may_touch_person(giver, scope.org(), id)?;
        let held = self.directory().memberships(id);
        if suspend && held.iter().any(|member| member.org == scope.org() && member.role == 1) {
            self.check_last_admin(scope.org(), id)?;
        }
        let edit = if suspend { AccountEdit::Suspend } else { AccountEdit::Resume };
        self.edit_account(by_of(scope), id, edit, now_ms)
    }

    /// Nobody touches who may do more than they may themselves.
    pub(super) fn may_touch_person(
        &self,
        giver: &crate::access::role::Giver,
        org: OrgId,
        id: PersonRef,
    ) -> Result<(), LoaderFault> {
        let held = self.directory().memberships(id);
        held.iter().filter(|member| member.org == org).try_for_each(|member| Ok(giver.may_touch(member.sets)?))
    }

    /// End all sessions of a member whose home is this organization.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn log_out(
        &self,
        scope: &Scope<right::UserSuspend>,
        giver: &crate::access::role::Giver,
        id: PersonRef,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        self.member_at_home(scope.org(), id)?;
        self.may_touch_person(giver, scope.org(), id)?;
        self.end_sessions(by_of(scope), id, now_ms).map(drop)
    }

    pub(super) fn check_last_admin(&self, org: OrgId, leaves: PersonRef) -> Result<(), LoaderFault> {
        let directory = self.directory();
        let is_admin = directory.grant(leaves, org).is_some_and(|grant| grant.role == 1 && grant.until_ms == 0);
        if is_admin && directory.admins(org) <= 1 { Err(crate::access::GiveRule::LastAdmin.into()) } else { Ok(()) }
    }

    /// Look at a code of the second factor and use it up: of two at once with the same code one gets through.
    ///
    /// # Errors
    /// The store cannot be written; `Ok(false)`: it is not right.
    pub fn take_factor(&self, by: By, id: PersonRef, text: &str, now_ms: u64) -> Result<bool, LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let mut person = self.person_at(id)?.ok_or(LoaderFault::Missing)?;
        if !person.account.has_factor() {
            return Ok(false);
        }
        let recovery = self.recovery_digest(id, text);
        let Some(found) = totp::check(&person.account, text, &recovery, now_ms) else { return Ok(false) };
        totp::take(&mut person.account, found);
        person.user.account = person.account.to_bytes();
        change.batch.put(&UserKey::new(id.0, id.1), &person.user)?;
        let what = if matches!(found, FactorFound::Recovery(_)) { "recovery code" } else { "code" };
        let note = Note::new(AuditAction::StepUp, ObjectKind::User, id.1, &person.user.name).with("by", "", what);
        change.commit(id.0, note)?;
        Ok(true)
    }

    /// The step of the first code of a factor that waits to be confirmed; `None`: it is wrong. [`AccountEdit::FactorConfirm`]
    /// takes it.
    ///
    /// # Errors
    /// [`LoaderFault::Conflict`]: none waits.
    pub fn first_code(&self, id: PersonRef, text: &str, now_ms: u64) -> Result<Option<u64>, LoaderFault> {
        let account = self.myself(id)?.account;
        if account.totp.is_empty() || account.totp_confirmed {
            return Err(LoaderFault::Conflict("there is no second factor that waits to be confirmed"));
        }
        // A recovery code cannot be right: there are none yet.
        let found = totp::check(&Account { recovery: Vec::new(), ..account }, text, &[0; 32], now_ms);
        Ok(match found {
            Some(FactorFound::Step(step)) => Some(step),
            _ => None,
        })
    }

    /// The digest under which a recovery code of a person is stored.
    pub(crate) fn recovery_digest(&self, id: PersonRef, text: &str) -> [u8; 32] {
        let folded = totp::folded(text);
        let whole = Zeroizing::new(format!("recovery {} {} {}", id.0, id.1, &*folded));
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.marking, whole.as_bytes()).as_ref());
        digest
    }
}
