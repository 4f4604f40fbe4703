//! What a device has reported: values, history, its diary; and writing to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use linchpin_protocol::model::OrgId;
use linchpin_shard::{Command, DiaryEntry, End, Push, Report, home_of};
use linchpin_storage::schema::DeviceKey;
use linchpin_storage::{ChartPoint, ChartQuery};

use super::{held, one};
use crate::access::right;
use crate::audit::AuditAction;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::diary::diary as ends_of;
use crate::command::request::{
    AttemptLine, AttemptList, DeviceDiary, FleetChart, FleetCharted, FleetDiary, FleetDiaryLine, FleetErase,
    FleetSeries, FleetValue, FleetValues, FleetWrite, FleetWritten, ListPage, WriteResult,
};
use crate::{Code, CommandError, limits};

pub(in crate::command) async fn values(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetValues,
) -> Result<Vec<FleetValue>, CommandError> {
    let (org, device) = (asked.org.0, asked.device.0);
    let record = held::<right::DeviceView>(desk, &call, org, device).await?;
    let view = one::view(desk, device).await?;
    let mut found: BTreeMap<_, FleetValue> = BTreeMap::new();
    let blank = |pin: &linchpin_protocol::model::Pin| FleetValue {
        pin: pin.to_string(),
        value: None,
        at_ms: None,
        properties: BTreeMap::new(),
    };
    // Pins that nothing was written to yet are there too: a widget can say so.
    if let Some(entry) = record.template.and_then(|id| desk.registry().template(id).cloned()) {
        found.extend(entry.template().datastreams.iter().map(|stream| (stream.pin, blank(&stream.pin))));
    }
    for (pin, value, at_ms) in &view.values {
        let line = found.entry(*pin).or_insert_with(|| blank(pin));
        (line.value, line.at_ms) = (Some(String::from_utf8_lossy(value).into_owned()), Some(*at_ms));
    }
    for (pin, name, value) in &view.properties {
        let line = found.entry(*pin).or_insert_with(|| blank(pin));
        let value = String::from_utf8_lossy(value).replace('\0', ", ");
        line.properties.insert(name.to_string(), value);
    }
    Ok(found.into_values().collect())
}

/// As the device's home answers: sent, stored for its next sync, or refused with the reason.
pub(in crate::command) async fn write(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetWrite,
) -> Result<FleetWritten, CommandError> {
    let FleetWrite { org, device, pin, value } = asked;
    let device = device.0;
    held::<right::DeviceControl>(desk, &call, org.0, device).await?;
    let most = linchpin_protocol::limits::MAX_VALUE_BYTES;
    if value.len() > most {
        let text = format!("a value of {} bytes is too long, {most} are allowed", value.len());
        return Err(CommandError::new(Code::ValueTooLong, text).about("value"));
    }
    let push = Push::Write { pin: pin.0, value: value.into_bytes().into() };
    let ask = |request| Command::Push { request, device, push };
    let written = |result| FleetWritten { result, code: None, detail: None };
    let refused = |code: Code, detail: String| FleetWritten {
        result: WriteResult::Refused,
        code: Some(code.number().to_owned()),
        detail: Some(detail),
    };
    Ok(match desk.shards.ask(home_of(device, desk.shards.count()), ask).await? {
        Report::Done => written(WriteResult::Delivered),
        Report::Offline => written(WriteResult::Kept),
        Report::Rejected(fault) => refused(Code::Rejected, fault.to_string()),
        Report::TooLarge { buff_in } => {
            refused(Code::TooLarge, format!("the device takes messages below {buff_in} bytes (its buff-in)"))
        }
        _ => return Err(CommandError::new(Code::NotFound, "there is no such thing")),
    })
}

pub(in crate::command) async fn chart(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetChart,
) -> Result<FleetCharted, CommandError> {
    let (org, device) = (asked.org.0, asked.device.0);
    held::<right::DeviceView>(desk, &call, org, device).await?;
    let to_ms = asked.to_ms.unwrap_or_else(|| call.now_ms());
    let record_ms = desk.fleet.lock().device(device).map_or(0, |device| u64::from(device.created_s) * 1_000);
    // Points may be older than the device, by a month at most.
    let begun_ms = record_ms.saturating_sub(linchpin_protocol::limits::STAMP_RANGE_MS);
    let from_ms = asked.from_ms.unwrap_or(begun_ms);
    if from_ms > to_ms {
        return Err(CommandError::parameter("from_ms", "before to_ms").about("from_ms"));
    }
    let (pins, points) = (asked.pins, asked.points);
    let key = DeviceKey::new(org, device);
    let series = desk.with_upkeep(move |upkeep| {
        let store = upkeep.keep().store();
        let line = |pin| -> Result<FleetSeries, CommandError> {
            let found = store.chart(&ChartQuery { key, pin, from_ms, to_ms, points })?;
            let mut series = FleetSeries { pin: pin.to_string(), ..FleetSeries::default() };
            for ChartPoint { at_ms, min, max, last } in found {
                series.at_ms.push(at_ms);
                series.min.push(min);
                series.max.push(max);
                series.last.push(last);
            }
            Ok(series)
        };
        pins.into_iter().map(|pin| line(pin.0)).collect::<Result<Vec<_>, _>>()
    });
    Ok(FleetCharted { from_ms, to_ms, series: series.await? })
}

/// Values leave the device's home first, so that none of them is stored again.
pub(in crate::command) async fn erase(desk: &Desk, call: Arc<RowCall>, asked: FleetErase) -> Result<(), CommandError> {
    let (org, device) = (asked.org.0, asked.device.0);
    desk.with_people(&call, move |call| {
        let scope = call.scope::<right::DeviceErase>(org)?;
        Ok(call.loader()?.note_device(&scope, device, (AuditAction::DeviceErase, &[]), call.now_ms())?)
    })
    .await?;
    let ask = |request| Command::ForgetReports { request, device };
    desk.shards.ask(home_of(device, desk.shards.count()), ask).await?;
    desk.with_upkeep(move |upkeep| Ok(upkeep.keep().store().erase_history(DeviceKey::new(org, device))?)).await
}

pub(in crate::command) async fn diary(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetDiary,
) -> Result<ListPage<FleetDiaryLine>, CommandError> {
    let device = asked.device;
    held::<right::DeviceDiagnose>(desk, &call, asked.org.0, device.0).await?;
    let ends = ends_of(desk, DeviceDiary { device: Some(device), limit: limits::DIARY_LINES }).await?;
    // Who has just gone is not said to be there.
    desk.fleet.refresh(&desk.shards).await?;
    let online = desk.fleet.lock().device(device.0).map(|device| device.presence).filter(|presence| presence.is_online);
    // Shown as online is also who is away for less than its template's wait; its end is the newest line then.
    let peer = one::view(desk, device.0).await?.peer;
    let mut lines = Vec::new();
    if let (Some(presence), Some(peer)) = (online, peer) {
        lines.push(FleetDiaryLine {
            at_ms: u64::from(presence.since_s) * 1_000,
            kind: "online".to_owned(),
            code: 0,
            sentence: "The device logged in.".to_owned(),
            fix: None,
            address: Some(peer.ip().to_string()),
            lasted_ms: None,
        });
    }
    lines.extend(ends.into_iter().map(|line| FleetDiaryLine {
        at_ms: line.at_s * 1_000,
        kind: "offline".to_owned(),
        code: line.end.trim_start_matches('E').parse().unwrap_or(0),
        sentence: line.what.unwrap_or(line.end),
        fix: line.fix,
        address: line.peer,
        lasted_ms: line.lasted_s.map(|seconds| u64::from(seconds) * 1_000),
    }));
    Ok(ListPage::whole(lines))
}

/// Nobody knows whose an unknown token is, so only those see them who manage the server.
pub(in crate::command) async fn attempts(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: AttemptList,
) -> Result<ListPage<AttemptLine>, CommandError> {
    let org = asked.org.0;
    desk.with_people(&call, move |call| call.scope::<right::DeviceCreate>(org).map(drop)).await?;
    let mut lines: Vec<AttemptLine> = Vec::new();
    if org != OrgId::FIRST {
        return Ok(ListPage::whole(lines));
    }
    for shard in desk.shards.all() {
        let ask = |request| Command::Diary { request, device: None, limit: limits::DIARY_LINES };
        let Report::Diary(ends) = desk.shards.ask(shard, ask).await? else { continue };
        let refused = |entry: &&DiaryEntry| {
            matches!(entry.end, End::TokenUnknown | End::TokenShape | End::TemplateMismatch | End::AddressThrottled)
        };
        for entry in ends.iter().filter(refused) {
            let (at_ms, address, code) = (entry.at_s * 1_000, entry.peer.ip().to_string(), entry.end.number());
            match lines.iter_mut().find(|line| line.address == address && line.code == code) {
                Some(line) => (line.at_ms, line.count) = (line.at_ms.max(at_ms), line.count + 1),
                None => lines.push(AttemptLine { at_ms, address, code, count: 1 }),
            }
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.at_ms));
    Ok(ListPage::whole(lines))
}
