//! The systemd unit: well formed, tight, and the server keeps its side of Type=notify.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use linchpin_compat::{Folder, Server, linchpin_path};
use rustix::process::Signal;

/// The unit with this build's binary and a configuration that exists, since both are looked for.
fn unit(folder: &Folder) -> std::path::PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/linchpin.service");
    let text = std::fs::read_to_string(source).expect("the unit");
    assert!(text.contains("io_uring_setup") && text.contains("LimitNOFILE=") && text.contains("ExecReload="));
    let binary = linchpin_path();
    let path = folder.path().join("linchpin.service");
    std::fs::write(&path, text.replace("/usr/bin/linchpin", binary.to_str().expect("text"))).expect("writes");
    path
}

fn analyze(args: &[&str], unit: &Path) -> (bool, String) {
    let ran = Command::new("systemd-analyze").args(args).arg(unit).output().expect("systemd-analyze runs: make setup");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    (ran.status.success(), text)
}

#[test]
fn the_unit_is_well_formed_and_tight() {
    let folder = Folder::new();
    let unit = unit(&folder);
    let (success, said) = analyze(&["verify", "--man=no"], &unit);
    assert!(success && said.trim().is_empty(), "systemd-analyze verify is not silent: {said}");
    let (_, said) = analyze(&["security", "--offline=true", "--no-pager"], &unit);
    let overall = said.lines().find(|line| line.contains("Overall exposure level")).expect("a rating");
    let score: f64 = overall
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("no number in {overall}"));
    assert!(score <= 2.0, "exposure {score}:\n{said}");
}

/// What it says to the service manager, in order.
#[test]
fn the_server_says_ready_reloading_and_stopping() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("binds");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("an open socket");
    let hear = || {
        let mut bytes = [0; 512];
        let len = socket.recv(&mut bytes).expect("a message within 10 s");
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    };
    let assignment = format!("NOTIFY_SOCKET={}", path.display());
    let config = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n";
    let mut server = Server::serve(config).under("env", [assignment]).start();
    assert!(hear().starts_with("READY=1"));
    server.signal(Signal::HUP);
    let reloading = hear();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert!(hear().starts_with("READY=1"));
    assert!(server.stop().success());
    assert!(hear().starts_with("STOPPING=1"));
}
