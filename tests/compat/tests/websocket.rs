//! Devices over WebSocket: the npm client's own WebSocket class on `ws`, and a strict counterpart on `wsproto`.

use std::path::Path;
use std::process::Command;

use linchpin_compat::{BackEnd, Library, Server, installed_path, scenario};

fn matrix(back_end: BackEnd, shards: u16) {
    let server = Server::dev().back_end(back_end).shards(shards).devices(scenario::DEVICES).start();
    let devices = server.more_devices();
    scenario::use_everything(Library::BlynkLibraryWebSocket, &server, &devices[0], &devices[1]);
    // Devices of every home.
    for device in &devices[2..] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/wsproto_device.py");
        let ran = Command::new(installed_path().join("venv/bin/python"))
            .arg(script)
            .args([server.address().ip().to_string(), server.address().port().to_string()])
            .env("LINCHPIN_TOKEN", &device.token)
            .output()
            .expect("Python runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(server.value(device, "V7").as_deref(), Some("over a websocket"));
    }
    server.expect_no_token_in_log(&devices);
}

#[test]
fn io_uring_with_1_shard() {
    matrix(BackEnd::IoUring, 1);
}

#[test]
fn io_uring_with_4_shards() {
    matrix(BackEnd::IoUring, 4);
}

#[test]
fn portable_with_1_shard() {
    matrix(BackEnd::Portable, 1);
}

#[test]
fn portable_with_4_shards() {
    matrix(BackEnd::Portable, 4);
}
