//! What `linchpin dev` prints once it runs: what to copy where. [`SECTIONS`] is the whole list.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use linchpin_control::request::MadeDevice;

use super::dev::address_for_boards;
use super::ready::Ready;
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
const SECTIONS: [fn(&Announcement<'_>) -> Option<String>; 13] = [
    devices,
    first_person,
    arduino,
    python,
    node,
    mqtt,
    curl,
    commands,
    reach,
    tls_trust,
    tls_arduino,
    tls_others,
    tls_curl,
];

/// Print all sections. `data_path`: the data directory, if commands do not find it by themselves.
pub(crate) fn announce(ready: &Ready, data_path: Option<&Path>, local: Option<&Local>) {
    if let Some(text) = text(ready, data_path, local) {
        print!("{text}");
    }
}

/// All sections; `None`: nothing listens for devices.
fn text(ready: &Ready, data_path: Option<&Path>, local: Option<&Local>) -> Option<String> {
    let bound = ready.plain?;
    let about = Announcement {
        ready,
        plain: SocketAddr::new(host(bound.ip()), bound.port()),
        is_loopback: bound.ip().is_loopback(),
        device: ready.devices.get(1),
        data: data_path.map_or(String::new(), |path| format!(" --data {}", path.display())),
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

fn arduino(about: &Announcement<'_>) -> Option<String> {
    let (token, host, port) = (about.token()?, about.plain.ip(), about.plain.port());
    Some(format!(
        "Arduino, ESP32, ESP8266: change these three lines of a sketch (the header without _SSL; template lines may stay):\n\
         \x20 #include <BlynkSimpleEsp32.h>\n\
         \x20 #define BLYNK_AUTH_TOKEN \"{token}\"\n\
         \x20 Blynk.begin(BLYNK_AUTH_TOKEN, ssid, pass, \"{host}\", {port});\n"
    ))
}

fn python(about: &Announcement<'_>) -> Option<String> {
    let (token, host, port) = (about.token()?, about.plain.ip(), about.plain.port());
    Some(format!(
        "Python (pip install blynklib):\n\
         \x20 import blynklib\n\
         \x20 blynk = blynklib.Blynk(\"{token}\", server=\"{host}\", port={port})\n\
         \x20 while True: blynk.run()\n"
    ))
}

fn node(about: &Announcement<'_>) -> Option<String> {
    let (token, host, port) = (about.token()?, about.plain.ip(), about.plain.port());
    Some(format!(
        "Node (npm install blynk-library):\n\
         \x20 const Blynk = require(\"blynk-library\");\n\
         \x20 const blynk = new Blynk.Blynk(\"{token}\", {{\n\
         \x20   connector: new Blynk.TcpClient({{ addr: \"{host}\", port: {port} }}) }});\n"
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

fn commands(about: &Announcement<'_>) -> Option<String> {
    let (token, address, data, id) = (about.token()?, about.plain, &about.data, about.device?.id);
    Some(format!(
        "From this machine:\n\
         \x20 linchpin device sim --server {address} --token {token}\n\
         \x20 linchpin device write {id} V1 42{data}\n\
         \x20 linchpin device show {id}{data}\n"
    ))
}

fn reach(about: &Announcement<'_>) -> Option<String> {
    let (host, port) = (about.plain.ip(), about.plain.port());
    about.device?;
    Some(if about.is_loopback {
        "Only this machine can connect. For a board on your network start with: linchpin dev --lan\n".to_owned()
    } else {
        format!("For a board: Blynk.begin(BLYNK_AUTH_TOKEN, ssid, pass, \"{host}\", {port});\n")
    })
}

fn tls_trust(about: &Announcement<'_>) -> Option<String> {
    let (address, ca, _) = about.tls()?;
    Some(format!("TLS on {address}, with a certificate of this server's own authority: {ca}\n"))
}

fn tls_arduino(about: &Announcement<'_>) -> Option<String> {
    let (address, _, header) = about.tls()?;
    let (host, port) = (address.ip(), address.port());
    about.device?;
    Some(format!(
        "ESP32 (copy {header} beside the sketch):\n\
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
        for word in [
            "BLYNK_AUTH_TOKEN",
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
        assert!(text.contains("\nTLS on 127.0.0.1:8080") && text.contains("LINCHPIN_CA"), "{text}");
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
