//! `engine.idle_receive = "poll"`: who waits with a poll is served as everybody else.

use std::time::Duration;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Frame, Server, Wire, command, eventually};

const DEVICES: usize = 6;

fn config() -> String {
    let devices: String = (0..DEVICES).map(|n| format!("[[device]]\nname = \"device {n}\"\n")).collect();
    let engine = "[engine]\nshards = 2\ndriver = \"io_uring\"\nidle_receive = \"poll\"\n";
    format!("[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n{engine}{devices}")
}

/// How the kernel says that the server's rings wait: the operation of each entry of its poll lists. None for a user who may
/// not look into a server, which is not dumpable.
fn waiting(server: &Server) -> Option<Vec<u8>> {
    let folder = format!("/proc/{}/fdinfo", server.pid());
    let mut operations = Vec::new();
    for entry in std::fs::read_dir(folder).ok()? {
        // A descriptor may be closed meanwhile.
        let Ok(text) = std::fs::read_to_string(entry.ok()?.path()) else { continue };
        let words = text.lines().filter_map(|line| line.trim().strip_prefix("op=")?.split(',').next());
        operations.extend(words.filter_map(|word| word.parse::<u8>().ok()));
    }
    Some(operations)
}

#[test]
fn devices_that_wait_with_a_poll_are_served() {
    let server = Server::serve(&config()).start();
    let devices = server.devices();
    assert_eq!(devices.len(), DEVICES);
    // On both shards: half of them are moved to theirs after the login.
    let mut wires: Vec<Wire> = devices.iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    for round in 0..3 {
        for (wire, device) in wires.iter_mut().zip(&devices) {
            wire.expect_pong();
            // Idle in between: by now it waits again.
            std::thread::sleep(Duration::from_millis(20));
            let value = (round * 7).to_string();
            wire.send_parts(command::HARDWARE, &["vw", "4", &value]);
            eventually(EFFECT, "the value", || server.value(device, "V4").filter(|kept| *kept == value));
        }
    }

    // IORING_OP_POLL_ADD is 6, IORING_OP_RECV 27. The kernel leaves the list out while the ring is busy.
    if waiting(&server).is_some() {
        eventually(EFFECT, "all devices wait with a poll and none with a receive", || {
            let operations = waiting(&server)?;
            let polls = operations.iter().filter(|op| **op == 6).count();
            (polls >= DEVICES && !operations.contains(&27)).then_some(())
        });
    }

    // What is for a device that waits reaches it, and more than one receive buffer of it is read whole.
    server.write(&devices[0], "V5", "22");
    let came = wires[0].receive(EFFECT).expect("the value that was written");
    assert_eq!((came.command, &came.body[..]), (command::HARDWARE, &b"vw\x005\x0022"[..]));
    // Pings beyond their bucket are not answered, so the bytes are those of values.
    let text = "x".repeat(400);
    let writes =
        (1..=30).flat_map(|id| Frame::new(command::HARDWARE, id, format!("vw\x006\0{text}{id}").as_bytes()).bytes());
    let pings = (31..=60).flat_map(|id| Frame::new(command::PING, id, b"").bytes());
    wires[1].send_bytes(&writes.chain(pings).collect::<Vec<u8>>());
    for id in 31..=60 {
        assert_eq!(wires[1].receive(EFFECT), Some(Frame::response(id, linchpin_compat::status::OK)));
    }
    eventually(EFFECT, "the last value", || server.value(&devices[1], "V6").filter(|kept| kept.ends_with("x30")));

    // One that ends, one that breaks in the middle of a frame.
    let rest = wires.split_off(2);
    wires[1].send_bytes(&[command::HARDWARE, 0]);
    drop(wires);
    eventually(EFFECT, "both are offline", || {
        devices[..2].iter().all(|device| !server.is_online(device)).then_some(())
    });
    for mut wire in rest {
        wire.expect_pong();
    }
}
