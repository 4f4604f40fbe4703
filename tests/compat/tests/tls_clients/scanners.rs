//! What `sslscan` and `testssl.sh` find: they look for everything that a TLS server may do wrong.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use linchpin_compat::{BackEnd, Folder, Server, eventually, text};

use crate::chain::{self, Kind};

/// Each takes about ten seconds; a loaded machine takes longer.
const SCAN: Duration = Duration::from_secs(180);

/// Suites of TLS 1.2 by the certificate that they need.
fn suites(kinds: &[Kind]) -> BTreeSet<String> {
    let newer = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
    let mut suites: BTreeSet<_> = newer.map(str::to_owned).into();
    for kind in kinds {
        let by = if *kind == Kind::Ecdsa { "ECDHE-ECDSA" } else { "ECDHE-RSA" };
        suites.extend(["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"].map(|of| format!("{by}-{of}")));
    }
    suites
}

/// Run a scanner to its end within [`SCAN`]; its standard output.
fn scan(command: &mut Command) -> String {
    let folder = Folder::new();
    let path = folder.path().join("output");
    let output = std::fs::File::create(&path).expect("a file for the output");
    let line = format!("{command:?}");
    let mut child = command
        .stdin(std::process::Stdio::null())
        .stdout(output)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {line}: {error}; run make setup"));
    let read = || String::from_utf8_lossy(&std::fs::read(&path).expect("the output")).into_owned();
    let begun = std::time::Instant::now();
    while child.try_wait().expect("the state of the scanner").is_none() {
        if begun.elapsed() > SCAN {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{line} did not end in {SCAN:?}: {}", read());
        }
        std::thread::sleep(linchpin_compat::limits::POLL);
    }
    read()
}

/// The value of an attribute in the start tag of an element without content.
fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let value = element.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    value.unwrap_or_else(|| panic!("no {name} in <{element}>")).0
}

/// The elements of a name in an XML document.
fn elements<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("<{name} ");
    let elements: Vec<_> =
        document.split(&start).skip(1).map(|rest| rest.split('>').next().unwrap_or_default()).collect();
    assert!(!elements.is_empty(), "no <{name}> in {document}");
    // `attribute` looks for the space before a name.
    document
        .match_indices(&start)
        .zip(elements)
        .map(|((at, _), e)| &document[at + name.len() + 1..][..e.len() + 1])
        .collect()
}

fn expect_clean_sslscan(server: &Server, kinds: &[Kind]) {
    let xml = scan(Command::new("sslscan").args(["--xml=-", "--no-colour", &server.tls_address().to_string()]));
    let enabled: Vec<_> = elements(&xml, "protocol")
        .into_iter()
        .filter(|protocol| attribute(protocol, "enabled") != "0")
        .map(|protocol| (attribute(protocol, "type"), attribute(protocol, "version")))
        .collect();
    assert_eq!(enabled, [("tls", "1.2"), ("tls", "1.3")], "{xml}");
    assert_eq!(elements(&xml, "protocol").len(), 6, "it has not looked for all: {xml}");
    for renegotiation in elements(&xml, "renegotiation") {
        assert_eq!(attribute(renegotiation, "supported"), "0", "{xml}");
    }
    for heartbleed in elements(&xml, "heartbleed") {
        assert_eq!(attribute(heartbleed, "vulnerable"), "0", "{xml}");
    }
    let found: BTreeSet<_> =
        elements(&xml, "cipher").into_iter().map(|cipher| attribute(cipher, "cipher").to_owned()).collect();
    assert_eq!(found, suites(kinds), "{xml}");
    let groups: BTreeSet<_> = elements(&xml, "group").into_iter().map(|group| attribute(group, "id")).collect();
    assert_eq!(groups, BTreeSet::from(["0x0017", "0x0018", "0x001d"]), "P-256, P-384, X25519: {xml}");
}

#[test]
fn sslscan_finds_what_should_be_there_and_nothing_else() {
    let server = Server::dev().devices(1).start();
    expect_clean_sslscan(&server, &[Kind::Ecdsa]);
}

#[test]
fn sslscan_finds_the_suites_of_both_certificates() {
    let (server, _) = chain::serve(&[Kind::Ecdsa, Kind::Rsa], BackEnd::Auto, "in-place");
    expect_clean_sslscan(&server, &[Kind::Ecdsa, Kind::Rsa]);
}

/// What testssl.sh must say of its checks.
const FINDINGS: [(&str, &str); 17] = [
    ("SSLv2", "not offered"),
    ("SSLv3", "not offered"),
    ("TLS1", "not offered"),
    ("TLS1_1", "not offered"),
    ("TLS1_2", "offered"),
    ("TLS1_3", "offered with final"),
    ("cipherlist_NULL", "not offered"),
    ("cipherlist_aNULL", "not offered"),
    ("cipherlist_EXPORT", "not offered"),
    ("cipherlist_LOW", "not offered"),
    ("cipherlist_3DES_IDEA", "not offered"),
    // "Obsolete CBC ciphers".
    ("cipherlist_AVERAGE", "not offered"),
    ("cipherlist_STRONG", "offered"),
    ("secure_renego", "supported"),
    ("secure_client_renego", "not vulnerable"),
    // Compression.
    ("CRIME_TLS", "not vulnerable"),
    ("fallback_SCSV", "no protocol below TLS 1.2 offered"),
];

/// The findings of testssl.sh with these checks.
fn testssl(server: &Server, checks: &[&str]) -> Vec<(String, String, String)> {
    let folder = Folder::new();
    let path = folder.path().join("report.json");
    let mut command = Command::new("testssl");
    // Nothing is asked of the network's name servers, and no question of the terminal.
    command.args(["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none"]);
    command.args(checks).arg("--jsonfile").arg(&path).arg(server.tls_address().to_string());
    let output = scan(&mut command);
    let report = std::fs::read(&path).unwrap_or_else(|error| panic!("no report, {error}: {output}"));
    let report: Value =
        serde_json::from_slice(&report).unwrap_or_else(|error| panic!("{error} in the report: {output}"));
    let findings = report.as_array().expect("a list of findings").iter();
    findings
        .map(|f| (text(f, "id").to_owned(), text(f, "finding").to_owned(), text(f, "severity").to_owned()))
        .collect()
}

#[test]
fn testssl_finds_no_old_version_no_weak_suite_no_renegotiation_no_compression() {
    let (server, _) = chain::serve(&[Kind::Ecdsa, Kind::Rsa], BackEnd::Auto, "in-place");
    let checks = ["--protocols", "--std", "--renegotiation", "--crime", "--tls-fallback"];
    let findings = testssl(&server, &checks);
    for (id, expected) in FINDINGS {
        let found: Vec<_> = findings.iter().filter(|(found, ..)| found == id).map(|(_, finding, _)| finding).collect();
        assert!(matches!(found[..], [finding] if finding.starts_with(expected)), "{id}: {found:?} in {findings:#?}");
    }
    let bad: Vec<_> = findings
        .iter()
        .filter(|(.., severity)| ["LOW", "MEDIUM", "HIGH", "CRITICAL"].contains(&severity.as_str()))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn testssl_finds_forward_secrecy_in_every_suite() {
    let (server, _) = chain::serve(&[Kind::Ecdsa, Kind::Rsa], BackEnd::Auto, "in-place");
    let findings = testssl(&server, &["--pfs", "--each-cipher"]);
    let ciphers: BTreeSet<_> = findings
        .iter()
        .filter(|(id, ..)| id.starts_with("cipher_x") || id.starts_with("cipher-tls"))
        .filter_map(|(_, finding, _)| {
            finding.split_whitespace().find(|word| word.contains('-') || word.starts_with("TLS_"))
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(ciphers, suites(&[Kind::Ecdsa, Kind::Rsa]), "{findings:#?}");
    let (_, secret, _) = findings.iter().find(|(id, ..)| id == "PFS_ciphers").expect("what it says of forward secrecy");
    assert_eq!(secret.split(' ').map(str::to_owned).collect::<BTreeSet<_>>(), ciphers, "{findings:#?}");
}

#[test]
fn no_scan_leaves_something_behind() {
    let server = Server::dev().devices(1).start();
    scan(Command::new("sslscan").args(["--xml=-", "--no-colour", &server.tls_address().to_string()]));
    eventually(SCAN, "all connections of the scan have ended", || {
        let status = server.ask(&["status"]);
        (status["connections"] == 0).then_some(())
    });
}
