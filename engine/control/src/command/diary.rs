//! Why connections ended.

use linchpin_protocol::model::DeviceId;
use linchpin_shard::{Command, DiaryEntry, End, Report, home_of};

use super::desk::Desk;
use super::request::{DeviceDiary, DiaryLine};
use crate::CommandError;

/// The latest ends, newest first: of one device, or of everybody.
pub(super) async fn diary(desk: &Desk, asked: DeviceDiary) -> Result<Vec<DiaryLine>, CommandError> {
    let DeviceDiary { device, limit } = asked;
    let device = device.map(|device| device.0);
    if let Some(device) = device
        && desk.registry().device(device).is_none()
    {
        return Err(CommandError::no_such_device(device));
    }
    let mut rows = Vec::new();
    for shard in desk.shards.all() {
        // A device's entries are written where it lives.
        if device.is_some_and(|device| home_of(device, desk.shards.count()) != shard) {
            continue;
        }
        let ask = |request| Command::Diary { request, device, limit };
        if let Report::Diary(part) = desk.shards.ask(shard, ask).await? {
            rows.extend(part);
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.at_s));
    rows.truncate(limit as usize);
    let mut lines: Vec<DiaryLine> = rows.iter().map(DiaryLine::from).collect();
    if let Some(device) = device
        && lines.len() < limit as usize
    {
        let room = limit as usize - lines.len();
        lines.extend(earlier(desk, device, room).await?);
    }
    Ok(lines)
}

/// What the store knows of a device from before this process, newest first.
async fn earlier(desk: &Desk, device: DeviceId, room: usize) -> Result<Vec<DiaryLine>, CommandError> {
    let entry = desk.registry().device(device).cloned();
    let Some(entry) = entry else { return Ok(Vec::new()) };
    let uptime_ms = desk.facts.started.elapsed().as_millis() as u64;
    let lines = desk.with_store(move |keep| keep.diary(&entry, uptime_ms, room)).await?.unwrap_or_default();
    Ok(lines.into_iter().rev().map(|(at_ms, reason)| earlier_line(at_ms, device, &reason)).collect())
}

impl From<&DiaryEntry> for DiaryLine {
    fn from(entry: &DiaryEntry) -> Self {
        Self {
            at_s: entry.at_s,
            lasted_s: Some(entry.lasted_s),
            frames: Some(entry.frames),
            device: entry.device.map(DeviceId::get),
            peer: Some(entry.peer.to_string()),
            end: entry.end.to_string(),
            what: Some(entry.end.what().to_owned()),
            fix: Some(entry.end.fix().to_owned()),
            firmware: entry.firmware.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        }
    }
}

/// Of earlier processes the time and the reason are known.
fn earlier_line(at_ms: u64, device: DeviceId, reason: &str) -> DiaryLine {
    let end = End::ALL.iter().find(|end| end.to_string() == reason);
    DiaryLine {
        at_s: at_ms / 1_000,
        lasted_s: None,
        frames: None,
        device: Some(device.get()),
        peer: None,
        end: reason.to_owned(),
        what: end.map(|end| end.what().to_owned()),
        fix: end.map(|end| end.fix().to_owned()),
        firmware: Default::default(),
    }
}
