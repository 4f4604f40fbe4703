//! The packaged service: its unit's own restrictions around a real start, backup, reload and stop; its configuration; its hook.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Folder, Server, Start, Wire, eventually, linchpin_path};
use linchpin_e2e::{Http, Successors};
use rustix::process::Signal;
use serde_json::json;

/// The user that stands for the service's.
const NOBODY: u32 = 65_534;
/// CAP_NET_BIND_SERVICE alone.
const ONE_CAPABILITY: &str = "0000000000000400";

fn packaged(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(packaged(name)).expect(name)
}

/// A line `KEY=value` of the unit.
fn of_unit(key: &str) -> String {
    let unit = text("linchpin.service");
    let found = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("the unit has no {key}=")).to_owned()
}

/// Only root can take the rights of the unit's user, in mounts of its own.
fn can_run_as_the_unit() -> bool {
    let can = rustix::process::geteuid().is_root() && cfg!(target_arch = "x86_64");
    linchpin_tests::can_or_left_out(can, "the unit's own restrictions: only root on x86-64 may take them")
}

/// Run as the unit says.
fn as_unit(start: Start) -> Start {
    let (unit, root) = (packaged("linchpin.service"), start.folder().to_owned());
    let line = ["-m", "--propagation", "private", env!("CARGO_BIN_EXE_as-unit")].map(PathBuf::from);
    start.under("unshare", line.into_iter().chain([unit, root]))
}

fn status(pid: u32, key: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).expect(key);
    line.split_whitespace().next().unwrap_or_default().to_owned()
}

#[test]
fn start_backup_reload_and_stop_under_the_units_restrictions() {
    if !can_run_as_the_unit() {
        return;
    }
    assert_eq!((of_unit("User").as_str(), of_unit("ProtectSystem").as_str()), ("linchpin", "strict"));
    assert_eq!(of_unit("SystemCallErrorNumber"), "EPERM");
    assert_eq!(of_unit("AmbientCapabilities"), of_unit("CapabilityBoundingSet"));
    // A port that needs the capability, at an address that nobody else uses.
    let config = "[listen]\nplain = [\"127.0.86.7:80\", \"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n[backup]\nto = \"@/backups\"\n\
        [limits]\nmessage_burst = 100\n";
    let start = Server::serve(config);
    let state = start.folder().to_path_buf();
    let mut server = as_unit(start).start();
    let pid = server.pid();
    assert_eq!(status(pid, "Uid"), NOBODY.to_string());
    assert_eq!((status(pid, "CapEff").as_str(), status(pid, "CapBnd").as_str()), (ONE_CAPABILITY, ONE_CAPABILITY));
    assert_eq!((status(pid, "Seccomp").as_str(), status(pid, "NoNewPrivs").as_str()), ("2", "1"));
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("it runs");
    let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).expect("a root");
    assert!(root.split(' ').nth(5).is_some_and(|options| options.split(',').any(|it| it == "ro")), "{root}");
    let driver = Server::dev().start().log().contains("driver: io_uring");
    assert_eq!(server.log().contains("driver: io_uring"), driver, "the unit's list blocks io_uring: {}", server.log());

    let http = Command::new("curl").args(["-sS", "-m", "10", "http://127.0.86.7/external/api/get?token=x&v1"]).output();
    let answer = String::from_utf8_lossy(&http.expect("curl runs").stdout).into_owned();
    assert!(answer.contains("nvalid token"), "{answer}");
    let config = state.join("linchpin.toml");
    let run = |args: &[&str]| {
        let output = Command::new(linchpin_path()).args(args).arg("--config").arg(&config).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        said
    };
    run(&["device", "add", "--name", "Pump"]);
    let token = run(&["device", "token", "pump"]);
    Wire::login("127.0.86.7:80".parse().expect("an address"), token.trim()).expect_pong();
    run(&["backup", "create"]);
    assert!(run(&["backup", "list"]).lines().count() >= 2);
    assert!(run(&["backup", "verify"]).starts_with("ok"));
    // Root looks, and leaves nothing behind that the service could not open.
    for verb in [&["keys", "status"][..], &["store", "stats"], &["org", "list"], &["status"]] {
        run(verb);
    }
    let changed = std::fs::read_to_string(&config).expect("reads").replace("= 100", "= 200");
    std::fs::write(&config, changed).expect("writes");
    // What the unit's ExecReload does.
    run(&["check"]);
    server.signal(Signal::HUP);
    eventually(EFFECT, "it reloads", || server.log().contains("message_burst 100 -> 200").then_some(()));
    assert!(server.stop().success(), "{}", server.log());
    for verb in [&["keys", "status"][..], &["store", "stats"], &["store", "verify"], &["org", "list"]] {
        run(verb);
    }
    server.start_again();
    assert!(server.stop().success());
}

#[test]
fn a_second_disk_is_the_only_other_place_under_the_unit() {
    if !can_run_as_the_unit() {
        return;
    }
    let config = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\nanchor = \"/mnt/linchpin/anchor\"\n\
                  [[device]]\nname = \"Pump\"\n";
    let mut server = as_unit(Server::serve(config)).start();
    let log = server.log();
    assert!(log.contains("io_uring") && !log.contains("portable"), "its filter lets io_uring through: {log}");

    let device = server.devices()[0].clone();
    let mut wire = Wire::login(server.address(), &device.token);
    assert_eq!(Http::connect(server.address()).api(&device, "update?v1=7").status, 200);
    // The second disk, as the server sees it.
    let disk = PathBuf::from(format!("/proc/{}", server.pid())).join("root").join("mnt/linchpin");
    assert!(disk.join("anchor").exists(), "the anchor is on the second disk");
    let made = server.ask(&["backup", "create", "--to", "/mnt/linchpin/backups"]);
    let backups: Vec<_> = std::fs::read_dir(disk.join("backups")).expect("backups").collect();
    assert!(!backups.is_empty(), "{made:?}");
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

/// The filter of system calls and the read-only root let a server be replaced, and hold for the one that takes its place.
#[test]
fn an_upgrade_under_the_units_restrictions() {
    if !can_run_as_the_unit() {
        return;
    }
    let config = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n[[device]]\n";
    let server = as_unit(Server::serve(config)).start();
    let device = server.devices()[0].clone();
    let mut wire = Wire::login(server.address(), &device.token);
    let next = Successors(&server);
    assert_eq!(next.pids(), [0; 0]);
    let report = server.ask(&["upgrade"]);
    assert_eq!(
        (&report["state"], &report["moved"], &report["left"]),
        (&json!("done"), &json!(1), &json!(0)),
        "{report}"
    );
    wire.expect_pong();
    let pids = next.pids();
    assert_eq!(pids.len(), 1, "{}", server.log());
    assert_eq!(status(pids[0], "Uid"), NOBODY.to_string());
    assert_eq!((status(pids[0], "CapEff").as_str(), status(pids[0], "Seccomp").as_str()), (ONE_CAPABILITY, "2"));
}

#[test]
fn the_packaged_configuration_serves_where_the_page_says() {
    let config = text("linchpin.toml");
    assert!(config.contains("plain = [\"0.0.0.0:8080\"]"), "devices of the network can connect");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate.md");
    assert!(std::fs::read_to_string(page).expect("the page").contains("0.0.0.0:8080"));
    let folder = Folder::new();
    let path = folder.path().join("linchpin.toml");
    let data = folder.path().join("data");
    std::fs::write(&path, config.replace("/var/lib/linchpin", data.to_str().expect("UTF-8"))).expect("writes");
    let checked = Command::new(linchpin_path()).args(["check", "--config"]).arg(&path).output().expect("runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn a_reload_is_checked_first() {
    let unit = text("linchpin.service");
    let reloads: Vec<_> = unit.lines().filter_map(|line| line.strip_prefix("ExecReload=")).collect();
    assert_eq!(reloads.len(), 2, "{reloads:?}");
    assert!(reloads[0].starts_with("/usr/bin/linchpin check ") && reloads[1].contains("kill -HUP"), "{reloads:?}");
    assert!(unit.lines().any(|line| line == "RestartPreventExitStatus=78"));
    let drop_in = text("linchpin-paths.conf");
    assert!(drop_in.contains("[Service]\nReadWritePaths="), "{drop_in}");
}

/// certbot's hook copies what the service's user may not read where certbot keeps it, whole, and reloads.
#[test]
fn the_hook_of_certbot_installs_copies_and_reloads() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    let put = |name: &str, text: &str, mode| {
        std::fs::write(path(name), text).expect("writes");
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).expect("is ours");
    };
    std::fs::create_dir(path("live")).expect("makes");
    put("live/fullchain.pem", "chain one", 0o600);
    put("live/privkey.pem", "key one", 0o600);
    put("systemctl", "#!/bin/sh\necho \"$@\" >>\"$(dirname \"$0\")/called\"\n", 0o755);
    let run = || {
        let group = rustix::process::getegid().as_raw().to_string();
        Command::new("sh")
            .arg(packaged("certbot-hook.sh"))
            .env("RENEWED_LINEAGE", path("live"))
            .env("LINCHPIN_TLS", path("tls"))
            .env("LINCHPIN_GROUP", group)
            .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
            .status()
            .expect("sh runs")
    };
    assert!(run().success());
    put("live/fullchain.pem", "chain two", 0o600);
    assert!(run().success());
    let read = |name: &str| std::fs::read_to_string(path(name)).expect(name);
    let mode = |name: &str| std::fs::metadata(path(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!((read("tls/fullchain.pem").as_str(), read("tls/privkey.pem").as_str()), ("chain two", "key one"));
    assert_eq!((mode("tls"), mode("tls/privkey.pem"), mode("tls/fullchain.pem")), (0o750, 0o640, 0o640));
    assert_eq!(read("called"), "reload linchpin\nreload linchpin\n");
    std::fs::remove_file(path("live/privkey.pem")).expect("removes");
    assert!(!run().success(), "half a pair is not installed");
    assert_eq!(read("tls/fullchain.pem"), "chain two");
}
