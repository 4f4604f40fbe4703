//! The browser application, as the shards serve it: the files in the binary, or those of a folder while it is being changed
//! (`linchpin dev --console DIR`).

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use linchpin_console::File;
use linchpin_control::CommandLane as _;
use linchpin_protocol::http::{Asset, AssetTable, CacheClass};
use linchpin_shard::Command;

use crate::limits;
use crate::tick::command_lane::ToShard;

/// Build of the files that are served: what live sockets say in `hello`, so that a page knows that there is a newer one.
static BUILD: RwLock<&str> = RwLock::new(linchpin_console::BUILD);

/// See [`BUILD`].
pub(super) fn build() -> &'static str {
    *BUILD.read().unwrap_or_else(PoisonError::into_inner)
}

/// The files of the binary, as a table that the shards share. Made once a run, and never given back.
pub(super) fn embedded() -> AssetTable {
    let files: Vec<Asset> = linchpin_console::FILES.iter().map(asset).collect();
    AssetTable::new(Box::leak(files.into_boxed_slice()))
}

fn asset(file: &'static File) -> Asset {
    let is_page = file.path == linchpin_console::page().path;
    Asset {
        path: file.path,
        media_type: file.media_type,
        identity: file.identity,
        gzip: file.gzip,
        brotli: file.brotli,
        tag: file.tag,
        cache: if file.is_immutable { CacheClass::Immutable } else { CacheClass::Revalidate },
        fields: if is_page { linchpin_console::PAGE_FIELDS } else { &[] },
    }
}

/// The files of a folder that `build.mjs` has written. They are never given back: a page may be under way.
///
/// # Errors
/// A file is missing, or they are too large: with the path.
pub(super) fn of_folder(folder: &Path) -> Result<AssetTable, String> {
    let list = folder.join("files.txt");
    let text = std::fs::read_to_string(&list)
        .map_err(|error| format!("{}: {error}; `make console-watch` writes it", list.display()))?;
    let mut lines = text.lines();
    let build = lines.next().and_then(|line| line.strip_prefix("build\t"));
    let build = build.ok_or_else(|| format!("{}: its first line names no build", list.display()))?;
    let mut left = limits::CONSOLE_FOLDER_BYTES;
    let files: Result<Vec<Asset>, String> = lines.map(|line| listed(folder, line, &mut left)).collect();
    let table = AssetTable::new(Box::leak(files?.into_boxed_slice()));
    if table.page().is_none() {
        return Err(format!("{}: it lists no /index.html", list.display()));
    }
    *BUILD.write().unwrap_or_else(PoisonError::into_inner) = String::from(build).leak();
    Ok(table)
}

/// A line of `files.txt`: path, media type, digest, how long it may be used, and which compressed forms there are.
fn listed(folder: &Path, line: &str, left: &mut usize) -> Result<Asset, String> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [path, media_type, tag, cache, gzip, brotli] = parts[..] else {
        return Err(format!("files.txt: six columns are expected in {line:?}"));
    };
    let mut bytes = |ending: &str| -> Result<&'static [u8], String> {
        let path = format!("{}{path}{ending}", folder.display());
        let found = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
        *left = left.checked_sub(found.len()).ok_or_else(|| {
            format!("{path}: the files of the folder are larger than {} bytes", limits::CONSOLE_FOLDER_BYTES)
        })?;
        Ok(found.leak())
    };
    let identity = bytes("")?;
    let (gzip, brotli) = ((gzip != "-").then(|| bytes(".gz")), (brotli != "-").then(|| bytes(".br")));
    let is_page = path == linchpin_console::page().path;
    Ok(Asset {
        path: String::from(path).leak(),
        media_type: String::from(media_type).leak(),
        identity,
        gzip: gzip.transpose()?,
        brotli: brotli.transpose()?,
        tag: String::from(tag).leak(),
        cache: if cache == "immutable" { CacheClass::Immutable } else { CacheClass::Revalidate },
        fields: if is_page { linchpin_console::PAGE_FIELDS } else { &[] },
    })
}

/// Hand each new build in a folder to the shards. The thread ends with the process.
pub(super) fn watch(folder: Option<PathBuf>, shards: &[ToShard]) {
    let Some(folder) = folder else { return };
    let shards = shards.to_vec();
    let run = move || {
        let list = folder.join("files.txt");
        let written = || std::fs::metadata(&list).and_then(|found| found.modified()).ok();
        let (mut seen, mut reads) = (written(), 1);
        while reads < limits::CONSOLE_FOLDER_READS {
            std::thread::sleep(limits::CONSOLE_FOLDER_LOOK);
            let now = written();
            if now.is_none() || now == seen {
                continue;
            }
            // One that is just being written is read at the next look.
            match of_folder(&folder) {
                Ok(table) => {
                    (seen, reads) = (now, reads + 1);
                    hand_out(table, &shards);
                    tracing::info!(build = build(), "the console of {} is served", folder.display());
                }
                Err(error) => tracing::warn!("the console is not read again: {error}"),
            }
        }
        tracing::warn!("the console was read {reads} times: start again to see further changes");
    };
    if let Err(error) = std::thread::Builder::new().name("console".to_owned()).spawn(run) {
        tracing::error!(%error, "changes of the console are not seen");
    }
}

fn hand_out(table: AssetTable, shards: &[ToShard]) {
    for (at, shard) in shards.iter().enumerate() {
        if shard.push_within(Command::Assets(table), limits::TELL_TIMEOUT).is_err() {
            tracing::error!(shard = at, "the shard takes no commands; it serves the console as it was");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_in_the_table_with_its_policy() {
        let table = embedded();
        let page = table.page().expect("there is always a page");
        assert!(page.fields.iter().any(|(name, _)| *name == "Content-Security-Policy"));
        assert_eq!(page.cache, CacheClass::Revalidate);
        for file in linchpin_console::FILES {
            let found = table.get(file.path).expect("every file is in the table");
            assert_eq!(found.cache == CacheClass::Immutable, file.is_immutable, "{}", file.path);
        }
        assert!(table.get("/assets/nothing.js").is_none());
    }

    #[test]
    fn a_folder_is_served_as_it_lists_itself_and_a_missing_file_is_named() {
        let folder = std::env::temp_dir().join(format!("linchpin-console-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
        assert!(of_folder(&folder).is_err_and(|error| error.contains("files.txt")));
        let page = "/index.html\ttext/html; charset=utf-8\tabcdefghijklmnop\trevalidate\t-\t-\n";
        put("index.html", "<!doctype html>");
        put("files.txt", &format!("build\tb1\n{page}/a.js\ttext/javascript\tabcdefghijklmnoq\trevalidate\tgz\t-\n"));
        put("a.js", "let a = 1;");
        assert!(of_folder(&folder).is_err_and(|error| error.contains("a.js.gz")));
        put("a.js.gz", "z");
        let table = of_folder(&folder).expect("a whole bundle");
        assert_eq!(table.page().map(|page| page.fields), Some(linchpin_console::PAGE_FIELDS));
        assert_eq!(table.get("/a.js").and_then(|file| file.gzip), Some(&b"z"[..]));
        assert_eq!(build(), "b1");
        *BUILD.write().expect("nobody failed") = linchpin_console::BUILD;
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
