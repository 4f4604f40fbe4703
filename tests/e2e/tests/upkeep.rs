//! Keys, erasing, checks, backups and organizations: on the running server and without it.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use linchpin_compat::limits::{EFFECT, START};
use linchpin_compat::{Device, Folder, Server, Wire, command, eventually, field, installed_path, linchpin_path, text};
use linchpin_e2e::Http;
use linchpin_e2e::authority::free_port;
use serde_json::Value;

fn device_with_values(server: &Server) -> Device {
    let device = server.devices()[1].clone();
    let mut http = Http::connect(server.address());
    for value in 1..=5 {
        assert_eq!(http.api(&device, &format!("update?v1={value}")).status, 200);
    }
    assert_eq!(http.api(&device, "update/property?pin=v1&label=Boiler").status, 200);
    device
}

/// Run the binary with an environment of its own.
fn linchpin(args: &[&str], environment: &[(&str, &str)]) -> (String, String, ExitStatus) {
    let mut line = Command::new(linchpin_path());
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"] {
        line.env_remove(name);
    }
    let output = line.args(args).envs(environment.iter().copied()).env("NO_COLOR", "1").stdin(Stdio::null()).output();
    let output = output.expect("start the binary");
    let text = |bytes| String::from_utf8(bytes).expect("output in UTF-8");
    (text(output.stdout), text(output.stderr), output.status)
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn keys_rotate_under_a_running_server_and_without_one() {
    let mut server = Server::dev().shards(2).start();
    let device = device_with_values(&server);
    let before = server.ask(&["keys", "status"]);
    let mut wire = Wire::login(server.address(), &device.token);
    let rotated = server.ask(&["keys", "rotate"]);
    assert!(
        field(&rotated, "resealed").as_u64() > Some(0) && field(&rotated, "retired") == &Value::Bool(true),
        "{rotated}"
    );
    wire.expect_pong();
    let _ = server.ask(&["keys", "rotate-root"]);
    let verified = server.ask(&["store", "verify"]);
    assert!(field(&verified, "records").as_u64() > Some(5), "{verified}");
    server.restart();
    assert_eq!(server.value(&device, "V1").as_deref(), Some("5"));
    let _ = server.stop();
    // Nobody has it open now: the same commands do it here.
    let (_, stderr, done) = server.operate(&["keys", "rotate"]);
    assert!(done.success(), "{stderr}");
    let after = server.ask(&["keys", "status"]);
    let number = |status: &Value, name: &str| field(status, name).as_u64().expect("a number");
    assert_eq!(number(&after, "root_version"), number(&before, "root_version") + 1);
    assert_eq!(number(&after, "key_version"), number(&before, "key_version") + 2);
    server.start_again();
    assert_eq!(server.value(&device, "V1").as_deref(), Some("5"));
}

#[test]
fn another_source_of_the_key_is_taken_and_the_old_one_opens_nothing() {
    let mut server = Server::dev().start();
    let device = device_with_values(&server);
    let new = server.folder().join("new.key");
    let digits = "5a".repeat(32);
    std::fs::write(&new, &digits).expect("a key");
    set_mode(&new, 0o644);
    let source = format!("file:{}", utf8(&new));
    let (_, stderr, done) = server.operate(&["keys", "rewrap", "--to", &source]);
    assert!(!done.success() && stderr.contains("chmod 600"), "{stderr}");
    set_mode(&new, 0o600);
    let (_, stderr, done) = server.operate(&["keys", "rewrap", "--to", &source]);
    assert!(done.success(), "{stderr}");
    let _ = server.stop();
    let (_, stderr, done) = server.operate(&["store", "verify"]);
    assert!(!done.success() && stderr.contains("key"), "{stderr}");
    let (stdout, stderr, done) = server.operate(&["store", "verify", "--unseal", &source]);
    assert!(done.success() && stdout.contains("records"), "{stdout} {stderr}");
    let data_path = server.data_path();
    let args =
        ["keys", "rewrap", "--to", "environment:LINCHPIN_TEST_KEY", "--unseal", &source, "--data", utf8(&data_path)];
    let (_, stderr, done) = linchpin(&args, &[]);
    assert!(!done.success() && stderr.contains("LINCHPIN_TEST_KEY"), "{stderr}");
    let (_, stderr, done) = linchpin(&args, &[("LINCHPIN_TEST_KEY", &digits)]);
    assert!(done.success(), "{stderr}");
    let key = server.data_path().join("unseal.key");
    std::fs::write(&key, digits.as_bytes()).expect("the key in its usual place");
    server.start_again();
    assert_eq!(server.value(&device, "V1").as_deref(), Some("5"));
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its own file");
}

#[test]
fn an_erased_organization_is_gone_here_and_in_the_backups() {
    let mut server = Server::dev().shards(2).start();
    let backups = server.folder().join("backups");
    let org = field(&server.ask(&["org", "add", "Tenant"]), "org").to_string();
    // By its name, whatever the case, or by its number.
    let added = server.ask(&["device", "add", "--org", "tenant", "--name", "Pump"]);
    let (id, token) = (field(&added[0], "id").to_string(), text(&added[0], "token").to_owned());
    let device = Device { id: id.clone(), token: token.clone(), template: None };
    assert_eq!(Http::connect(server.address()).api(&device, "update?v1=7").status, 200);
    let staying = device_with_values(&server);
    let made = server.ask(&["backup", "create", "--to", utf8(&backups)]);
    let mut wire = Wire::login(server.address(), &token);
    let (_, stderr, done) = server.operate(&["erase", "--org", "Tenant", "--backups", utf8(&backups)]);
    assert!(!done.success() && stderr.contains("nothing was erased"), "it asks first: {stderr}");
    let (_, stderr, done) = server.operate(&["erase", "--org", &org, "--yes", "--backups", utf8(&backups)]);
    assert!(done.success(), "{stderr}");
    wire.expect_end(EFFECT);
    let mut wire = Wire::connect(server.address());
    let login = wire.send(command::LOGIN, token.as_bytes());
    assert_eq!(wire.receive(EFFECT).map(|frame| (frame.id, frame.status_or_len)), Some((login, 9)));
    let (_, stderr, done) = server.operate(&["erase", "--org", "1", "--yes"]);
    assert!(!done.success() && stderr.contains("server's own"), "{stderr}");
    server.restart();
    let (_, _, done) = server.operate(&["device", "show", &id]);
    assert!(!done.success());
    assert_eq!(server.value(&staying, "V1").as_deref(), Some("5"));
    // The backup from before holds nothing of it that could be read, and all of the others.
    let restored = server.folder().join("restored");
    let key = format!("file:{}", utf8(&server.data_path().join("unseal.key")));
    let backup = text(&made, "id");
    let args = ["backup", "restore", backup, "--from", utf8(&backups), "--into", utf8(&restored), "--unseal", &key];
    let (stdout, stderr, done) = linchpin(&args, &[]);
    assert!(done.success(), "{stdout} {stderr}");
    let (stdout, stderr, done) = linchpin(&["org", "list", "--data", utf8(&restored), "--unseal", &key, "--json"], &[]);
    assert!(done.success() && !stdout.contains("Tenant"), "{stdout} {stderr}");
}

#[test]
fn a_device_is_erased_with_its_history() {
    let mut server = Server::dev().start();
    let device = device_with_values(&server);
    let (_, stderr, done) = server.operate(&["erase", "--device", &device.id, "--yes"]);
    assert!(done.success(), "{stderr}");
    let (_, stderr, done) = server.operate(&["erase", "--device", &device.id, "--yes"]);
    assert!(!done.success() && stderr.contains("no device"), "{stderr}");
    let other = server.devices()[2].clone();
    let _ = server.stop();
    let (_, stderr, done) = server.operate(&["erase", "--device", &other.id, "--yes"]);
    assert!(done.success(), "{stderr}");
    let (_, stderr, done) = server.operate(&["erase", "--device", &other.id, "--yes"]);
    assert!(!done.success() && stderr.contains("no device"), "{stderr}");
}

/// Create, list, verify and restore at a place, with a server that starts from what was restored.
fn backups_work(place: &str, environment: &[(&str, &str)]) {
    let mut server = Server::dev().shards(2).start();
    let device = device_with_values(&server);
    let _ = server.stop();
    let (data_path, key) = (server.data_path(), server.data_path().join("unseal.key"));
    let source = format!("file:{}", utf8(&key));
    let create = ["backup", "create", "--to", place, "--keep", "2", "--data", utf8(&data_path), "--json"];
    let mut ids = Vec::new();
    for round in 0..3 {
        let (stdout, stderr, done) = linchpin(&create, environment);
        assert!(done.success(), "{stderr}");
        let made: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!(field(&made, "removed").as_u64(), Some(u64::from(round == 2)), "{made}");
        ids.push(text(&made, "id").to_owned());
    }
    let (stdout, stderr, done) = linchpin(&["backup", "list", "--from", place, "--json"], environment);
    assert!(done.success(), "{stderr}");
    assert_eq!(serde_json::from_str::<Vec<String>>(&stdout).expect("JSON"), ids[1..]);
    let (_, stderr, done) = linchpin(&["backup", "verify", "--from", place, "--unseal", &source], environment);
    assert!(done.success(), "{stderr}");
    let (_, stderr, done) = linchpin(&["backup", "verify", &ids[0], "--from", place, "--unseal", &source], environment);
    assert!(!done.success() && stderr.contains(&ids[0]), "it was removed: {stderr}");
    let into = server.folder().join("restored");
    std::fs::create_dir(&into).expect("a folder");
    let restore = ["backup", "restore", "--from", place, "--into", utf8(&into), "--unseal", &source];
    let (stdout, stderr, done) = linchpin(&restore, environment);
    assert!(done.success() && stdout.contains("records"), "{stdout} {stderr}");
    let (_, stderr, done) = linchpin(&restore, environment);
    assert!(!done.success() && stderr.contains("not empty"), "{stderr}");
    std::fs::copy(&key, into.join("unseal.key")).expect("the key beside it");
    let again = Server::dev().option("--data", &into).start();
    assert!(again.devices()[1] == device, "the same device with the same token");
    let view = Http::connect(again.address()).api(&device, "get?v1");
    assert_eq!((view.status, view.body.as_str()), (200, "5"));
}

#[test]
fn backups_go_to_a_folder_and_come_back() {
    let folder = Folder::new();
    backups_work(utf8(&folder.path().join("backups")), &[]);
}

/// moto's S3 server on a free port; ended when dropped.
struct S3 {
    child: Child,
    address: SocketAddr,
}

impl S3 {
    fn start() -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let program: PathBuf = installed_path().join("moto/bin/moto_server");
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &free.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts: make setup");
        let s3 = Self { child, address: free };
        eventually(START, "moto listens", || TcpStream::connect(free).ok());
        s3
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn backups_go_to_a_bucket_and_come_back() {
    let s3 = S3::start();
    let url = s3.url();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", &*url),
    ];
    let mut http = Http::connect(s3.address);
    assert_eq!(http.ask("PUT", "/devices", "", b"").status, 200, "a bucket");
    backups_work("s3://devices/linchpin", &environment);
    let (_, stderr, done) = linchpin(&["backup", "list", "--from", "s3://nobucket"], &environment);
    assert!(!done.success() && stderr.contains("nobucket"), "{stderr}");
    let (_, stderr, done) = linchpin(&["backup", "list", "--from", "s3://devices"], &[]);
    assert!(!done.success() && stderr.contains("AWS_ACCESS_KEY_ID is not set"), "{stderr}");
}

#[test]
fn a_place_that_is_not_there_is_said_and_changes_nothing() {
    let server = Server::dev().start();
    let closed = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let url = format!("http://{closed}");
    let environment = [
        ("AWS_ACCESS_KEY_ID", "a-secret-id"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-key"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", &*url),
    ];
    let (_, stderr, done) = linchpin(&["backup", "list", "--from", "s3://devices"], &environment);
    assert!(!done.success() && stderr.contains("s3://devices"), "{stderr}");
    assert!(!stderr.contains("a-secret"), "no credential is in an error: {stderr}");
    let (_, stderr, done) = server.operate(&["backup", "create"]);
    assert!(!done.success() && stderr.contains("--to"), "{stderr}");
    let (_, stderr, done) = server.operate(&["backup", "create", "--to", "relative/path"]);
    assert!(!done.success() && stderr.contains("absolute path"), "{stderr}");
    let folder = Folder::new();
    let (_, stderr, done) = linchpin(&["backup", "verify", "--from", utf8(folder.path())], &[]);
    assert!(!done.success() && stderr.contains("no complete backup"), "{stderr}");
    let memory = Server::dev().flag("--memory").start();
    let (_, stderr, done) = memory.operate(&["keys", "status"]);
    assert!(!done.success() && stderr.contains("in memory"), "{stderr}");
}
