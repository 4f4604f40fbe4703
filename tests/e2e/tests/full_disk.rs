//! A server whose disk of 64 MiB runs full, twice: logins, pings and reads go on, changes are refused with a reason, and
//! writing goes on within 2 s of space. `LINCHPIN_FULLS=20` does it more often. Needs root, for a disk of its own.

#![allow(clippy::print_stdout, reason = "the report of a test")]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Device, Folder, Server, Wire, command, eventually, status, text};
use linchpin_e2e::Http;

/// A loop-mounted file system.
struct Disk {
    folder: Folder,
}

fn run(program: &str, arguments: &[&Path]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Disk {
    fn new(mebibytes: u64) -> Self {
        let folder = Folder::new();
        let image = folder.path().join("image");
        File::create(&image).and_then(|file| file.set_len(mebibytes << 20)).expect("an image");
        let disk = Self { folder };
        std::fs::create_dir(disk.mount()).expect("a folder");
        run("mkfs.ext4", &[Path::new("-q"), Path::new("-F"), Path::new("-m"), Path::new("0"), &image]);
        run("mount", &[Path::new("-o"), Path::new("loop"), &image, &disk.mount()]);
        disk
    }

    fn mount(&self) -> PathBuf {
        self.folder.path().join("mount")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server of a failed test may still hold files.
        let _ = Command::new("umount").arg("-l").arg(self.mount()).status();
    }
}

/// Somebody else's file grows as long as the disk has room.
fn fill(path: &Path) {
    let mut file = File::options().create(true).append(true).open(path).expect("a file");
    let block = vec![7; 64 << 10];
    while file.write_all(&block).is_ok() {}
    let _ = file.sync_all();
}

/// What devices do all the time works at once.
fn expect_service(server: &Server, device: &Device, wire: &mut Wire, other: &Device, value: &str) {
    wire.expect_pong();
    wire.send_parts(command::HARDWARE, &["vw", "3", value]);
    let mut http = Http::connect(server.address());
    eventually(EFFECT, "a value is read back", || (http.api(device, "get?v3").body == value).then_some(()));
    Wire::login(server.address(), &other.token).expect_pong();
    let begun = Instant::now();
    wire.expect_pong();
    assert!(begun.elapsed() < Duration::from_secs(2), "a ping takes {:?}", begun.elapsed());
}

/// A change: unlike events it may be tried as often as one likes.
fn label(server: &Server, device: &Device, text: &str) -> (u16, String) {
    let reply = Http::connect(server.address()).api(device, &format!("update/property?pin=v1&label={text}"));
    (reply.status, reply.body)
}

/// What monitoring hears.
fn expect_ready(server: &Server, status: u16, said: &str) {
    let address = text(server.ready(), "metrics").parse().expect("an address");
    eventually(EFFECT, &format!("/readyz says {said}"), || {
        let reply = Http::connect(address).get("/readyz");
        (reply.status == status && reply.body.contains(said)).then_some(())
    });
}

#[test]
fn a_full_disk_refuses_changes_and_nothing_else() {
    let is_root = rustix::process::getuid().is_root();
    if !linchpin_tests::can_or_left_out(is_root, "a full disk of the server: needs root") {
        return;
    }
    let times: u32 = std::env::var("LINCHPIN_FULLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let disk = Disk::new(64);
    let mut server = Server::dev()
        .shards(2)
        .devices(512)
        .option("--set", "message_burst=10000")
        .option("--data", disk.mount().join("data"))
        .start();
    let device = server.devices()[1].clone();
    // One device may not log in again and again.
    let others = server.more_devices();
    let other = |n: usize| &others[n % others.len()];
    let mut wire = Wire::login(server.address(), &device.token);
    wire.expect_status(command::INTERNAL, &["h-beat", "30"], status::OK);
    // History is stored once, so that the week's partitions exist: a disk that fills up within a millisecond while one is
    // made is a failed disk to the store.
    wire.send_parts(command::HARDWARE, &["vw", "3", "1"]);
    assert_eq!(Http::connect(server.address()).api(&device, "data/get?pin=v3").status, 200);
    let filler = disk.mount().join("filler");
    let mut slowest = Duration::ZERO;
    // Those that were answered with 200 after the disk was full.
    let mut events = Vec::new();
    for round in 0..times {
        expect_service(&server, &device, &mut wire, other(511 - round as usize), &format!("{round}"));
        let (status, text) = label(&server, &device, &format!("before{round}"));
        assert_eq!(status, 200, "in round {round}: {text}");
        eventually(EFFECT, "changes are refused", || {
            // Again, because the server removes files of its own when they are written elsewhere.
            fill(&filler);
            let code = format!("full{round}x{}", events.len());
            let reply = Http::connect(server.address()).api(&device, &format!("logEvent?code={code}&description=x"));
            if reply.status == 200 {
                events.push(code);
            }
            let (status, text) = label(&server, &device, &format!("full{round}"));
            (status == 503 && text.contains("disk is full")).then_some(())
        });
        // At once and every time: the shards have not heard of it yet, or have.
        for n in 0..50 {
            wire.expect_status(command::PROPERTY, &["1", "label", &format!("frame{n}")], 19);
        }
        expect_ready(&server, 503, "the disk is full");
        for n in 0..20 {
            expect_service(&server, &device, &mut wire, other(20 * round as usize + n), &format!("{round}.{n}"));
        }
        wire.expect_status(command::PROPERTY, &["1", "label", "x"], 19);
        let data_path = disk.mount().join("data");
        let added = Command::new(linchpin_compat::linchpin_path())
            .args(["device", "add", "--data"])
            .arg(&data_path)
            .output()
            .expect("start the binary");
        let said = String::from_utf8_lossy(&added.stderr).into_owned();
        assert!(!added.status.success() && said.contains("the disk is full"), "{said}");
        std::fs::remove_file(&filler).expect("remove the file");
        let begun = Instant::now();
        let after = format!("after{round}");
        let taken = || (label(&server, &device, &after).0 == 200).then_some(());
        eventually(EFFECT, "changes are taken again", taken);
        slowest = slowest.max(begun.elapsed());
        expect_ready(&server, 200, "ok, ");
    }
    println!("{times} times full: changes were taken again after {} ms at most", slowest.as_millis());
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    server.restart();
    let value = format!("{}.19", times - 1);
    assert_eq!(Http::connect(server.address()).api(&device, "get?v3").body, value);
    // What was acknowledged is there, not what was refused.
    let last = format!("after{}", times - 1);
    eventually(EFFECT, "all that was acknowledged is there", || {
        let shown = Command::new(linchpin_compat::linchpin_path())
            .args(["device", "show", &device.id, "--json", "--data"])
            .arg(disk.mount().join("data"))
            .output()
            .expect("start the binary");
        let view = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(!view.contains("frame"), "{view}");
        (view.contains(&last) && events.iter().all(|code| view.contains(code.as_str()))).then_some(())
    });
    let _ = server.stop();
}
