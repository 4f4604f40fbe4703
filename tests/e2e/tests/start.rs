//! Starting the server: what it says, what it leaves on the disk, and how it fails.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{BackEnd, Folder, Server, Wire, eventually, field, text};
use linchpin_e2e::Http;
use serde_json::Value;

fn mode(path: &Path) -> u32 {
    let found = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    found.permissions().mode() & 0o777
}

#[test]
fn the_ready_file_has_its_shape_and_is_private() {
    let server = Server::dev().start();
    let ready = server.ready().as_object().expect("an object");
    let names: Vec<_> = ready.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["admin", "api", "ca", "console", "devices", "metrics", "plain", "setup", "tls"],
        "keys of what is not asked for are absent"
    );
    let schema = include_str!("../../../docs/ready-file.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("the published schema");
    for name in &names {
        assert!(schema["properties"].get(name).is_some(), "the schema does not know {name}");
    }
    let ca = std::fs::read_to_string(text(server.ready(), "ca")).expect("the authority's certificate");
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----") && !ca.contains("PRIVATE"), "{ca}");
    assert_eq!(mode(&server.data_path().join("ca.key")), 0o600);
    assert!(server.address().ip().is_loopback() && server.address().port() != 0);
    assert_eq!(text(server.ready(), "admin"), server.data_path().join("admin.sock").to_str().expect("UTF-8"));

    let devices = field(server.ready(), "devices").as_array().expect("a list").clone();
    assert_eq!(devices.len(), 3);
    let with_template = devices.iter().filter(|device| device.get("template").is_some_and(Value::is_string)).count();
    assert_eq!(with_template, 1, "two of the three devices have no template");
    for device in &devices {
        let token = text(device, "token");
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(token.len() == 32 && token.bytes().all(is_token), "a token of another shape");
        assert!(field(device, "id").is_u64(), "ids are numbers");
    }
    assert_eq!(mode(&server.folder().join("ready.json")), 0o600, "the ready file holds tokens");
}

#[test]
fn tls_can_be_switched_off() {
    let server = Server::dev().option("--tls", "off").start();
    let names: Vec<_> = server.ready().as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, ["admin", "api", "console", "devices", "metrics", "plain", "setup"]);
}

#[test]
fn the_data_directory_and_the_admin_socket_are_private() {
    let server = Server::dev().start();
    assert_eq!(mode(&server.data_path()), 0o700);
    assert_eq!(mode(&server.data_path().join("admin.sock")), 0o600);
}

/// What others may write into, or another user owns, could be exchanged under the server.
#[test]
fn a_data_directory_of_others_is_not_used() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let expect_refused = |words: &str| {
        let Err((status, log)) = Server::dev().option("--data", &data).try_start() else { panic!("it must not start") };
        assert!(!status.success() && log.contains(words), "{log}");
        assert_eq!(std::fs::read_dir(&data).expect("a folder").count(), 0, "something was written");
    };
    for others in [0o777, 0o770, 0o757] {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(others)).expect("its own folder");
        expect_refused("chmod go-w");
    }
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).expect("its own folder");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&data, Some(65_534), None).expect("root may");
        expect_refused("this server runs as root: chown");
    }
}

#[test]
fn more_devices_get_a_private_file_of_tokens_and_all_log_in() {
    let server = Server::dev().shards(3).devices(40).start();
    assert_eq!(mode(&server.folder().join("tokens")), 0o600);
    let devices = server.more_devices();
    assert_eq!(devices.len(), 40);
    let wires: Vec<_> = devices.iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    let online = field(&server.ask(&["status"]), "online").as_u64();
    assert_eq!(online, Some(40));
    drop(wires);
    server.expect_no_token_in_log(&devices);
}

#[test]
fn a_busy_port_names_the_flag_that_helps() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = busy.local_addr().expect("its address").to_string();
    let start = Server::dev();
    let Err((status, log)) = start.option("--plain", &address).try_start() else { panic!("{address} is busy") };
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(&address) && log.contains("--plain"), "names the address and the flag: {log}");
    let Err((status, log)) = Server::dev().option("--tls", &address).try_start() else { panic!("{address} is busy") };
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(&format!("{address} is in use")) && log.contains("--tls"), "{log}");
    assert!(!log.contains("with --plain"), "the flag that would not help: {log}");
}

/// C15: whoever asks for a free port means both.
#[test]
fn a_free_port_for_devices_means_one_for_tls_too() {
    // Whether it is busy already or by this, 9443 is not to be had.
    let busy = TcpListener::bind("127.0.0.1:9443");
    let server = Server::dev().without("--tls").start();
    let port = server.tls_address().port();
    assert!(port != 9443 && port != 0 && port != server.address().port(), "{port}");
    drop(busy);
}

#[test]
fn a_second_server_on_the_same_data_directory_is_refused() {
    let first = Server::dev().start();
    let Err((status, log)) = Server::dev().option("--data", first.data_path()).try_start() else {
        panic!("two servers on one data directory")
    };
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("--data"), "names the flag: {log}");
    let device = &first.devices()[1];
    Wire::login(first.address(), &device.token).expect_pong();
}

#[test]
fn the_socket_of_a_server_that_was_killed_is_in_nobodys_way() {
    let mut first = Server::dev().start();
    let data_path = first.data_path();
    first.signal(rustix::process::Signal::KILL);
    eventually(EFFECT, "it is dead", || first.has_ended().then_some(()));
    assert!(data_path.join("admin.sock").exists(), "a killed server cannot tidy up");
    let second = Server::dev().option("--data", &data_path).start();
    Wire::login(second.address(), &second.devices()[0].token).expect_pong();
}

#[test]
fn the_start_message_says_what_runs_and_what_to_copy() {
    let server = Server::dev().back_end(BackEnd::Portable).start();
    let log = server.log();
    let port = server.address().port().to_string();
    for device in server.devices() {
        assert!(log.contains(&device.token), "tokens are shown once, to whoever started it");
    }
    for words in ["portable", "linchpin dev --lan", "blynklib", "blynk-library", "state is in", "connections", &port] {
        assert!(log.contains(words), "no {words:?} in {log}");
    }
}

#[test]
fn io_uring_works_with_the_features_of_its_oldest_kernel() {
    let server =
        Server::dev().back_end(BackEnd::IoUring).option("--driver-features", "6.1").shards(3).devices(20).start();
    let log = server.log();
    assert!(log.contains("io_uring"), "{log}");
    for device in server.more_devices() {
        let mut wire = Wire::login(server.address(), &device.token);
        wire.send_parts(linchpin_compat::command::HARDWARE, &["vw", "1", "x"]);
        wire.expect_pong();
        assert_eq!(server.value(&device, "V1").as_deref(), Some("x"));
    }
}

#[test]
fn a_wrong_flag_is_a_usage_error() {
    let Err((status, log)) = Server::dev().option("--driver", "fastest").try_start() else { panic!("no such driver") };
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("io_uring") && log.contains("portable"), "lists what there is: {log}");
}

#[test]
fn the_devices_of_a_file_are_written_together_and_found_again() {
    const DEVICES: usize = 300;
    let folder = Folder::new();
    let token = folder.path().join("token");
    std::fs::write(&token, "a".repeat(32)).expect("writes");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    let same = "[[device]]\nname = \"Pump\"\n".repeat(DEVICES);
    // A token that is there twice is one device.
    let twice = format!("[[device]]\nname = \"Tank\"\ntoken_file = {token:?}\n").repeat(2);
    let config = format!(
        "[listen]\nplain = [\"127.0.0.1:0\"]\nmetrics = \"127.0.0.1:0\"\n[data]\ndir = \"@/data\"\n{same}{twice}"
    );
    let mut server = Server::serve(&config).start();
    let first = server.devices();
    let page = Http::connect(text(server.ready(), "metrics").parse().expect("an address")).get("/metrics").body;
    let line = page.lines().find_map(|line| line.strip_prefix("linchpin_store_commits_total "));
    let commits: usize = line.and_then(|count| count.parse().ok()).expect("a number");
    assert!(commits < DEVICES / 3, "{commits} commits for {DEVICES} devices");
    let ids: std::collections::BTreeSet<_> = first.iter().map(|device| device.id.clone()).collect();
    assert_eq!(ids.len(), DEVICES + 1, "each table without a token is a device, a token is one");
    server.restart();
    let again = server.devices();
    assert!(first.iter().zip(&again).all(|(before, now)| (&before.id, &before.token) == (&now.id, &now.token)));
}
