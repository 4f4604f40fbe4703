//! What every client library must be able to do with a server.

use serde_json::{Value, json};

use crate::limits::{EFFECT, RECONNECT, SILENCE};
use crate::{Client, Device, Library, Server, Wire, eventually, field, status, text};

/// Devices without a template that [`run_all`] needs.
pub const DEVICES: u32 = 7;

/// Every library, each twice at the same time: one goes through all it can do, is cut off and comes back; one logs in
/// and stays for longer than its heartbeat.
///
/// # Panics
/// When one of them cannot do something.
pub fn run_all(server: &Server, devices: &[Device]) {
    let (target, devices) = devices.split_first().expect("a device for the bridge");
    std::thread::scope(|scope| {
        let mut runs = Vec::new();
        for (library, pair) in Library::ALL.into_iter().zip(devices.chunks_exact(2)) {
            runs.push((library, scope.spawn(move || use_everything(library, server, &pair[0], target))));
            runs.push((library, scope.spawn(move || stay(library, server, &pair[1]))));
        }
        for (library, run) in runs {
            // The panic of a thread has told its own story.
            assert!(run.join().is_ok(), "{library:?} failed, see above");
        }
    });
}

/// Log in, write, receive, sync, properties, events, notifications, bridge; then lose the connection and come back.
///
/// # Panics
/// When it cannot.
pub fn use_everything(library: Library, server: &Server, device: &Device, target: &Device) {
    let mut client = Client::connected(library, server, device);
    is_introduced(library, server, device);
    writes_arrive(&mut client, server, device);
    receives_writes(&mut client, server, device);
    syncs(&mut client);
    sets_properties(&mut client, server, device);
    logs_events(&mut client, server, device);
    is_refused_notifications(&mut client);
    if library.can("bridge_open") {
        bridges(&mut client, server, target);
    }
    if library.can("clock") {
        client.order(&json!({"order": "clock"}));
        let clock = client.expect_event(EFFECT, &json!({"event": "clock"}));
        let seconds: u64 =
            field(&clock, "values")[0].as_str().and_then(|text| text.parse().ok()).expect("Unix seconds");
        assert!(seconds > 1_700_000_000, "the clock says {seconds}");
    }
    comes_back(&mut client, server, device);
}

fn is_introduced(library: Library, server: &Server, device: &Device) {
    let firmware = eventually(EFFECT, "the server knows the client's INFO", || {
        let firmware = field(&server.view(device), "firmware").clone();
        firmware.get("ver").is_some().then_some(firmware)
    });
    assert_eq!(text(&firmware, "ver"), library.version());
    assert_eq!(text(&firmware, "dev"), library.board());
    assert!(server.is_online(device), "{library:?} is logged in but not online");
}

/// Whole numbers, fractions, text and several values at once.
fn writes_arrive(client: &mut Client, server: &Server, device: &Device) {
    let text = if client.library().sends_unicode() { "grün, 21 °C" } else { "green, 21 C" };
    let writes = [
        (0, json!([42]), "42"),
        (1, json!([-2.5]), "-2.5"),
        (2, json!([text]), text),
        (3, json!([1, "two", 3.5]), "1\0two\x003.5"),
        (31, json!([0]), "0"),
    ];
    for (pin, values, _) in &writes {
        client.order(&json!({"order": "write", "pin": pin, "values": values}));
    }
    for (pin, _, expected) in writes {
        eventually(EFFECT, &format!("{:?} wrote V{pin}", client.library()), || {
            (server.value(device, &format!("V{pin}")).as_deref() == Some(expected)).then_some(())
        });
    }
}

/// Values that the server writes, several at once too: one client reads only the first frame of what arrives together.
fn receives_writes(client: &mut Client, server: &Server, device: &Device) {
    server.write(device, "V4", "77");
    client.expect_event(EFFECT, &json!({"event": "write", "pin": 4, "values": ["77"]}));
    std::thread::scope(|scope| {
        for pin in 5..10 {
            scope.spawn(move || server.write(device, &format!("V{pin}"), &format!("at once {pin}")));
        }
    });
    for pin in 5..10 {
        client.expect_event(EFFECT, &json!({"event": "write", "pin": pin, "values": [format!("at once {pin}")]}));
    }
}

/// Latest values come back, to the listed pins and to all.
fn syncs(client: &mut Client) {
    client.order(&json!({"order": "sync", "pins": [0, 3]}));
    client.expect_event(EFFECT, &json!({"event": "write", "pin": 0, "values": ["42"]}));
    client.expect_event(EFFECT, &json!({"event": "write", "pin": 3, "values": ["1", "two", "3.5"]}));
    if client.library().can("sync_all") {
        client.order(&json!({"order": "sync_all"}));
        client.expect_event(EFFECT, &json!({"event": "write", "pin": 1, "values": ["-2.5"]}));
        client.expect_event(EFFECT, &json!({"event": "write", "pin": 9, "values": ["at once 9"]}));
    }
}

fn sets_properties(client: &mut Client, server: &Server, device: &Device) {
    client.order(&json!({"order": "property", "pin": 0, "name": "color", "values": ["#23C48E"]}));
    eventually(EFFECT, "the property is stored", || {
        let view = server.view(device);
        let properties = field(&view, "properties").as_array().expect("a list of properties");
        let is_it = |it: &Value| (text(it, "pin"), text(it, "name"), text(it, "value")) == ("V0", "color", "#23C48E");
        properties.iter().any(is_it).then_some(())
    });
    client.order(&json!({"order": "property", "pin": 0, "name": "no-such-property", "values": ["1"]}));
    client.expect_event(EFFECT, &json!({"event": "response", "status": status::ILLEGAL_COMMAND_BODY}));
}

fn logs_events(client: &mut Client, server: &Server, device: &Device) {
    if !client.library().can("event") {
        return;
    }
    client.order(&json!({"order": "event", "code": "too_hot", "text": "over 80 C"}));
    eventually(EFFECT, "the event is stored", || {
        let view = server.view(device);
        let events = field(&view, "events").as_array().expect("a list of events");
        let is_it = |it: &Value| text(it, "code") == "too_hot" && text(it, "text") == "over 80 C";
        events.iter().any(is_it).then_some(())
    });
}

/// This server has no mail and no push service: it says so and the client goes on.
fn is_refused_notifications(client: &mut Client) {
    let refused = json!({"event": "response", "status": status::NOTIFICATION_NOT_AUTHORIZED});
    client.order(&json!({"order": "notify", "text": "too hot"}));
    client.expect_event(EFFECT, &refused);
    client.order(&json!({"order": "tweet", "text": "too hot"}));
    client.expect_event(EFFECT, &refused);
    if client.library().can("email") {
        client.order(&json!({"order": "email", "to": "someone@example.org", "subject": "s", "text": "too hot"}));
        client.expect_event(EFFECT, &json!({"event": "response", "status": status::NOT_ALLOWED}));
    }
}

/// A write over a bridge reaches another device, and stays as its latest value.
fn bridges(client: &mut Client, server: &Server, target: &Device) {
    let mut wire = Wire::login(server.address(), &target.token);
    client.order(&json!({"order": "bridge_open", "token": target.token}));
    client.order(&json!({"order": "bridge_write", "pin": 12, "values": ["over the bridge"]}));
    let frame = wire.receive(EFFECT).expect("a BRIDGE frame");
    assert_eq!((frame.command, frame.body.as_slice()), (crate::command::BRIDGE, &b"vw\x0012\0over the bridge"[..]));
    eventually(EFFECT, "the bridged value is the target's", || {
        (server.value(target, "V12").as_deref() == Some("over the bridge")).then_some(())
    });
}

/// Somebody else logs in with the token: the client's connection ends, and it connects again by itself.
fn comes_back(client: &mut Client, server: &Server, device: &Device) {
    drop(Wire::login(server.address(), &device.token));
    client.expect_event(RECONNECT, &json!({"event": "connected"}));
    server.write(device, "V10", "welcome back");
    client.expect_event(EFFECT, &json!({"event": "write", "pin": 10, "values": ["welcome back"]}));
    client.order(&json!({"order": "write", "pin": 11, "values": ["back"]}));
    eventually(EFFECT, "a write after the return", || {
        (server.value(device, "V11").as_deref() == Some("back")).then_some(())
    });
    assert_eq!(server.value(device, "V0").as_deref(), Some("42"), "the server has forgotten a value");
}

/// Log in, say something, and stay connected for longer than the heartbeat by pings alone.
///
/// # Panics
/// When it does not stay.
pub fn stay(library: Library, server: &Server, device: &Device) {
    let mut client = Client::connected(library, server, device);
    client.order(&json!({"order": "write", "pin": 0, "values": ["here"]}));
    std::thread::sleep(SILENCE);
    assert!(!client.has_said(&json!({"event": "disconnected"})), "{library:?} lost its connection");
    assert!(!client.has_said(&json!({"event": "error"})), "{library:?} met an error");
    let view = server.view(device);
    assert_eq!(field(&view, "last_end"), &Value::Null, "a connection of {library:?} ended");
    server.write(device, "V1", "still here");
    client.expect_event(EFFECT, &json!({"event": "write", "pin": 1, "values": ["still here"]}));
}
