//! What an export holds, record by record. No secret is among it: no hash, no token, no digest.

use std::ops::ControlFlow;

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::{
    AccountState, Actor, AuditEntry, AuditFace, AuditKey, AuditOutcome, ClientKind, ClientRecord, Consent, Device,
    DeviceKey, Event, Grain, Grant, Invite, Org, OrgId, PersonSession, Record, RoleRecord, SessionKind, ShareRecord,
    TemplateRecord, User,
};
use linchpin_storage::{ExportFormat, ExportQuery, Granularity, Source, Store, TimeFormat, Zone};
use serde_json::{Value, json};

use super::archive::ArchiveSink;
use crate::access::{Permissions, PersonRef};
use crate::audit::{AuditAction, ObjectKind};
use crate::command::call::RowCall;
use crate::command::sheet::sheet_of;
use crate::loader::Loader;
use crate::{CommandError, limits};

/// What an export is gathered with.
pub(super) struct Gatherer<'a> {
    pub(super) loader: &'a Loader,
    pub(super) store: &'a Store,
    pub(super) sink: &'a ArchiveSink,
    pub(super) call: &'a RowCall,
}

/// A file that may become long: it is written in parts.
struct Parts<'a> {
    sink: &'a ArchiveSink,
    name: String,
    kind: &'static str,
    /// The first line of every part.
    head: &'static str,
    text: String,
    number: u32,
}

impl<'a> Parts<'a> {
    fn new(sink: &'a ArchiveSink, name: impl Into<String>, kind: &'static str, head: &'static str) -> Self {
        Self { sink, name: name.into(), kind, head, text: String::new(), number: 0 }
    }

    fn push(&mut self, text: &str) -> Result<(), CommandError> {
        if self.text.is_empty() {
            self.text.push_str(self.head);
        }
        self.text.push_str(text);
        if self.text.len() >= limits::EXPORT_FILE_BYTES { self.flush() } else { Ok(()) }
    }

    fn line(&mut self, value: &Value) -> Result<(), CommandError> {
        self.push(&format!("{value}\n"))
    }

    fn flush(&mut self) -> Result<(), CommandError> {
        if self.text.is_empty() {
            return Ok(());
        }
        self.number += 1;
        let name = format!("{}-{:04}.{}", self.name, self.number, self.kind);
        self.sink.file(&name, &std::mem::take(&mut self.text))
    }
}

const CSV_HEAD: &str = "time,pin,value\r\n";

fn permission_names(bits: u64) -> Vec<&'static str> {
    Permissions::from_bits(bits).iter().map(|permission| permission.name()).collect()
}

fn person_value(org: OrgId, number: u32, user: &User) -> Value {
    let account = linchpin_storage::schema::Account::parse(&user.account).unwrap_or_default();
    json!({
        "org": org.get(),
        "id": number,
        "email": user.email,
        "name": user.name,
        "created_ms": user.created_ms,
        "state": match account.state {
            AccountState::Pending => "pending",
            AccountState::Active => "active",
            AccountState::Suspended => "suspended",
        },
        "email_verified_ms": account.verified_ms,
        "password_set_ms": account.password_ms,
        "second_factor": account.has_factor(),
        "locale": account.locale,
        "identities": account.links.iter().map(|link| json!({"issuer": link.issuer, "subject": link.subject})).collect::<Vec<_>>(),
    })
}

fn session_value(session: u64, record: &PersonSession) -> Value {
    json!({
        "id": format!("{session:016x}"),
        "kind": match record.kind {
            SessionKind::Browser => "browser",
            SessionKind::Live => "live",
            SessionKind::Refresh => "refresh",
        },
        "agent": record.agent,
        "made_ms": record.made_ms,
        "seen_ms": record.seen_ms,
        "until_ms": record.until_ms,
    })
}

fn client_value(number: u32, client: &ClientRecord) -> Value {
    json!({
        "id": number,
        "kind": match client.kind {
            ClientKind::ApiKey => "key",
            ClientKind::OAuth => "oauth",
            ClientKind::Personal => "personal",
        },
        "name": client.name,
        "own": permission_names(client.own),
        "org": permission_names(client.org),
        "made_ms": client.made_ms,
        "used_ms": client.used_ms,
        "used_from": client.used_from,
        "until_ms": client.until_ms,
    })
}

fn device_value(key: &DeviceKey, device: &Device) -> Value {
    json!({
        "org": key.org().get(),
        "id": key.device().get(),
        "name": device.name,
        "template": device.template.as_ref().map(|id| id.as_str().to_owned()),
        "created_ms": device.created_ms,
        "owner": device.owner.map(|(home, user)| json!({"org": home.get(), "id": user})),
        "tags": device.tags,
    })
}

fn event_value(at_ms: u64, event: &Event) -> Value {
    json!({"at_ms": at_ms, "code": event.code, "description": event.description})
}

fn actor_value(actor: Actor) -> Value {
    match actor {
        Actor::System => json!("server"),
        Actor::Operator => json!("operator"),
        Actor::Person(org, user) => json!({"person": user, "org": org.get()}),
        Actor::Key(org, key) => json!({"key": key, "org": org.get()}),
        Actor::Device(org, device) => json!({"device": device, "org": org.get()}),
        Actor::Nobody => json!("nobody"),
    }
}

fn audit_value(key: &AuditKey, entry: &AuditEntry, face: Option<&AuditFace>) -> Value {
    let changes = face.map(|face| face.changes.iter().map(|(field, old, new)| json!([field, old, new])).collect());
    json!({
        "org": key.org().get(),
        "number": key.number(),
        "at_ms": entry.at_ms,
        "actor": actor_value(entry.actor),
        "action": AuditAction::of_number(entry.action).map_or("unknown", AuditAction::name),
        "object": {
            "kind": ObjectKind::of_number(entry.object.kind).map_or("unknown", ObjectKind::name),
            "id": entry.object.number,
            "name": face.map(|face| face.object.clone()).unwrap_or_default(),
        },
        "outcome": if entry.outcome == AuditOutcome::Refused { "refused" } else { "done" },
        "address": face.map(|face| face.address.clone()).unwrap_or_default(),
        "agent": face.map(|face| face.agent.clone()).unwrap_or_default(),
        "changes": Value::Array(changes.unwrap_or_default()),
    })
}

impl Gatherer<'_> {
    /// A line for each record of an organization that `line` makes one of.
    fn lines<R: Record>(
        &self,
        org: OrgId,
        name: &str,
        mut line: impl FnMut(&R::Key, &R) -> Option<Value>,
    ) -> Result<(), CommandError> {
        let mut parts = Parts::new(self.sink, name, "jsonl", "");
        let mut broken = None;
        self.store.scan_org::<R>(org, |key, record| {
            match line(&key, &record).map_or(Ok(()), |line| parts.line(&line)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    broken = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        broken.map_or_else(|| parts.flush(), Err)
    }

    /// The entries of an organization's audit log that `wanted` names, with their faces.
    fn audit(&self, org: OrgId, name: &str, wanted: impl Fn(&AuditEntry) -> bool) -> Result<(), CommandError> {
        self.lines::<AuditEntry>(org, name, |key, entry| {
            let face = wanted(entry).then(|| self.store.get::<AuditFace>(key).ok().flatten())?;
            Some(audit_value(key, entry, face.as_ref()))
        })
    }

    /// What a device reported: latest values, history, events.
    fn device(&self, key: DeviceKey) -> Result<(), CommandError> {
        let latest = self.store.latest(key)?;
        let pins: Vec<Pin> = latest.values.keys().copied().collect();
        let values: Vec<Value> = latest
            .values
            .iter()
            .map(|(pin, value)| {
                let text = String::from_utf8_lossy(&value.value);
                json!({"pin": pin.to_string(), "value": text.split('\0').collect::<Vec<_>>(), "at_ms": value.at_ms})
            })
            .collect();
        let folder = format!("devices/{}", key.device().get());
        self.sink.json(&format!("{folder}/values.json"), &Value::Array(values))?;
        for (name, granularity) in [("history", Granularity::Raw), ("hours", Granularity::Rows(Grain::Hour))] {
            let query = ExportQuery {
                key,
                pins: pins.clone(),
                from_ms: 0,
                to_ms: self.call.now_ms(),
                granularity,
                source: Source::Average,
                format: ExportFormat::Csv,
                time: TimeFormat::Ms,
                zone: Zone::UTC,
                events: false,
            };
            let mut parts = Parts::new(self.sink, format!("{folder}/{name}"), "csv", CSV_HEAD);
            for piece in self.store.export(query)? {
                let piece = String::from_utf8_lossy(&piece?).into_owned();
                let lines = piece.strip_prefix(CSV_HEAD).unwrap_or(&piece);
                if !lines.is_empty() {
                    parts.push(lines)?;
                }
            }
            parts.flush()?;
        }
        let mut parts = Parts::new(self.sink, format!("{folder}/events"), "jsonl", "");
        let mut broken = None;
        self.store.scan_device::<Event>(key, |key, event| match parts.line(&event_value(key.at_ms, &event)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
        })?;
        broken.map_or_else(|| parts.flush(), Err)
    }
}

/// Everything of one person.
pub(super) fn of_person(from: &Gatherer<'_>, id: PersonRef) -> Result<(), CommandError> {
    let Gatherer { loader, store, sink, .. } = *from;
    let person = loader.myself(id)?;
    sink.json("profile.json", &person_value(id.0, id.1, &person.user))?;
    let memberships: Vec<Value> = {
        let directory = loader.directory();
        let one = |member: crate::access::Membership| {
            json!({
                "org": member.org.get(),
                "org_name": directory.tree.get(member.org).map(|node| node.name.clone()).unwrap_or_default(),
                "role": member.role,
                "role_name": directory.role_name(member.org, member.role).unwrap_or_default(),
                "below": member.below,
                "until_ms": member.until_ms,
            })
        };
        directory.memberships(id).into_iter().map(one).collect()
    };
    sink.json("memberships.json", &Value::Array(memberships))?;
    let sessions = loader.sessions_of(id)?;
    let sessions = sessions.iter().map(|line| session_value(line.session, &line.record)).collect();
    sink.json("sessions.json", &Value::Array(sessions))?;
    let keys = loader.personal_keys(id)?.iter().map(|(number, client)| client_value(*number, client)).collect();
    sink.json("keys.json", &Value::Array(keys))?;
    let mut consents = Vec::new();
    store.scan_numbered::<Consent>(id.0, id.1, |key, consent| {
        consents.push(json!({
            "purpose": key.purpose(),
            "at_ms": key.at_ms(),
            "version": consent.version,
            "given": consent.given,
            "source": consent.source,
        }));
        ControlFlow::Continue(())
    })?;
    sink.json("consents.json", &Value::Array(consents))?;
    let (mut owned, mut lines) = (Vec::new(), Vec::new());
    store.scan::<Device>(|key, device| {
        if device.owner == Some(id) {
            lines.push(device_value(&key, &device));
            owned.push(key);
        }
        ControlFlow::Continue(())
    })?;
    sink.json("devices.json", &Value::Array(lines))?;
    let orgs = loader.directory().tree.below(OrgId::FIRST);
    let is_theirs = |entry: &AuditEntry| matches!(entry.actor, Actor::Person(_, user) if user == id.1);
    for org in orgs {
        from.audit(org, &format!("audit-{}", org.get()), is_theirs)?;
    }
    owned.into_iter().try_for_each(|key| from.device(key))
}

/// Everything of one organization.
pub(super) fn of_org(from: &Gatherer<'_>, org: OrgId) -> Result<(), CommandError> {
    let record = from.store.get::<Org>(&org)?.ok_or(crate::loader::LoaderFault::Missing)?;
    from.sink.json(
        "organization.json",
        &json!({
            "id": org.get(),
            "name": record.name,
            "parent": record.parent.map(OrgId::get),
            "time_zone": record.time_zone,
            "locale": record.locale,
        }),
    )?;
    from.lines::<User>(org, "people", |key, user| Some(person_value(key.org(), key.user(), user)))?;
    from.lines::<Grant>(org, "memberships", |key, grant| {
        Some(json!({
            "home": key.user_org().get(),
            "id": key.user(),
            "role": grant.role,
            "below": grant.below,
            "until_ms": grant.until_ms,
        }))
    })?;
    from.lines::<RoleRecord>(org, "roles", |key, role| {
        Some(json!({
            "id": key.role(),
            "name": role.name,
            "own": permission_names(role.own),
            "org": permission_names(role.org),
        }))
    })?;
    from.lines::<PersonSession>(org, "sessions", |key, record| {
        let mut value = session_value(key.session(), record);
        value["user"] = json!(key.user());
        Some(value)
    })?;
    from.lines::<Invite>(org, "invitations", |key, invite| {
        Some(json!({
            "id": key.number(),
            "email": invite.email,
            "role": invite.role,
            "made_ms": invite.made_ms,
            "until_ms": invite.until_ms,
        }))
    })?;
    from.lines::<ClientRecord>(org, "keys", |key, client| Some(client_value(key.client(), client)))?;
    from.lines::<TemplateRecord>(org, "templates", |_, record| serde_json::to_value(sheet_of(org, record)).ok())?;
    let mut devices = Vec::new();
    from.lines::<Device>(org, "devices", |key, device| {
        devices.push(*key);
        Some(device_value(key, device))
    })?;
    from.lines::<ShareRecord>(org, "shares", |key, share| {
        Some(json!({
            "device": key.device().get(),
            "home": key.user_org().get(),
            "id": key.user(),
            "permissions": permission_names(share.bits),
            "until_ms": share.until_ms,
        }))
    })?;
    from.audit(org, "audit", |_| true)?;
    devices.into_iter().try_for_each(|key| from.device(key))
}
