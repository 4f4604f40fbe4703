//! Devices: made, changed, shown, given another token, shared.

use std::ops::ControlFlow;

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId, Token};
use linchpin_storage::schema::{Actor, Counter, CounterName, Device, DeviceKey, IndexEntry, ShareKey, ShareRecord};

use super::name::{check_name, name_fits};
use super::{Loader, LoaderFault, by_of};
use crate::access::role::Giver;
use crate::access::{Denial, Permission, Permissions, PersonRef, Right, RoleSets, Scope, ScopeReach, right};
use crate::audit::{AuditAction, By, Note, ObjectKind};
use crate::limits;

/// What may be changed of a device; `None`: it stays.
#[derive(Clone, Debug, Default)]
pub struct DeviceEdit {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Its template; it must be one that the organization sees.
    pub template: Option<Option<TemplateId>>,
    /// Who owns it.
    pub owner: Option<Option<PersonRef>>,
    /// Its tags.
    pub tags: Option<Vec<Box<str>>>,
}

/// A token that took the place of another.
#[derive(Clone, Debug)]
pub struct ReplacedToken {
    /// What opens nothing any more.
    pub old: Token,
    /// The device as it is now, with its new token.
    pub device: Device,
}

/// A device that is shared with somebody.
#[derive(Clone, Debug)]
pub struct DeviceShare {
    /// With whom.
    pub person: PersonRef,
    /// What they may do.
    pub permissions: Permissions,
    /// Until when, ms since 1970; 0: for ever.
    pub until_ms: u64,
}

/// Tags in order, each once.
///
/// # Errors
/// [`LoaderFault::Field`].
pub(super) fn tags_of(tags: Vec<Box<str>>) -> Result<Vec<Box<str>>, LoaderFault> {
    let (most, longest) = (linchpin_storage::limits::DEVICE_TAGS, limits::TAG_BYTES);
    let mut tags: Vec<Box<str>> = tags.into_iter().map(|tag| tag.trim().into()).collect();
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > most || tags.iter().any(|tag| tag.contains(',')) {
        return Err(LoaderFault::field("tags", format!("at most {most}, none with a comma")));
    }
    for tag in &tags {
        check_name(tag, 1..=longest).map_err(|expected| LoaderFault::field("tags", expected))?;
    }
    Ok(tags)
}

fn actor_of<P: Right>(scope: &Scope<P>) -> Option<PersonRef> {
    match scope.actor() {
        Actor::Person(home, user) => Some((home, user)),
        _ => None,
    }
}

impl Loader {
    /// A device as far as the scope reaches: of its organization, and for whoever has only what is their own, one that they
    /// own or that is shared with them for this. All else is missing.
    pub(super) fn held<P: Right>(
        &self,
        scope: &Scope<P>,
        device: DeviceId,
        now_ms: u64,
    ) -> Result<(DeviceKey, Device), LoaderFault> {
        let key = DeviceKey::new(scope.org(), device);
        let record = self.store.get::<Device>(&key)?.ok_or(LoaderFault::Missing)?;
        if let ScopeReach::Own(home, user) = scope.reach()
            && record.owner != Some((home, user))
        {
            let share = self.store.get::<ShareRecord>(&ShareKey::new(scope.org(), device, home, user))?;
            let counts = |share: &ShareRecord| {
                (share.until_ms == 0 || now_ms < share.until_ms)
                    && Permissions::from_bits(share.bits).has(P::PERMISSION)
            };
            share.filter(counts).ok_or(LoaderFault::Missing)?;
        }
        Ok((key, record))
    }

    /// A device.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`]; the store cannot be read.
    pub fn device<P: Right>(&self, scope: &Scope<P>, device: DeviceId, now_ms: u64) -> Result<Device, LoaderFault> {
        self.held(scope, device, now_ms).map(|(_, record)| record)
    }

    /// All of these devices, or none.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`] for any of them; the store cannot be read.
    pub fn devices<P: Right>(
        &self,
        scope: &Scope<P>,
        devices: &[DeviceId],
        now_ms: u64,
    ) -> Result<Vec<Device>, LoaderFault> {
        devices.iter().map(|device| self.device(scope, *device, now_ms)).collect()
    }

    /// Store devices whose ids were reserved. Whoever may make only their own owns them.
    ///
    /// # Errors
    /// [`LoaderFault`]; of more than fit into one batch the first ones may be stored.
    pub fn create_devices(
        &self,
        scope: &Scope<right::DeviceCreate>,
        devices: &mut [(DeviceId, Device)],
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let org = scope.org();
        for (_, record) in devices.iter_mut() {
            name_fits(&record.name, 0..=limits::NAME_BYTES)?;
            record.tags = tags_of(std::mem::take(&mut record.tags))?;
            match scope.reach() {
                ScopeReach::Own(home, user) => record.owner = Some((home, user)),
                ScopeReach::Org => record.owner = record.owner.or_else(|| actor_of(scope)),
            }
        }
        for some in devices.chunks(limits::DEVICES_TOGETHER) {
            let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
            let (mut notes, last) = (Vec::new(), some.last().map_or(0, |(device, _)| device.get()));
            for (device, record) in some {
                let entry = IndexEntry { org, number: device.get() };
                change.batch.put(&DeviceKey::new(org, *device), record)?;
                change.batch.put_index(&self.store.token_digest(&record.token), &entry)?;
                notes.push(Note::new(AuditAction::DeviceCreate, ObjectKind::Device, device.get(), &record.name));
            }
            // Ids ascend and are never given out again.
            let next = self.store.get::<Counter>(&CounterName::Device)?.map_or(1, |counter| counter.0);
            change.batch.put(&CounterName::Device, &Counter(next.max(u64::from(last) + 1)))?;
            let Some(note) = notes.pop() else { continue };
            notes.into_iter().try_for_each(|note| change.note(org, note))?;
            change.commit(org, note)?;
        }
        Ok(())
    }

    /// Change a device; returns it as it was and as it is.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn edit_device(
        &self,
        scope: &Scope<right::DeviceEdit>,
        device: DeviceId,
        edit: DeviceEdit,
        now_ms: u64,
    ) -> Result<(Device, Device), LoaderFault> {
        edit.name.as_deref().map_or(Ok(()), |name| name_fits(name, 0..=limits::NAME_BYTES))?;
        let tags = edit.tags.map(tags_of).transpose()?;
        edit.owner.map_or(Ok(()), |owner| self.check_owner(scope, owner))?;
        let mut change = self.ledger.change(by_of(scope), &[scope.org()], now_ms);
        let (key, before) = self.held(scope, device, now_ms)?;
        let mut after = before.clone();
        after.name = edit.name.unwrap_or(after.name);
        after.template = edit.template.unwrap_or(after.template);
        after.owner = edit.owner.unwrap_or(after.owner);
        after.tags = tags.unwrap_or(after.tags);
        if after.template.is_some() {
            after.pending_until_ms = 0;
        }
        if after == before {
            return Ok((before, after));
        }
        change.batch.put(&key, &after)?;
        let template = |record: &Device| record.template.map_or("", |_| "set").to_owned();
        let named =
            |record: &Device| record.template.as_ref().map_or_else(|| template(record), |id| id.as_str().into());
        let owner = |record: &Device| record.owner.map_or_else(String::new, |(home, user)| format!("{home}/{user}"));
        let note = Note::new(AuditAction::DeviceEdit, ObjectKind::Device, device.get(), &before.name)
            .with("name", &before.name, &after.name)
            .with("template", named(&before), named(&after))
            .with("owner", owner(&before), owner(&after))
            .with("tags", before.tags.join(", "), after.tags.join(", "));
        change.commit(key.org(), note)?;
        Ok((before, after))
    }

    /// May devices of the organization be given to this person, or to nobody?
    ///
    /// # Errors
    /// [`LoaderFault`]: the caller may edit their own devices only, and gives none away; they have no role there.
    pub fn check_owner(&self, scope: &Scope<right::DeviceEdit>, owner: Option<PersonRef>) -> Result<(), LoaderFault> {
        if scope.reach() != ScopeReach::Org {
            return Err(Denial::Missing(Permission::DeviceTransfer).into());
        }
        owner.map_or(Ok(()), |owner| self.is_member(owner, scope.org()))
    }

    /// Owners are people who have a role in the organization.
    fn is_member(&self, person: PersonRef, org: OrgId) -> Result<(), LoaderFault> {
        let directory = self.directory();
        let reaches = directory
            .memberships(person)
            .into_iter()
            .any(|member| member.org == org || (member.below && directory.tree.is_within(org, member.org)));
        if reaches { Ok(()) } else { Err(LoaderFault::field("owner", "somebody with a role in this organization")) }
    }

    /// Write down that something was done to a device whose record does not change: its home did it, or its token was shown.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn note_device<P: Right>(
        &self,
        scope: &Scope<P>,
        device: DeviceId,
        (action, changes): (AuditAction, &[(&str, &str, &str)]),
        now_ms: u64,
    ) -> Result<Device, LoaderFault> {
        let change = self.ledger.change(by_of(scope), &[scope.org()], now_ms);
        let (key, record) = self.held(scope, device, now_ms)?;
        let note = Note::new(action, ObjectKind::Device, device.get(), &record.name);
        let note = changes.iter().fold(note, |note, (field, old, new)| note.with(field, old, new));
        change.commit(key.org(), note)?;
        Ok(record)
    }

    /// The token of a device, which is written down.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn reveal_token(
        &self,
        scope: &Scope<right::DeviceToken>,
        device: DeviceId,
        now_ms: u64,
    ) -> Result<Token, LoaderFault> {
        self.note_device(scope, device, (AuditAction::TokenReveal, &[]), now_ms).map(|record| record.token)
    }

    /// Give a device another token. The old one opens nothing from then on; shards must hear of it.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn replace_token(
        &self,
        scope: &Scope<right::DeviceToken>,
        device: DeviceId,
        now_ms: u64,
    ) -> Result<ReplacedToken, LoaderFault> {
        let mut seed = [0; 24];
        getrandom::fill(&mut seed)?;
        let mut change = self.ledger.change(by_of(scope), &[scope.org()], now_ms);
        let (key, before) = self.held(scope, device, now_ms)?;
        let full = LoaderFault::Full { what: "tokens of one device", limit: usize::from(u16::MAX) };
        let token_epoch = before.token_epoch.checked_add(1).ok_or(full)?;
        let after = Device { token: Token::from_random(&seed), token_epoch, ..before.clone() };
        let entry = IndexEntry { org: key.org(), number: device.get() };
        change.batch.put(&key, &after)?;
        change.batch.delete_index(&self.store.token_digest(&before.token))?;
        change.batch.put_index(&self.store.token_digest(&after.token), &entry)?;
        let note = Note::new(AuditAction::TokenReplace, ObjectKind::Device, device.get(), &after.name);
        change.commit(key.org(), note)?;
        Ok(ReplacedToken { old: before.token, device: after })
    }

    /// A device without template takes the one that its firmware names; it waits for its board no more. For the server itself.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub(crate) fn adopt_template(
        &self,
        org: OrgId,
        device: DeviceId,
        template: TemplateId,
        now_ms: u64,
    ) -> Result<Option<Device>, LoaderFault> {
        let mut change = self.ledger.change(By::system(), &[org], now_ms);
        let key = DeviceKey::new(org, device);
        let Some(before) = self.store.get::<Device>(&key)?.filter(|known| known.template.is_none()) else {
            return Ok(None);
        };
        let after = Device { template: Some(template), pending_until_ms: 0, ..before };
        change.batch.put(&key, &after)?;
        let note = Note::new(AuditAction::DeviceEdit, ObjectKind::Device, device.get(), &after.name);
        change.commit(org, note.with("template", "", template.as_str()))?;
        Ok(Some(after))
    }

    /// With whom a device is shared.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn shares(
        &self,
        scope: &Scope<right::DeviceEdit>,
        device: DeviceId,
        now_ms: u64,
    ) -> Result<Vec<DeviceShare>, LoaderFault> {
        let (key, _) = self.held(scope, device, now_ms)?;
        let mut found = Vec::new();
        self.store.scan_device::<ShareRecord>(key, |key, share| {
            let (person, permissions) = ((key.user_org(), key.user()), Permissions::from_bits(share.bits));
            found.push(DeviceShare { person, permissions, until_ms: share.until_ms });
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Share a device with somebody, or change what they may do with it.
    ///
    /// # Errors
    /// [`LoaderFault`]: more than the asker has.
    pub fn share_device(
        &self,
        scope: &Scope<right::DeviceEdit>,
        giver: &Giver,
        device: DeviceId,
        share: &DeviceShare,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let DeviceShare { person, permissions, until_ms } = *share;
        if !Permissions::OWNABLE.contains(permissions) || permissions.is_empty() {
            return Err(LoaderFault::field("permissions", "some of those that people have for their own devices"));
        }
        giver.may_make_key(RoleSets { own: permissions, org: Permissions::NONE })?;
        if self.directory().memberships(person).is_empty() {
            return Err(LoaderFault::field("user", "somebody who can sign in"));
        }
        let mut change = self.ledger.change(by_of(scope), &[scope.org()], now_ms);
        let (key, record) = self.held(scope, device, now_ms)?;
        if self.shares(scope, device, now_ms)?.len() >= limits::DEVICE_SHARES {
            return Err(LoaderFault::Full { what: "shares of a device", limit: limits::DEVICE_SHARES });
        }
        let place = ShareKey::new(key.org(), device, person.0, person.1);
        change.batch.put(&place, &ShareRecord { bits: permissions.bits(), until_ms })?;
        let names: Vec<&str> = permissions.iter().map(|permission| permission.name()).collect();
        let note = Note::new(AuditAction::ShareSet, ObjectKind::Device, device.get(), &record.name)
            .with("with", "", format!("{}/{}", person.0, person.1))
            .with("permissions", "", names.join(" "));
        Ok(change.commit(key.org(), note)?)
    }

    /// Share a device with somebody no more.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn unshare_device(
        &self,
        scope: &Scope<right::DeviceEdit>,
        device: DeviceId,
        person: PersonRef,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(by_of(scope), &[scope.org()], now_ms);
        let (key, record) = self.held(scope, device, now_ms)?;
        let place = ShareKey::new(key.org(), device, person.0, person.1);
        self.store.get::<ShareRecord>(&place)?.ok_or(LoaderFault::Missing)?;
        change.batch.delete::<ShareRecord>(&place)?;
        let note = Note::new(AuditAction::ShareRemove, ObjectKind::Device, device.get(), &record.name);
        Ok(change.commit(key.org(), note.with("with", format!("{}/{}", person.0, person.1), ""))?)
    }
}
