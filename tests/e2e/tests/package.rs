//! The Debian package: the same bytes each time, what is in it, and its way through a system.

use std::path::{Path, PathBuf};
use std::process::Command;

use linchpin_compat::{Folder, linchpin_path};
use linchpin_tests::left_out;
use serde_json::Value;

fn tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Make it of this build's binary, with little compression: the tests wait for it.
fn package(folder: &Path, version: &str) -> PathBuf {
    let script = tree("packaging/package.sh");
    let mut line = Command::new(script);
    line.arg(folder).arg(linchpin_path()).env("PACKAGE_VERSION", version).env("DEB_COMPRESSION", "gzip");
    let ran = line.env("DEB_LEVEL", "1").env("SOURCE_DATE_EPOCH", "1790000000").output().expect("the script runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim().into()
}

fn run(program: &str, args: &[&str]) -> (bool, String) {
    let ran =
        Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}; make setup"));
    (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr))
}

#[test]
fn the_package_is_reproducible_whole_and_goes_through_a_system() {
    let folders = [Folder::new(), Folder::new()];
    let [older, again] = [0, 1].map(|at: usize| package(folders[at].path(), "0.1.0"));
    let read = |path: &Path| std::fs::read(path).expect("the package");
    assert!(read(&older) == read(&again), "two packages of the same binary differ");
    let older_text = older.to_string_lossy().into_owned();
    holds(&older_text);
    let (_, said) = run("lintian", &["--fail-on", "none", &older_text]);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("E:")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let newer = package(folders[1].path(), "0.1.1");
    through_a_system(&older_text, &newer.to_string_lossy());
}

fn holds(package: &str) {
    let (_, listed) = run("dpkg-deb", &["--contents", package]);
    for path in [
        "./usr/bin/linchpin",
        "./lib/systemd/system/linchpin.service",
        "./usr/lib/sysusers.d/linchpin.conf",
        "./usr/lib/tmpfiles.d/linchpin.conf",
        "./etc/linchpin/linchpin.toml",
        "./usr/share/man/man1/linchpin.1.gz",
        "./usr/share/man/man1/linchpin-cert-renew.1.gz",
        "./usr/share/bash-completion/completions/linchpin",
        "./usr/share/zsh/vendor-completions/_linchpin",
        "./usr/share/fish/vendor_completions.d/linchpin.fish",
        "./usr/share/linchpin/prometheus/linchpin.rules.yml",
        "./usr/share/linchpin/grafana/linchpin.json",
        "./usr/share/doc/linchpin/linchpin.cdx.json.gz",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(path)), "{path} is missing in {listed}");
    }
    assert!(!listed.lines().any(|line| !line.contains("root/root")), "everything is root's: {listed}");
    let (_, fields) = run("dpkg-deb", &["--field", package]);
    assert!(fields.contains("Depends: libc6") && fields.contains(", systemd"), "{fields}");
}

fn through_a_system(older: &str, newer: &str) {
    let (may, _) = run("unshare", &["--mount", "--net", "--pid", "--fork", "--mount-proc", "true"]);
    if !may {
        left_out("the package on a copy of the system (no namespaces)");
        return;
    }
    let work = Folder::new();
    let script = tree("tests/e2e/package/chroot.sh");
    let (success, said) = run(&script.to_string_lossy(), &[older, newer, &work.path().to_string_lossy()]);
    if said.contains("wrong fs type") || said.contains("mount: ") && said.contains("permission denied") {
        left_out("the package on a copy of the system (no overlay)");
        return;
    }
    assert!(success && said.lines().any(|line| line == "== done"), "{said}");
}

/// What `cargo tree` says is in the program, and what crates compile besides.
#[test]
fn the_bill_of_materials_lists_what_is_in_the_program() {
    let (_, text) = run(&linchpin_path().to_string_lossy(), &["version", "--sbom"]);
    let bill: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let components = bill["components"].as_array().expect("a list");
    let has = |name: &str, version: &str| {
        components.iter().any(|one| one["name"] == name && one["version"] == version && one["purl"].is_string())
    };
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let listed = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--package", "linchpin", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}"])
        .current_dir(tree("."))
        .output()
        .expect("cargo runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut count = 0;
    for line in listed.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next().expect("a name"), words.next().expect("a version"));
        let version = version.trim_start_matches('v');
        assert!(name == "linchpin" || has(name, version), "{name} {version} is missing");
        count += 1;
    }
    assert!(count > 100, "{listed}");
    for (name, version) in [("rocksdb", "11.8.1"), ("aws-lc", "5.12.0"), ("mimalloc", "3.3.2")] {
        assert!(has(name, version), "{name} {version}: see VENDORED in packaging/bill.rs");
    }
    assert!(
        !text.contains("path+file") && !text.contains("registry+") && !text.contains("/.cargo/"),
        "no path of this machine"
    );
}
