//! Writes the table of files that `src/lib.rs` includes. It never fails: without a bundle the table has one page, which
//! says so.
//!
//! The bundle is the folder in `LINCHPIN_CONSOLE_DIST`, or `linchpin/console/dist` in the user's cache folder;
//! `build.mjs` made it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LINCHPIN_CONSOLE_DIST");
    println!("cargo::rerun-if-env-changed=LINCHPIN_CACHE");
    let table = dist().and_then(|dist| {
        println!("cargo::rerun-if-changed={}", dist.join("files.txt").display());
        table(&dist)
    });
    if table.is_none() {
        println!("cargo::warning=built without the console: `make console` builds it");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("files.rs");
    let text = table.unwrap_or_else(|| {
        "pub(super) const BUILD: &str = \"none\";\npub(super) const FILES: &[File] = &[super::MISSING];\n".to_owned()
    });
    if let Err(error) = std::fs::write(&out, text) {
        println!("cargo::error={}: {error}", out.display());
    }
}

/// Where the bundle would be.
fn dist() -> Option<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")));
    var("LINCHPIN_CONSOLE_DIST").or_else(|| {
        var("LINCHPIN_CACHE").or_else(|| cache().map(|cache| cache.join("linchpin"))).map(|c| c.join("console/dist"))
    })
}

/// The table as Rust; `None` when there is no bundle, or not a whole one.
fn table(dist: &Path) -> Option<String> {
    let list = std::fs::read_to_string(dist.join("files.txt")).ok()?;
    let mut lines = list.lines();
    let build = lines.next()?.strip_prefix("build\t")?;
    let mut text = format!("pub(super) const BUILD: &str = {build:?};\npub(super) const FILES: &[File] = &[\n");
    for line in lines {
        let parts: Vec<&str> = line.split('\t').collect();
        let [path, media_type, tag, cache, gzip, brotli] = parts[..] else { return None };
        let file = dist.join(path.trim_start_matches('/'));
        let bytes = |ending: &str| {
            let form = PathBuf::from(format!("{}{ending}", file.display()));
            form.is_file().then(|| format!("include_bytes!({form:?})"))
        };
        let form = |word: &str, ending: &str| match word {
            "-" => Some("None".to_owned()),
            _ => Some(format!("Some({})", bytes(ending)?)),
        };
        writeln!(
            text,
            "File {{ path: {path:?}, media_type: {media_type:?}, identity: {}, gzip: {}, brotli: {}, tag: {tag:?}, \
             is_immutable: {} }},",
            bytes("")?,
            form(gzip, ".gz")?,
            form(brotli, ".br")?,
            cache == "immutable"
        )
        .ok()?;
    }
    text.push_str("];\n");
    Some(text)
}
