//! What `linchpin dev` prints: once it runs, what to copy where ([`SECTIONS`] is the whole list), and then a line for each
//! thing that happens to devices (`lines.rs` is the whole list).

mod lines;
mod speaker;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use linchpin_control::request::MadeDevice;

use super::dev::address_for_boards;
use super::ready::Ready;
use crate::serve::DeviceNames;
use crate::tick::voice::NoticeListener;
use crate::tls::Local;

/// What the sections are made from.
struct Announcement<'a> {
    ready: &'a Ready,
    /// The address of devices as a board sees it.
    plain: SocketAddr,
    /// Can boards not connect, because only this machine can?
    is_loopback: bool,
    /// The device that examples speak for: it has no template, so any pin may be written.
    device: Option<&'a MadeDevice>,
    /// The flag that commands need to find the server: empty or ` --data PATH`.
    data: String,
    /// The server's own authority.
    local: Option<&'a Local>,
}

/// The sections in the order in which they are printed, with an empty line between two. One that has nothing to say says
/// `None`.
const SECTIONS: [fn(&Announcement<'_>) -> Option<String>; 14] = [
    devices,
    board,
    next_steps,
    console,
    first_person,
    python,
    node,
    mqtt,
    curl,
    tls_trust,
    tls_board,
    tls_others,
    tls_curl,
    what_follows,
];

/// Print all sections, and from then on what happens to devices. `data_path`: the data directory, if commands do not find it
/// by themselves.
///
/// # Errors
/// There is no thread for it.
pub(crate) fn announce(
    ready: &Ready,
    (data_path, local): (Option<&Path>, Option<&Local>),
    (listener, names): (NoticeListener, DeviceNames),
) -> std::io::Result<()> {
    if let Some(text) = text(ready, data_path, local) {
        print!("{text}");
    }
    speaker::start(listener, names, data_flag(data_path), example(ready).map(|device| device.id))
}

/// The device that examples speak for: it has no template.
fn example(ready: &Ready) -> Option<&MadeDevice> {
    ready.devices.get(1)
}

/// The flag that commands need to find the server.
fn data_flag(data_path: Option<&Path>) -> String {
    data_path.map_or(String::new(), |path| format!(" --data {}", path.display()))
}

/// All sections; `None`: nothing listens for devices.
fn text(ready: &Ready, data_path: Option<&Path>, local: Option<&Local>) -> Option<String> {
    let bound = ready.plain?;
    let about = Announcement {
        ready,
        plain: SocketAddr::new(host(bound.ip()), bound.port()),
        is_loopback: bound.ip().is_loopback(),
        device: example(ready),
        data: data_flag(data_path),
        local,
    };
    let mut out = String::from("\n");
    for section in SECTIONS.iter().filter_map(|section| section(&about)) {
        out.push_str(&section);
        out.push('\n');
    }
    Some(out)
}

/// This address as a board on the same network sees it.
fn host(bound: IpAddr) -> IpAddr {
    if bound.is_unspecified() { address_for_boards().unwrap_or(IpAddr::from([127, 0, 0, 1])) } else { bound }
}

impl Announcement<'_> {
    fn token(&self) -> Option<&str> {
        self.device.map(|device| device.token.0.expose())
    }

    /// The address with TLS as a board sees it, the authority's certificate and its header for sketches.
    fn tls(&self) -> Option<(SocketAddr, String, String)> {
        let (bound, local) = (self.ready.tls?, self.local?);
        let (ca, header) = (local.certificate_path(), local.header_path());
        let at = SocketAddr::new(host(bound.ip()), bound.port());
        Some((at, ca.display().to_string(), header.display().to_string()))
    }
}

fn devices(about: &Announcement<'_>) -> Option<String> {
    let mut out = format!("Linchpin listens on {} (plain). Devices, with their tokens:\n", about.plain);
    for device in &about.ready.devices {
        let template = device.template.as_deref();
        let template = template.map_or("no template: any pin".to_owned(), |id| format!("template {id}"));
        out.push_str(&format!("  device {}  {}  {template}\n", device.id, device.token.0.expose()));
    }
    Some(out)
}

fn console(about: &Announcement<'_>) -> Option<String> {
    let console = about.ready.console.as_deref()?;
    Some(format!("The console, for a browser: {console}\n"))
}

fn first_person(about: &Announcement<'_>) -> Option<String> {
    let link = about.ready.setup.as_deref()?;
    let plain = if about.is_loopback {
        ""
    } else {
        "People of your network may sign in over http too: anybody on the way can read the session then.\n"
    };
    Some(format!(
        "Nobody can sign in yet. This link sets the server up, once and within 30 minutes:\n\x20 {link}\n\
         (another one: linchpin admin bootstrap{})\n{plain}",
        about.data
    ))
}

/// Lines of a sketch: only with an address that a board can reach.
fn board(about: &Announcement<'_>) -> Option<String> {
    let (token, host, port) = (about.token()?, about.plain.ip(), about.plain.port());
    if about.is_loopback {
        return Some(
            "Only this machine can connect. For a board on your network start with: linchpin dev --lan\n".to_owned(),
        );
    }
    Some(format!(
        "A board: change these lines of a sketch (ESP8266: <BlynkSimpleEsp8266.h>; PlatformIO: lib_deps = blynkkk/Blynk).\n\
         \x20 #define BLYNK_PRINT Serial                    // the serial monitor says what happens\n\
         \x20 #include <BlynkSimpleEsp32.h>                 // the header without _SSL\n\
         \x20 #define BLYNK_AUTH_TOKEN \"{token}\"\n\
         \x20 Blynk.begin(BLYNK_AUTH_TOKEN, ssid, pass, \"{host}\", {port});\n\
         Device 1 has a template: its sketch needs BLYNK_TEMPLATE_ID of it. Device 2 has none: remove those lines.\n\
         Edgent: enter {host} and {port} as the server in the board's own set-up page (http://192.168.4.1).\n\
         The board cannot connect? Its network must reach {host}, and a firewall must let port {port} in.\n"
    ))
}

fn next_steps(about: &Announcement<'_>) -> Option<String> {
    let (token, address, data, id) = (about.token()?, about.plain, &about.data, about.device?.id);
    Some(format!(
        "In a second terminal:\n\
         \x20 linchpin device watch {id}{data}          # frames of device {id} as they come and go\n\
         \x20 linchpin device diary{data}            # how connections ended, and what to do\n\
         \x20 linchpin device write {id} V1 42{data}\n\
         \x20 linchpin device show {id}{data}\n\
         \x20 linchpin device sim --server {address} --token {token}   # a virtual device\n"
    ))
}

fn python(about: &Announcement<'_>) -> Option<String> {
    let (token, host, port) = (about.token()?, about.plain.ip(), about.plain.port());
    Some(format!(
        "Python (pip install blynklib), writes V1 and prints what V2 gets:\n\
         \x20 import blynklib, time\n\
         \x20 blynk = blynklib.Blynk(\"{token}\", server=\"{host}\", port={port})\n\
         \x20 @blynk.handle_event(\"write V2\")\n\
         \x20 def v2(pin, value): print(\"V2 =\", value[0], flush=True)\n\
         \x20 due = 0\n\
         \x20 while True:\n\
         \x20   blynk.run()\n\
         \x20   if blynk.connected() and time.time() > due:\n\
         \x20     blynk.virtual_write(1, int(time.time()) % 100)\n\
         \x20     due = time.time() + 1\n"
    ))
}

fn node(about: &Announcement<'_>) -> Option<String> {
    let (token, host, port) = (about.token()?, about.plain.ip(), about.plain.port());
    Some(format!(
        "Node (npm install blynk-library), writes V1 and prints what V2 gets:\n\
         \x20 const Blynk = require(\"blynk-library\");\n\
         \x20 const blynk = new Blynk.Blynk(\"{token}\", {{\n\
         \x20   connector: new Blynk.TcpClient({{ addr: \"{host}\", port: {port} }}) }});\n\
         \x20 const v1 = new blynk.VirtualPin(1), v2 = new blynk.VirtualPin(2);\n\
         \x20 v2.on(\"write\", (value) => console.log(\"V2 =\", value[0]));\n\
         \x20 blynk.on(\"connect\", () => setInterval(() => v1.write(new Date().getSeconds()), 1000));\n"
    ))
}

fn mqtt(about: &Announcement<'_>) -> Option<String> {
    let (token, host, port) = (about.token()?, about.plain.ip(), about.plain.port());
    Some(format!(
        "MQTT (user device, the token as password; docs/mqtt.md):\n\
         \x20 mosquitto_pub -h {host} -p {port} -u device -P {token} -t ds/V1 -m 42\n\
         \x20 mosquitto_sub -h {host} -p {port} -u device -P {token} -t 'downlink/#' -v\n\
         \x20 Python (pip install paho-mqtt): client.username_pw_set(\"device\", \"{token}\"); client.connect(\"{host}\", {port})\n\
         \x20 ESP-MQTT: .broker.address.uri = \"mqtt://device:{token}@{host}:{port}\"\n"
    ))
}

fn curl(about: &Announcement<'_>) -> Option<String> {
    let (token, address) = (about.token()?, about.plain);
    Some(format!(
        "curl:\n\
         \x20 curl \"http://{address}/external/api/update?token={token}&v1=42\"\n\
         \x20 curl \"http://{address}/external/api/get?token={token}&v1\"\n"
    ))
}

fn tls_trust(about: &Announcement<'_>) -> Option<String> {
    let (address, ca, _) = about.tls()?;
    Some(format!("TLS on {address}, with a certificate of this server's own authority: {ca}\n"))
}

fn tls_board(about: &Announcement<'_>) -> Option<String> {
    let (address, _, header) = about.tls()?;
    let (host, port) = (address.ip(), address.port());
    about.device.filter(|_| !about.is_loopback)?;
    Some(format!(
        "ESP32 with TLS (copy {header} beside the sketch):\n\
         \x20 #include <BlynkSimpleEsp32_SSL.h>\n\
         \x20 #include \"ca.h\"\n\
         \x20 Blynk.begin(BLYNK_AUTH_TOKEN, ssid, pass, \"{host}\", {port}, LINCHPIN_CA);\n"
    ))
}

fn tls_others(about: &Announcement<'_>) -> Option<String> {
    let ((address, ca, _), token) = (about.tls()?, about.token()?);
    let (host, port) = (address.ip(), address.port());
    Some(format!(
        "Python:\n\
         \x20 blynk = blynklib.Blynk(\"{token}\", server=\"{host}\", port={port}, ssl_cert=\"{ca}\")\n\
         \nMQTT:\n\
         \x20 mosquitto_pub --cafile {ca} -h {host} -p {port} -u device -P {token} -t ds/V1 -m 42\n"
    ))
}

fn tls_curl(about: &Announcement<'_>) -> Option<String> {
    let ((address, ca, _), token) = (about.tls()?, about.token()?);
    Some(format!("curl:\n\x20 curl --cacert {ca} \"https://{address}/external/api/get?token={token}&v1\"\n"))
}

fn what_follows(about: &Announcement<'_>) -> Option<String> {
    about.device?;
    Some("What devices do is printed here. Ctrl-C ends the server.\n".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use linchpin_control::Registry;

    use super::*;
    use crate::serve::demo::DEVICES;
    use crate::store::Fill;

    fn demo() -> Vec<MadeDevice> {
        let mut registry = Registry::new(2, [0; 32]);
        let made = Fill::Dev { more: 0, tokens_out: None }.make(&mut registry, None).expect("room");
        made.iter().map(MadeDevice::from).collect()
    }

    #[test]
    fn the_demo_is_complete_and_its_text_has_every_client() {
        let devices = demo();
        assert_eq!((devices.len(), devices.iter().filter(|made| made.template.is_some()).count()), (DEVICES, 1));
        let text = text(&Ready::small(devices), Some(Path::new("X")), None).expect("a text");
        let mut lan = Ready::small(demo());
        lan.plain = Some(SocketAddr::from(([192, 0, 2, 7], 8080)));
        let on_lan = super::text(&lan, None, None).expect("a text");
        let (sketch, steps) = (on_lan.find("Blynk.begin("), on_lan.find("device watch 2"));
        assert!(sketch.is_some() && sketch < steps, "boards first: {on_lan}");
        for word in ["BLYNK_PRINT", "BlynkSimpleEsp8266.h", "blynkkk/Blynk", "Edgent", "firewall", "192.0.2.7"] {
            assert!(on_lan.contains(word), "no {word:?} in {on_lan}");
        }
        assert!(!text.contains("Blynk.begin("), "no board can reach 127.0.0.1: {text}");
        for word in [
            "device watch 2",
            "device diary",
            "blynklib",
            "blynk-library",
            "curl",
            "8080",
            "mosquitto_pub",
            "paho",
            "mqtt://",
            "--lan",
            "show 2 --data X",
        ] {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
        assert!(!text.contains("TLS on"), "no TLS is served: {text}");
    }

    #[test]
    fn sections_stand_apart_and_say_something() {
        let mut ready = Ready::small(demo());
        ready.tls = ready.plain;
        let local = Local::new(&PathBuf::from("/data"), Vec::new());
        let text = text(&ready, None, Some(&local)).expect("a text");
        assert!(text.contains("\nTLS on 127.0.0.1:8080") && text.contains("curl --cacert"), "{text}");
        assert!(!text.contains("\n\n\n") && text.ends_with("\n\n"), "one empty line between two sections: {text:?}");
    }

    #[test]
    fn without_devices_there_are_no_examples() {
        let text = text(&Ready::small(Vec::new()), None, None).expect("a text");
        assert!(text.contains("listens on") && !text.contains("curl"), "{text}");
        let nothing = Ready { plain: None, ..Ready::small(Vec::new()) };
        assert!(super::text(&nothing, None, None).is_none());
    }
}
