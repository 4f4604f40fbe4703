//! History that is fetched later: written into a file of the store, piece by piece, and answered with its link.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use linchpin_protocol::http::reply::put_string;
use linchpin_protocol::http::{Dialect, HistoryOutput, Reply};
use linchpin_storage::schema::FileKind;
use linchpin_storage::{Error, ExportQuery, FileDraft, FileName, FileRefused, FileShelf, Reads, limits as storage};

use super::asked::HistoryAsk;
use crate::limits;

/// Files of history that are being made: a few at a time, since each takes a reader of the store for seconds.
#[derive(Debug, Default)]
pub(crate) struct ExportsUnderWay(AtomicUsize);

/// One of them.
struct Seat<'a>(&'a AtomicUsize);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ExportsUnderWay {
    fn seat(&self) -> Option<Seat<'_>> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(&self.0);
        (before < limits::EXPORTS_AT_A_TIME).then_some(seat)
    }
}

/// A refusal in words.
type Refusal = (u16, String);

/// The link, or for the legacy API a redirect to it.
pub(super) fn link(
    reads: &Reads,
    (files, under_way): (&FileShelf, &ExportsUnderWay),
    asked: &HistoryAsk,
    query: ExportQuery,
) -> Reply {
    let is_legacy = asked.ask.output == HistoryOutput::LegacyFile;
    let made = match under_way.seat() {
        Some(_seat) => write(reads, files, asked, query),
        None => Err((503, "Other files of history are being made: try again in a moment.".to_owned())),
    };
    match made {
        Ok((link, name)) => {
            let scheme = if asked.over_tls { "https" } else { "http" };
            let url = format!("{scheme}://{}/external/files/{link}/{name}", asked.ask.host);
            if is_legacy {
                return Reply { status: 301, ..Reply::text(&url) };
            }
            let mut json = String::from("{\"link\":");
            put_string(&mut json, &url);
            json.push('}');
            Reply::json(json)
        }
        Err((status, text)) => Reply::error(if is_legacy { Dialect::Legacy } else { Dialect::Current }, status, &text),
    }
}

fn write(
    reads: &Reads,
    files: &FileShelf,
    asked: &HistoryAsk,
    query: ExportQuery,
) -> Result<(FileName, String), Refusal> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let name = format!("device-{}.csv.gz", asked.device);
    let draft = files.begin(query.key, FileKind::Export, &name, now_ms).map_err(|why| refusal(&why))?;
    let mut gzip = GzEncoder::new(Sink { draft: Some(draft), refused: None }, Compression::fast());
    let done = pour(reads, query, &mut gzip);
    // The end of the archive may not find room any more: why it was refused is known all the same.
    let _ = gzip.try_finish();
    let sink = std::mem::replace(gzip.get_mut(), Sink { draft: None, refused: None });
    if let Some(why) = sink.refused {
        return Err(refusal(&why));
    }
    done?;
    let draft = sink.draft.ok_or_else(broken)?;
    Ok((draft.finish("application/gzip").map_err(|why| refusal(&why))?, name))
}

/// All pieces of the export.
fn pour(reads: &Reads, query: ExportQuery, into: &mut impl Write) -> Result<(), Refusal> {
    let mut len = 0;
    for piece in reads.export(query).map_err(|fault| read(&fault))? {
        let piece = piece.map_err(|fault| read(&fault))?;
        len += piece.len() as u64;
        if len > storage::EXPORT_BYTES {
            return Err((
                400,
                format!(
                    "The file would have more than {} bytes: ask for a shorter period or a coarser granularityType.",
                    storage::EXPORT_BYTES
                ),
            ));
        }
        into.write_all(&piece).map_err(|_| broken())?;
    }
    Ok(())
}

fn read(fault: &Error) -> Refusal {
    if let Error::TooLarge { len, limit, .. } = fault {
        return (400, format!("The answer has {len} points, {limit} are the most: ask for a shorter period."));
    }
    tracing::error!(error = %fault, "history cannot be read");
    (503, "History cannot be read at the moment: try again later.".to_owned())
}

fn broken() -> Refusal {
    (503, "The file cannot be stored at the moment: try again later.".to_owned())
}

fn refusal(why: &FileRefused) -> Refusal {
    match why {
        FileRefused::TooMany => (
            403,
            format!(
                "The device had {} files of history today, or its organization {}: ask without output=FILE.",
                storage::EXPORTS_PER_DAY,
                storage::EXPORTS_PER_ORG
            ),
        ),
        FileRefused::TooLarge(most) => (400, format!("The file would have more than {most} bytes.")),
        FileRefused::Store(fault @ Error::NotUpgraded { .. }) => (503, fault.to_string()),
        FileRefused::Store(fault) => {
            tracing::warn!(error = %fault, "a file of history cannot be stored");
            broken()
        }
        FileRefused::NoRandom => broken(),
    }
}

/// A file as something that is written to.
struct Sink {
    /// `None` once it was taken out.
    draft: Option<FileDraft>,
    refused: Option<FileRefused>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.draft.as_mut().map(|draft| draft.write(bytes)) {
            Some(Ok(())) => Ok(bytes.len()),
            None => Err(io::Error::other("the file is whole")),
            Some(Err(why)) => {
                self.refused.get_or_insert(why);
                Err(io::Error::other("the file is not taken"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
