//! The bill of materials of a program (CycloneDX 1.5, JSON), made while it is built: what cargo compiles for this target with
//! these features, and the C and C++ that crates bring along, which cargo does not see. Written to `OUT_DIR/bill.json`; the
//! same sources give the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// A version of a crate, and the version of what it brings along.
type Pinned = (&'static str, &'static str);

/// C and C++ inside crates: crate, and name and licence of what it compiles. Its version is in the crate's own after `+`,
/// or else here for this version of the crate.
const VENDORED: [(&str, &str, &str, Option<Pinned>); 6] = [
    ("librocksdb-sys", "rocksdb", "Apache-2.0", None),
    ("aws-lc-sys", "aws-lc", "ISC AND (Apache-2.0 OR ISC) AND OpenSSL", Some(("0.47.0", "5.12.0"))),
    ("libmimalloc-sys", "mimalloc", "MIT", Some(("0.1.49", "3.3.2"))),
    ("zstd-sys", "zstd", "BSD-3-Clause", None),
    ("bzip2-sys", "bzip2", "bzip2-1.0.6", None),
    ("libz-sys", "zlib", "Zlib", Some(("1.1.31", "1.3.2"))),
];

/// A crate, as cargo names it.
struct Part {
    licence: String,
    /// It runs while the program is built, and is not in it.
    only_builds: bool,
}

/// What cargo compiles along these edges: name and version, and the licence.
fn tree(edges: &str) -> Option<BTreeMap<(String, String), (String, bool)>> {
    let cargo = std::env::var_os("CARGO")?;
    let package = std::env::var("CARGO_PKG_NAME").ok()?;
    let features = std::env::var("CARGO_CFG_FEATURE").unwrap_or_default();
    let target = std::env::var("TARGET").ok()?;
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}\t{l}", "--no-default-features"])
        .args(["--package", &package, "--features", &features, "--edges", edges, "--target", &target])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let (name, licence) = line.split_once('\t').unwrap_or((line, ""));
        let mut words = name.split_whitespace();
        let (Some(crate_name), Some(version)) = (words.next(), words.next()) else { continue };
        let is_macro = name.contains("(proc-macro)");
        let licence = licence.trim_end_matches(" (*)").replace('/', " OR ");
        let _ = found
            .entry((crate_name.to_owned(), version.trim_start_matches('v').to_owned()))
            .or_insert((licence, is_macro));
    }
    Some(found)
}

fn parts() -> Option<BTreeMap<(String, String), Part>> {
    let in_it = tree("normal,no-proc-macro")?;
    let all = tree("normal,build")?;
    let part = |(key, (licence, _)): ((String, String), (String, bool))| {
        let only_builds = !in_it.contains_key(&key);
        (key, Part { licence, only_builds })
    };
    Some(all.into_iter().map(part).collect())
}

fn component(out: &mut String, kind: &str, name: &str, version: &str, licence: &str, purl: &str, scope: &str) {
    if !out.is_empty() {
        out.push_str(",\n");
    }
    let _ = write!(
        out,
        "    {{\"type\": \"{kind}\", \"name\": \"{name}\", \"version\": \"{version}\", \"scope\": \"{scope}\", \
         \"purl\": \"{purl}\""
    );
    if !licence.is_empty() {
        let _ = write!(out, ", \"licenses\": [{{\"expression\": \"{licence}\"}}]");
    }
    out.push('}');
}

fn bill() -> Option<String> {
    let (package, version) = (std::env::var("CARGO_PKG_NAME").ok()?, std::env::var("CARGO_PKG_VERSION").ok()?);
    let parts = parts()?;
    let mut components = String::new();
    for ((name, version), part) in parts.iter().filter(|((name, _), _)| *name != package) {
        let scope = if part.only_builds { "excluded" } else { "required" };
        let purl = format!("pkg:cargo/{name}@{version}");
        component(&mut components, "library", name, version, &part.licence, &purl, scope);
        let Some((_, inside, licence, known)) = VENDORED.iter().find(|vendored| vendored.0 == name) else { continue };
        let by_crate = version.split_once('+').map(|(_, inside)| inside.trim_start_matches("zstd."));
        let here = known.filter(|known| known.0 == version).map(|known| known.1);
        let inside_version = by_crate.or(here).unwrap_or("unknown");
        let purl = format!("pkg:generic/{inside}@{inside_version}");
        component(&mut components, "library", inside, inside_version, licence, &purl, scope);
    }
    Some(format!(
        "{{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\",\n  \"version\": 1,\n  \"metadata\": {{\"component\": \
         {{\"type\": \"application\", \"name\": \"{package}\", \"version\": \"{version}\", \"purl\": \
         \"pkg:cargo/{package}@{version}\"}}}},\n  \"components\": [\n{components}\n  ]\n}}\n"
    ))
}

/// Write it; where cargo does not answer, as in an archive without its dependencies, an empty one.
pub(crate) fn write() {
    let folder = std::env::var_os("OUT_DIR").unwrap_or_default();
    let text = bill().unwrap_or_else(|| {
        println!("cargo::warning=no bill of materials: `cargo tree` does not answer");
        "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.5\", \"version\": 1, \"components\": []}\n".to_owned()
    });
    let written = std::fs::write(Path::new(&folder).join("bill.json"), text);
    assert!(written.is_ok(), "the folder of the build cannot be written: {written:?}");
    println!("cargo::rerun-if-changed=../Cargo.lock");
}
