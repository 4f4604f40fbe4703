//! Commands about devices.

use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_shard::{Command, DeviceRow, DeviceView, Push, Report, home_of};

use linchpin_storage::schema::Device;

use super::desk::Desk;
use super::request::{
    Delivered, DeviceAdd, DeviceFull, DeviceLine, DeviceList, DevicePush, DeviceShow, DeviceToken, DeviceWrite,
    EventLine, MadeDevice, PropertyLine, Pushed, ValueLine,
};
use crate::shards::Fact;
use crate::{Code, CommandError, Made, NewDevices, Registry, clock, limits};

pub(super) async fn list(desk: &Desk, asked: DeviceList) -> Result<Vec<DeviceLine>, CommandError> {
    let DeviceList { after, limit } = asked;
    let mut rows = Vec::new();
    for shard in desk.shards.all() {
        let ask = |request| Command::Devices { request, after, limit };
        if let Report::Devices(part) = desk.shards.ask(shard, ask).await? {
            rows.extend(part);
        }
    }
    rows.sort_by_key(|row| row.id);
    rows.truncate(limit as usize);
    let registry = desk.registry();
    Ok(rows.iter().map(|row| line(row, &registry)).collect())
}

pub(super) async fn show(desk: &Desk, asked: DeviceShow) -> Result<DeviceFull, CommandError> {
    let device = asked.device.0;
    let ask = |request| Command::Device { request, device };
    match desk.shards.ask(home_of(device, desk.shards.count()), ask).await? {
        Report::Device(view) => Ok(full(&view, &desk.registry())),
        _ => Err(CommandError::no_such_device(device)),
    }
}

/// Tokens are in the answer. Ids are reserved, the disk is written without a lock, and then the devices exist.
pub(super) async fn add(desk: &Desk, asked: DeviceAdd) -> Result<Vec<MadeDevice>, CommandError> {
    let DeviceAdd { count, org, template, name } = asked;
    let org = known_org(desk, org.map(|org| org.0)).await?;
    if !desk.desired.has_room(2 * count as usize) {
        let text = format!("{} changes wait for shards: try again in a moment", limits::UNACKNOWLEDGED);
        return Err(CommandError::new(Code::Busy, text));
    }
    let new = NewDevices { count, template: template.map(|id| id.0), name, org };
    let made = desk.registry().reserve(&new)?;
    let records = made.clone();
    if let Err(error) = desk.with_store(move |keep| keep.add_devices(&records)).await {
        desk.registry().give_up(&made);
        return Err(error);
    }
    let facts: Vec<_> = {
        let mut registry = desk.registry();
        registry.publish(&made)?;
        let facts = |made: &Made| {
            let id = made.entry.id;
            [Fact::Device(id), Fact::Token(registry.digest(&made.token), id)]
        };
        made.iter().flat_map(facts).collect()
    };
    {
        let mut fleet = desk.fleet.lock();
        for Made { entry, token } in &made {
            let record = Device::new(entry.name.clone(), entry.template, *token, clock::now_ms());
            fleet.put(entry.org, entry.id, &record);
        }
    }
    desk.publish(facts).await;
    Ok(made.iter().map(MadeDevice::from).collect())
}

impl From<&Made> for MadeDevice {
    fn from(made: &Made) -> Self {
        Self {
            id: made.entry.id.get(),
            token: made.token.into(),
            template: made.entry.template.map(|template| template.as_str().to_owned()),
        }
    }
}

/// The organization that new devices belong to.
async fn known_org(desk: &Desk, org: Option<OrgId>) -> Result<OrgId, CommandError> {
    let Some(org) = org else { return Ok(OrgId::FIRST) };
    let known = desk.with_store(move |keep| keep.has_org(org)).await?.unwrap_or(org == OrgId::FIRST);
    if known { Ok(org) } else { Err(CommandError::no_such_org(org)) }
}

pub(super) async fn write(desk: &Desk, asked: DeviceWrite) -> Result<Delivered, CommandError> {
    let DeviceWrite { device, pin, value } = asked;
    let most = linchpin_protocol::limits::MAX_VALUE_BYTES;
    if value.len() > most {
        let text = format!("a value of {} bytes is too long, {most} are allowed", value.len());
        return Err(CommandError::new(Code::ValueTooLong, text));
    }
    send(desk, device.0, Push::Write { pin: pin.0, value: value.into_bytes().into() }).await
}

pub(super) async fn push(desk: &Desk, asked: DevicePush) -> Result<Delivered, CommandError> {
    let DevicePush { device, what, url, text } = asked;
    let push = match what {
        Pushed::Ota => {
            let url = pushed_text("url", url)?;
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(CommandError::parameter("url", "an http:// or https:// address"));
            }
            Push::Ota { url: url.into() }
        }
        Pushed::Reboot => Push::Reboot,
        Pushed::Debug => Push::Debug { text: pushed_text("text", text)?.into() },
        Pushed::Ping => Push::Ping,
    };
    send(desk, device.0, push).await
}

fn pushed_text(name: &str, text: Option<String>) -> Result<String, CommandError> {
    let fits = |text: &String| (1..=limits::PUSH_BYTES).contains(&text.len()) && !text.contains('\0');
    let expected = || format!("a text of 1 to {} bytes without NUL", limits::PUSH_BYTES);
    text.filter(fits).ok_or_else(|| CommandError::parameter(name, &expected()))
}

async fn send(desk: &Desk, device: DeviceId, push: Push) -> Result<Delivered, CommandError> {
    let ask = |request| Command::Push { request, device, push };
    match desk.shards.ask(home_of(device, desk.shards.count()), ask).await? {
        Report::Done => Ok(Delivered { delivered: true }),
        Report::Offline => Ok(Delivered { delivered: false }),
        Report::Rejected(fault) => Err(CommandError::new(Code::Rejected, fault.to_string())),
        Report::TooLarge { buff_in } => Err(CommandError::new(
            Code::TooLarge,
            format!("the device takes messages below {buff_in} bytes (its buff-in): send less"),
        )),
        _ => Err(CommandError::no_such_device(device)),
    }
}

/// A device with its token.
pub(super) async fn with_token(desk: &Desk, device: DeviceId) -> Result<Made, CommandError> {
    let no_such_device = || CommandError::no_such_device(device);
    let (entry, token) = {
        let registry = desk.registry();
        (registry.device(device).ok_or_else(no_such_device)?.clone(), registry.token(device))
    };
    let token = match token {
        Some(token) => Some(token),
        None => {
            let asked = entry.clone();
            desk.with_store(move |keep| keep.token(&asked)).await?.flatten()
        }
    };
    Ok(Made { token: token.ok_or_else(no_such_device)?, entry })
}

pub(super) async fn token(desk: &Desk, asked: DeviceToken) -> Result<MadeDevice, CommandError> {
    with_token(desk, asked.device.0).await.map(|made| MadeDevice::from(&made))
}

fn line(row: &DeviceRow, registry: &Registry) -> DeviceLine {
    DeviceLine {
        id: row.id.get(),
        name: registry.device(row.id).map_or_else(String::new, |device| device.name.as_ref().into()),
        template: row.template.map(|template| template.as_str().to_owned()),
        online: row.online,
        last_seen_s: (row.last_seen_s > 0).then_some(row.last_seen_s),
    }
}

fn full(view: &DeviceView, registry: &Registry) -> DeviceFull {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let object = |pairs: &[(Box<str>, Box<str>)]| {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    };
    let values = view.values.iter();
    let properties = view.properties.iter();
    let events = view.events.iter();
    DeviceFull {
        line: line(&view.row, registry),
        values: values
            .map(|(pin, value, at_ms)| ValueLine { pin: pin.to_string(), value: text(value), at_ms: *at_ms })
            .collect(),
        properties: properties
            .map(|(pin, name, value)| PropertyLine { pin: pin.to_string(), name: name.to_string(), value: text(value) })
            .collect(),
        metadata: object(&view.metadata),
        firmware: object(&view.firmware),
        events: events
            .map(|(code, text, at_ms)| EventLine { code: code.to_string(), text: text.to_string(), at_ms: *at_ms })
            .collect(),
        peer: view.peer.map(|peer| peer.to_string()),
        last_end: view.last_end.map(|end| end.to_string()),
    }
}
