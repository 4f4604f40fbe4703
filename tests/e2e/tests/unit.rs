//! The shipped unit for real: its system calls, a read-only root, an ordinary user, the anchor and backups on a second disk.
//! Needs root, for mounts of its own.

#![allow(clippy::print_stdout, reason = "what is left out is said")]

use std::path::{Path, PathBuf};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, Start, Wire, eventually, text};
use linchpin_e2e::Http;
use rustix::process::Signal;

/// May this test mount? Without root it fails, unless somebody says to leave it out.
fn may_mount() -> bool {
    linchpin_tests::can_or_left_out(rustix::process::getuid().is_root(), "the unit with its mounts: needs root")
}

fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/linchpin.service")
}

/// Run as the unit says.
fn as_unit(start: Start) -> Start {
    let (unit, root) = (unit(), start.folder().to_owned());
    let line = ["-m", "--propagation", "private", env!("CARGO_BIN_EXE_as-unit")].map(PathBuf::from);
    start.under("unshare", line.into_iter().chain([unit, root]))
}

#[test]
fn a_server_under_the_unit_starts_backs_up_reloads_and_stops() {
    if !may_mount() {
        return;
    }
    let config = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\nanchor = \"/mnt/linchpin/anchor\"\n\
                  [[device]]\nname = \"Pump\"\n";
    let mut server = as_unit(Server::serve(config)).start();
    let log = server.log();
    assert!(log.contains("io_uring") && !log.contains("portable"), "its filter lets io_uring through: {log}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("its status");
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    assert_eq!((line("Seccomp:"), line("NoNewPrivs:")), ("2".to_owned(), "1".to_owned()), "{status}");
    assert!(line("Uid:").starts_with("65534") && line("CapEff:").trim_start_matches('0').is_empty(), "{status}");

    let device = server.devices()[0].clone();
    let mut wire = Wire::login(server.address(), &device.token);
    assert_eq!(Http::connect(server.address()).api(&device, "update?v1=7").status, 200);
    // The second disk, as the server sees it.
    let disk = PathBuf::from(format!("/proc/{}", server.pid())).join("root").join("mnt/linchpin");
    assert!(disk.join("anchor").exists(), "the anchor is on the second disk");
    let made = server.ask(&["backup", "create", "--to", "/mnt/linchpin/backups"]);
    let backups: Vec<_> = std::fs::read_dir(disk.join("backups")).expect("backups").collect();
    assert!(!backups.is_empty(), "{}", text(&made, "id"));
    let (_, said, done) = server.operate(&["backup", "create", "--to", "/opt/linchpin-backups"]);
    assert!(!done.success() && said.contains("ead-only"), "elsewhere nothing can be written: {said}");

    server.signal(Signal::HUP);
    eventually(EFFECT, "it has read its file again", || server.log().contains("reload").then_some(()));
    wire.expect_pong();
    assert!(server.stop().success(), "{}", server.log());
    for wrong in ["ERROR", "panicked", "Operation not permitted"] {
        assert!(!server.log().contains(wrong), "{}", server.log());
    }
}
