//! The admin socket, with shards that are only a table of devices.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use linchpin_control::{
    Answers, CommandLane, Control, Duties, Facts, Keep, NewDevices, Registry, Shards, StartError, Upkeep, limits,
};
use linchpin_protocol::model::{DeviceId, Template, TemplateId};
use linchpin_shard::{Command, DeviceRow, End, Push, Report, ShardStatus};
use linchpin_storage::{Settings, Steps, Store, Unseal};
use serde_json::{Value, json};

const SHARDS: u16 = 2;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to, and how fast.
type Drain = (Option<(Box<str>, u16)>, u32);

/// What a shard was told, and its answers.
#[derive(Default)]
struct Told {
    devices: BTreeMap<DeviceId, Option<TemplateId>>,
    index_entries: usize,
    pushes: Vec<(DeviceId, Push)>,
    drains: Vec<Drain>,
    /// Takes commands and never answers.
    silent: bool,
    /// Takes no commands.
    full: bool,
}

#[derive(Clone)]
struct FakeShard {
    told: Arc<Mutex<Told>>,
    answers: Answers,
}

impl CommandLane for FakeShard {
    fn push(&self, command: Command) -> Result<(), Box<Command>> {
        let mut told = self.told.lock().expect("no panic");
        if told.full {
            return Err(Box::new(command));
        }
        let row = |(id, template): (&DeviceId, &Option<TemplateId>)| DeviceRow {
            id: *id,
            template: *template,
            online: id.get() % 2 == 0,
            last_seen_s: 0,
        };
        let (to, report) = match command {
            Command::AddDevice { device, template, .. } => {
                told.devices.insert(device, template);
                return Ok(());
            }
            Command::IndexToken { .. } => {
                told.index_entries += 1;
                return Ok(());
            }
            Command::PutTemplate(_) | Command::UnindexToken(_) => return Ok(()),
            Command::RemoveDevice { request, device } => {
                let known = told.devices.remove(&device).is_some();
                (request, if known { Report::Done } else { Report::NoSuchDevice })
            }
            Command::Drain { redirect, per_second } => {
                told.drains.push((redirect, per_second));
                return Ok(());
            }
            Command::Status(to) => {
                let devices = told.devices.len() as u64;
                let ends = vec![(End::PeerClosed, 3), (End::Busy, 1)];
                (to, Report::Status(Box::new(ShardStatus { devices, frames: 10, ends, ..ShardStatus::default() })))
            }
            Command::Devices { request, after, limit } => {
                let rows = told.devices.iter().filter(|d| d.0.get() > after).map(row).take(limit as usize);
                (request, Report::Devices(rows.collect()))
            }
            Command::Push { request, device, push } => {
                let known = told.devices.contains_key(&device);
                told.pushes.push((device, push));
                let online = device.get() % 2 == 0;
                let report = if !known {
                    Report::NoSuchDevice
                } else if online {
                    Report::Done
                } else {
                    Report::Offline
                };
                (request, report)
            }
            other => panic!("no test needs {other:?}"),
        };
        if !told.silent {
            self.answers.give(to, report);
        }
        Ok(())
    }
}

/// A control plane in a folder of its own.
struct World {
    folder: PathBuf,
    shards: Vec<FakeShard>,
    control: Option<Control>,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn new_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("linchpin-admin-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn own_uid(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).expect("exists").uid()
}

fn start_at(socket: &Path, owner: u32, devices: u32) -> Result<(Control, Vec<FakeShard>), StartError> {
    let mut registry = Registry::new(SHARDS, [7; 32]);
    let id = TemplateId::parse(b"TMPLtest").expect("valid");
    registry.put_template(Template::new(id, "Test".into(), Vec::new(), Vec::new())).expect("room");
    let made = registry.add(&NewDevices { count: devices, name: "pump".into(), ..NewDevices::default() });
    let mut known = Vec::new();
    for device in made.expect("room") {
        known.push(registry.introduce(&device.entry));
        known.push(registry.index(device.entry.id, registry.digest(&device.token)));
    }
    let (control, shards) = start_with(socket, owner, registry, None)?;
    for (shard, command) in known {
        assert!(shards[shard.index()].push(command).is_ok(), "a fake shard takes it");
    }
    Ok((control, shards))
}

fn start_with(
    socket: &Path,
    owner: u32,
    registry: Registry,
    upkeep: Option<Upkeep>,
) -> Result<(Control, Vec<FakeShard>), StartError> {
    let answers = Answers::default();
    let shards: Vec<_> = (0..SHARDS).map(|_| FakeShard { told: Arc::default(), answers: answers.clone() }).collect();
    let lanes = shards.iter().map(|shard| Box::new(shard.clone()) as Box<dyn CommandLane>).collect();
    let facts = Facts {
        commit: "1f2e3d",
        version: "1.2.3",
        driver: "fake".into(),
        capacity: 10,
        plain: vec!["127.0.0.1:1".parse().expect("an address")],
        tls: Vec::new(),
        mutual: Vec::new(),
        proxied: Vec::new(),
        started: Instant::now(),
        machine: None,
        counters: Vec::new(),
        certificate_end: None,
        config: None,
    };
    let control = linchpin_control::start(
        socket,
        owner,
        None,
        Shards::new(lanes, answers),
        registry,
        Duties { upkeep, ..Duties::default() },
        facts,
    )?;
    Ok((control, shards))
}

impl World {
    fn new(devices: u32) -> Self {
        let folder = new_folder();
        let (control, shards) = start_at(&folder.join("admin.sock"), own_uid(&folder), devices).expect("starts");
        Self { folder, shards, control: Some(control) }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("admin.sock")
    }

    fn dial(&self) -> Dialogue {
        Dialogue::dial(&self.socket())
    }

    /// The answer to one command, without its envelope.
    fn ask(&self, command: &str, parameters: Value) -> Value {
        let mut answer = self.dial().ask(command, parameters);
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer["ok"].take()
    }

    /// The code and the text of the error that one command gets.
    fn refusal(&self, command: &str, parameters: Value) -> (String, String) {
        let answer = self.dial().ask(command, parameters);
        let part = |name| answer["error"][name].as_str().unwrap_or_else(|| panic!("{command}: {answer}")).to_owned();
        (part("code"), part("text"))
    }

    fn told<T>(&self, read: impl Fn(&mut Told) -> T) -> Vec<T> {
        self.shards.iter().map(|shard| read(&mut shard.told.lock().expect("no panic"))).collect()
    }
}

struct Dialogue(BufReader<UnixStream>);

impl Dialogue {
    fn dial(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
        Self(BufReader::new(stream))
    }

    fn say(&mut self, line: &[u8]) {
        self.0.get_mut().write_all(line).expect("is read");
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn ask(&mut self, command: &str, mut parameters: Value) -> Value {
        parameters["id"] = 5.into();
        parameters["command"] = command.into();
        self.say(format!("{parameters}\n").as_bytes());
        let answer = self.hear();
        assert_eq!(answer["id"], 5, "{answer}");
        answer
    }

    fn is_over(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }
}

#[test]
fn status_is_the_sum_of_all_shards() {
    let world = World::new(5);
    let status = world.ask("status", json!({}));
    assert_eq!((&status["devices"], &status["frames"]), (&json!(5), &json!(20)));
    assert_eq!(status["ends"], json!({"E0101": 6, "E0502": 2}));
    assert_eq!(status["shards"].as_array().map(Vec::len), Some(usize::from(SHARDS)));
    assert_eq!((&status["version"], &status["capacity"]), (&json!("1.2.3"), &json!(10)));
}

#[test]
fn the_list_is_ordered_over_shards_and_comes_in_pages() {
    let world = World::new(250);
    let mut ids: Vec<u64> = Vec::new();
    loop {
        let after = ids.last().copied().unwrap_or(0);
        let page = world.ask("device.list", json!({"after": after, "limit": 100}));
        let page: Vec<_> =
            page.as_array().expect("a list").iter().map(|row| row["id"].as_u64().expect("an id")).collect();
        assert!(page.len() <= 100);
        if page.is_empty() {
            break;
        }
        ids.extend(page);
    }
    assert_eq!(ids, (1..=250).collect::<Vec<_>>());
    let first = &world.ask("device.list", json!({"limit": 1}))[0];
    assert_eq!(first, &json!({"id": 1, "name": "pump 1", "template": null, "online": false, "last_seen_s": null}));
    assert_eq!(world.refusal("device.list", json!({"limit": 1_001})).0, "bad-parameter");
}

#[test]
fn added_devices_are_announced_to_the_shards_before_the_answer() {
    let world = World::new(1);
    let made = world.ask("device.add", json!({"count": 3, "template": "TMPLtest", "name": "lamp"}));
    let made = made.as_array().expect("a list");
    let ids: Vec<_> = made.iter().map(|device| device["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids, [2, 3, 4]);
    assert!(made.iter().all(|device| device["token"].as_str().is_some_and(|token| token.len() == 32)));
    assert_eq!(world.told(|told| told.devices.len()).iter().sum::<usize>(), 4);
    assert_eq!(world.told(|told| told.index_entries).iter().sum::<usize>(), 4);
    for (parameters, code) in [
        (json!({"count": 0}), "bad-parameter"),
        (json!({"count": limits::ADD_DEVICES + 1}), "bad-parameter"),
        (json!({"count": "three"}), "bad-parameter"),
        (json!({"name": 7}), "bad-parameter"),
        (json!({"names": "lamp"}), "bad-parameter"),
        (json!({"org": 0}), "bad-parameter"),
        (json!({"template": "no such id!"}), "bad-parameter"),
        (json!({"template": "TMPLnone"}), "refused"),
        (json!({"name": "x".repeat(limits::NAME_BYTES + 1)}), "refused"),
    ] {
        assert_eq!(world.refusal("device.add", parameters.clone()).0, code, "{parameters}");
    }
    assert_eq!(world.ask("status", json!({}))["devices"], 4, "refused devices leave nothing behind");
}

/// A lane that is full for longer than anybody waits.
#[test]
fn a_full_lane_delays_shards_and_fails_nobody() {
    let world = World::new(1);
    world.told(|told| told.full = true);
    let made = world.ask("device.add", json!({"count": 2, "template": "TMPLtest"}));
    assert_eq!(made.as_array().map(Vec::len), Some(2), "what exists is a success");
    assert_eq!(world.told(|told| told.devices.len()).iter().sum::<usize>(), 1);
    let (code, text) = world.refusal("device.remove", json!({"device": 2}));
    assert!(code == "busy" && text.contains("has begun"), "{text}");
    world.told(|told| told.full = false);
    let begun = Instant::now();
    // The first of the two is gone by what was begun, the second has come: nobody asked again.
    let ids = || world.told(|told| told.devices.keys().map(|id| id.get()).collect::<Vec<_>>()).concat();
    while {
        let mut ids = ids();
        ids.sort_unstable();
        ids
    } != [1, 3]
    {
        assert!(begun.elapsed() < PATIENCE, "{:?}", ids());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(world.ask("device.remove", json!({"device": 2})), json!({"removed": 2}));
    assert_eq!(world.refusal("device.token", json!({"device": 2})).0, "no-such-device");
}

/// A disk that takes very long to erase a device.
#[test]
fn a_slow_disk_holds_up_nobody_else() {
    let folder = new_folder();
    let (reached, waits) = std::sync::mpsc::sync_channel(1);
    let (go_on, gate) = std::sync::mpsc::sync_channel::<()>(1);
    let gate = Mutex::new(gate);
    let steps = Steps::new(move |step| {
        if step == "erase: records deleted" {
            let _ = reached.try_send(());
            let _ = gate.lock().expect("no panic").recv_timeout(PATIENCE);
        }
    });
    let unseal = Unseal::Key(zeroize::Zeroizing::new([5; 32]));
    let settings = Settings { steps, ..Settings::new(folder.join("store"), unseal.clone()) };
    let keep = Keep::new(Arc::new(Store::open(settings).expect("a store")));
    let registry = Registry::stored(SHARDS, [7; 32], keep.load().expect("nothing yet"));
    let upkeep = Some(Upkeep::new(keep, unseal, None));
    let socket = folder.join("admin.sock");
    let (control, shards) = start_with(&socket, own_uid(&folder), registry, upkeep).expect("starts");
    let world = World { folder, shards, control: Some(control) };
    world.ask("device.add", json!({"count": 2}));

    let mut slow = world.dial();
    slow.say(b"{\"id\":5,\"command\":\"device.remove\",\"device\":1}\n");
    waits.recv_timeout(PATIENCE).expect("the disk is busy");
    let begun = Instant::now();
    assert_eq!(world.ask("device.list", json!({})).as_array().map(Vec::len), Some(1));
    assert_eq!(world.ask("device.token", json!({"device": 2}))["id"], 2);
    assert_eq!(world.ask("template.list", json!({})), json!([]));
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    go_on.send(()).expect("it waits");
    assert_eq!(slow.hear()["ok"], json!({"removed": 1}));
}

#[test]
fn writes_and_pushes_are_checked_before_a_shard_hears_of_them() {
    let world = World::new(2);
    assert_eq!(world.ask("device.write", json!({"device": 2, "pin": "V7", "value": "1"})), json!({"delivered": true}));
    assert_eq!(world.ask("device.write", json!({"device": 1, "pin": "a0", "value": ""})), json!({"delivered": false}));
    assert_eq!(world.ask("device.push", json!({"device": 2, "what": "reboot"})), json!({"delivered": true}));
    let heard = || world.told(|told| told.pushes.len()).iter().sum::<usize>();
    assert_eq!(heard(), 3);
    for (command, parameters, code) in [
        ("device.write", json!({"device": 2, "pin": "V256", "value": "1"}), "bad-parameter"),
        ("device.write", json!({"device": 2, "pin": "", "value": "1"}), "bad-parameter"),
        ("device.write", json!({"device": 0, "pin": "V1", "value": "1"}), "bad-parameter"),
        ("device.write", json!({"device": 2, "pin": "V1", "value": 1}), "bad-parameter"),
        ("device.write", json!({"device": 2, "pin": "V1", "value": "x".repeat(1_025)}), "value-too-long"),
        ("device.push", json!({"device": 2, "what": "ota", "url": "ftp://x"}), "bad-parameter"),
        ("device.push", json!({"device": 2, "what": "debug", "text": "a\u{0}b"}), "bad-parameter"),
        ("device.push", json!({"device": 2, "what": "explode"}), "bad-parameter"),
        ("device.explode", json!({}), "unknown-command"),
    ] {
        assert_eq!(world.refusal(command, parameters.clone()).0, code, "{command} {parameters}");
    }
    assert_eq!(heard(), 3);
    let (code, text) = world.refusal("device.push", json!({"device": 9, "what": "reboot"}));
    assert!(code == "no-such-device" && text.contains("device 9"), "{text}");
}

#[test]
fn a_drain_splits_its_pace_over_the_shards() {
    let world = World::new(1);
    world.ask("drain", json!({"redirect": "other.example:8080", "per_second": 5}));
    let expected = (Some(("other.example".into(), 8080)), 3);
    assert_eq!(world.told(|told| told.drains.clone()), [vec![expected.clone()], vec![expected]]);
    for redirect in ["other.example", ":80", "x:99999", &format!("{}:1", "x".repeat(300))] {
        assert_eq!(world.refusal("drain", json!({"redirect": redirect})).0, "bad-parameter", "{redirect}");
    }
}

#[test]
fn a_conversation_survives_mistakes_and_ends_at_a_line_without_end() {
    let world = World::new(1);
    let mut dialogue = world.dial();
    for line in [&b"this is no JSON\n"[..], b"\n", b"[1,2]\n", b"{\"id\":1}\n", b"\xff\xfe\n"] {
        dialogue.say(line);
        assert!(dialogue.hear().get("error").is_some());
    }
    assert!(dialogue.ask("status", json!({})).get("ok").is_some());
    // Two at once, and one in halves.
    dialogue.say(b"{\"id\":1,\"command\":\"status\"}\n{\"id\":2,\"command\":");
    assert_eq!(dialogue.hear()["id"], 1);
    dialogue.say(b"\"status\"}\n");
    assert_eq!(dialogue.hear()["id"], 2);

    dialogue.say(&vec![b'x'; limits::LINE_BYTES + 1]);
    assert_eq!(dialogue.hear()["error"]["code"], "line-too-long");
    assert!(dialogue.is_over(), "what follows would be taken for commands");
    assert!(world.dial().ask("status", json!({})).get("ok").is_some());
}

#[test]
fn shards_that_do_not_keep_up_are_named() {
    let world = World::new(2);
    world.told(|told| told.full = true);
    let (code, text) = world.refusal("status", json!({}));
    assert!(code == "busy" && text.contains(&limits::COMMANDS.to_string()), "{text}");
    world.told(|told| (told.full, told.silent) = (false, true));
    let (code, text) = world.refusal("status", json!({}));
    assert!(code == "no-answer" && text.contains("shard 0"), "{text}");
    world.told(|told| told.silent = false);
    assert_eq!(world.ask("status", json!({}))["devices"], 2);
}

#[test]
fn connections_beyond_the_cap_wait_for_a_seat() {
    let world = World::new(1);
    let mut seated: Vec<_> = (0..limits::ADMIN_CONNECTIONS).map(|_| world.dial()).collect();
    for dialogue in &mut seated {
        assert!(dialogue.ask("status", json!({})).get("ok").is_some());
    }
    let mut late = world.dial();
    late.0.get_ref().set_read_timeout(Some(Duration::from_millis(200))).expect("a time limit");
    late.say(b"{\"id\":5,\"command\":\"status\"}\n");
    assert!(late.0.read_line(&mut String::new()).is_err(), "no seat is free");
    seated.pop();
    late.0.get_ref().set_read_timeout(Some(PATIENCE)).expect("a time limit");
    assert_eq!(late.hear()["id"], 5);
}

#[test]
fn the_socket_is_private_and_goes_away_with_the_server() {
    let mut world = World::new(1);
    let mode = std::fs::metadata(world.socket()).expect("exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(world.control.take());
    assert!(!world.socket().exists());
}

#[test]
fn another_users_commands_are_refused() {
    let folder = new_folder();
    let socket = folder.join("admin.sock");
    let own = own_uid(&folder);
    // Root is always let in, so this shows something only for others; as root the other half of the rule is shown.
    let (_control, _shards) = start_at(&socket, own.wrapping_add(1), 1).expect("starts");
    let mut dialogue = Dialogue::dial(&socket);
    if own == 0 {
        assert!(dialogue.ask("status", json!({})).get("ok").is_some());
    } else {
        assert!(dialogue.is_over());
    }
    std::fs::remove_dir_all(&folder).expect("removes its own folder");
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else_is() {
    let folder = new_folder();
    let owner = own_uid(&folder);
    let stale = folder.join("stale.sock");
    drop(UnixListener::bind(&stale).expect("binds"));
    assert!(stale.exists(), "the standard library leaves the file");
    let (_control, _shards) = start_at(&stale, owner, 1).expect("takes its place");
    assert!(Dialogue::dial(&stale).ask("status", json!({})).get("ok").is_some());

    let error = start_at(&stale, owner, 1).map(drop).expect_err("somebody lives there");
    assert!(matches!(error, StartError::InUse { .. }) && error.to_string().contains("--data"), "{error}");

    let precious = folder.join("precious");
    std::fs::write(&precious, "kept").expect("writes");
    let error = start_at(&precious, owner, 1).map(drop).expect_err("not a socket");
    assert!(matches!(error, StartError::NotASocket { .. }), "{error}");
    assert_eq!(std::fs::read(&precious).expect("still there"), b"kept");

    let long = folder.join("x".repeat(limits::SOCKET_PATH_BYTES));
    assert!(matches!(start_at(&long, owner, 1).map(drop), Err(StartError::SocketPath { .. })));
    std::fs::remove_dir_all(&folder).expect("removes its own folder");
}
