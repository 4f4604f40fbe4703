//! Questions of the device API about history, answered by a reader of the store.

use std::time::{SystemTime, UNIX_EPOCH};

use linchpin_protocol::http::{Content, Dialect, HistoryOutput, Reply};
use linchpin_storage::schema::DeviceKey;
use linchpin_storage::{
    Error, ExportFormat, ExportQuery, FileShelf, Granularity, Period, Reads, Source, TimeFormat, Zone,
};

use super::asked::HistoryAsk;
use super::export_file::{ExportsUnderWay, link};
use crate::limits;

/// The answer.
pub(super) fn answer(reads: &Reads, files: (&FileShelf, &ExportsUnderWay), asked: &HistoryAsk) -> Reply {
    let device = asked.device;
    let query = match query(asked) {
        Ok(query) => query,
        Err(text) => return error(400, &text),
    };
    if matches!(asked.ask.output, HistoryOutput::File | HistoryOutput::LegacyFile) {
        return link(reads, files, asked, query);
    }
    match text(reads, query) {
        Ok(Some(body)) => {
            let content = if asked.ask.output == HistoryOutput::Csv { Content::Csv } else { Content::Json };
            Reply { content, body: body.into(), ..Reply::empty() }
        }
        Ok(None) => error(
            400,
            &format!(
                "The answer has more than {} bytes: ask for a shorter period, a coarser granularityType or output=FILE.",
                limits::HISTORY_BYTES
            ),
        ),
        Err(Error::TooLarge { len, limit, .. }) => {
            error(400, &format!("The answer has {len} points, {limit} are the most: ask for a shorter period."))
        }
        Err(fault) => {
            tracing::error!(error = %fault, %device, "history cannot be read");
            error(503, "History cannot be read at the moment: try again later.")
        }
    }
}

fn error(status: u16, text: &str) -> Reply {
    Reply::error(Dialect::Current, status, text)
}

fn query(asked: &HistoryAsk) -> Result<ExportQuery, String> {
    let (key, ask) = (DeviceKey::new(asked.org, asked.device), &asked.ask);
    let wrong = |name: &str, given: &str, known: &str| format!("{name} is one of {known}, not {given}.");
    let period = Period::parse(&ask.period)
        .ok_or_else(|| wrong("period", &ask.period, "HOUR, DAY, WEEK, MONTH, THREE_MONTHS"))?;
    let granularity = Granularity::parse(&ask.granularity)
        .ok_or_else(|| wrong("granularityType", &ask.granularity, "RAW_DATA, MINUTE, HOURLY, DAILY"))?;
    let source = Source::parse(&ask.source)
        .ok_or_else(|| wrong("sourceType", &ask.source, "AVG, MIN, MAX, SUM, COUNT, LAST"))?;
    let time =
        TimeFormat::parse(&ask.format).ok_or_else(|| wrong("format", &ask.format, "TS, ISO, ISO_US, ISO_SIMPLE"))?;
    let zone = Zone::parse(&ask.zone).ok_or_else(|| {
        format!(
            "tzName is the name of a time zone such as Europe/Kyiv, or a distance from UTC such as +03:00 (in a query \
             %2B03:00), not {}.",
            ask.zone
        )
    })?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    Ok(ExportQuery {
        key,
        pins: asked.pins.to_vec(),
        from_ms: now_ms.saturating_sub(period.ms()),
        to_ms: now_ms,
        granularity,
        source,
        format: if ask.output == HistoryOutput::Json { ExportFormat::Json } else { ExportFormat::Csv },
        time,
        zone,
        events: ask.events,
    })
}

/// The whole text; `None`: it is too long.
fn text(reads: &Reads, query: ExportQuery) -> Result<Option<Vec<u8>>, Error> {
    let mut body = Vec::new();
    for piece in reads.export(query)? {
        body.extend_from_slice(&piece?);
        if body.len() > limits::HISTORY_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(body))
}
