//! `linchpin dev`: a server without any configuration, and what to copy into a sketch.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use linchpin_control::Made;

use crate::serve::boot::Engine;
use crate::tick::doors::Door;
use crate::tls::Local;

/// The usual ports of MQTT: clients that cannot be told another one.
pub(crate) const MQTT_PORT: u16 = 1883;
/// The same with TLS.
pub(crate) const MQTTS_PORT: u16 = 8883;

/// This address, if no other program has it. Debian's mosquitto takes 1883 when it is installed.
pub(crate) fn free(address: SocketAddr) -> Option<SocketAddr> {
    TcpListener::bind(address).ok().map(|_| address)
}

/// The address of this machine as a board on the same network sees it: the one that packets to the outside would have.
/// Nothing is sent.
pub(crate) fn address_for_boards() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // A documentation address (RFC 5737): only the routing table is asked.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

/// What to copy where.
///
/// `data_path`: the data directory, if commands do not find it by themselves.
pub(crate) fn announce(engine: &Engine, devices: &[Made], data_path: Option<&Path>, local: Option<&Local>) {
    let (plain, tls) = (engine.addresses(Door::Plain), engine.addresses(Door::Tls));
    let Some(bound) = plain.first() else { return };
    let host = if bound.ip().is_unspecified() {
        address_for_boards().unwrap_or(IpAddr::from([127, 0, 0, 1]))
    } else {
        bound.ip()
    };
    let data = data_path.map_or(String::new(), |path| format!(" --data {}", path.display()));
    print!("{}", text(SocketAddr::new(host, bound.port()), bound.ip().is_loopback(), devices, &data));
    if let (Some(bound), Some(local)) = (tls.first(), local) {
        print!("{}", tls_text(SocketAddr::new(host, bound.port()), devices, local));
    }
}

fn text(address: SocketAddr, loopback_only: bool, devices: &[Made], data: &str) -> String {
    use std::fmt::Write;
    let (host, port) = (address.ip(), address.port());
    let mut out = String::new();
    let _ = writeln!(out, "\nLinchpin listens on {address} (plain). Devices, with their tokens:");
    for device in devices {
        let template =
            device.entry.template.map_or("no template: any pin".to_owned(), |t| format!("template {}", t.as_str()));
        let _ = writeln!(out, "  device {}  {}  {template}", device.entry.id, device.token.expose());
    }
    let Some(device) = devices.get(1) else { return out };
    let token = device.token.expose();
    let _ = write!(
        out,
        "\nArduino, ESP32, ESP8266: change these three lines of a sketch (the header without _SSL; template lines may stay):\n\
         \x20 #include <BlynkSimpleEsp32.h>\n\
         \x20 #define BLYNK_AUTH_TOKEN \"{token}\"\n\
         \x20 Blynk.begin(BLYNK_AUTH_TOKEN, ssid, pass, \"{host}\", {port});\n\
         \nPython (pip install blynklib):\n\
         \x20 import blynklib\n\
         \x20 blynk = blynklib.Blynk(\"{token}\", server=\"{host}\", port={port})\n\
         \x20 while True: blynk.run()\n\
         \nNode (npm install blynk-library):\n\
         \x20 const Blynk = require(\"blynk-library\");\n\
         \x20 const blynk = new Blynk.Blynk(\"{token}\", {{\n\
         \x20   connector: new Blynk.TcpClient({{ addr: \"{host}\", port: {port} }}) }});\n\
         \nMQTT (user device, the token as password; docs/mqtt.md):\n\
         \x20 mosquitto_pub -h {host} -p {port} -u device -P {token} -t ds/V1 -m 42\n\
         \x20 mosquitto_sub -h {host} -p {port} -u device -P {token} -t 'downlink/#' -v\n\
         \x20 Python (pip install paho-mqtt): client.username_pw_set(\"device\", \"{token}\"); client.connect(\"{host}\", {port})\n\
         \x20 ESP-MQTT: .broker.address.uri = \"mqtt://device:{token}@{host}:{port}\"\n\
         \ncurl:\n\
         \x20 curl \"http://{address}/external/api/update?token={token}&v1=42\"\n\
         \x20 curl \"http://{address}/external/api/get?token={token}&v1\"\n\
         \nFrom this machine:\n\
         \x20 linchpin device sim --server {address} --token {token}\n\
         \x20 linchpin device write {id} V1 42{data}\n\
         \x20 linchpin device show {id}{data}\n\n",
        id = device.entry.id,
    );
    if loopback_only {
        let _ = writeln!(
            out,
            "Only this machine can connect. For a board on your network start with: linchpin dev --lan\n"
        );
    } else {
        let _ = writeln!(out, "For a board: Blynk.begin(BLYNK_AUTH_TOKEN, ssid, pass, \"{host}\", {port});\n");
    }
    out
}

/// How clients come with TLS, and how they trust this server.
fn tls_text(address: SocketAddr, devices: &[Made], local: &Local) -> String {
    let Some(device) = devices.get(1) else { return String::new() };
    let (host, port, token) = (address.ip(), address.port(), device.token.expose());
    let (ca, header) = (local.certificate_path(), local.header_path());
    let (ca, header) = (ca.display(), header.display());
    format!(
        "TLS on {address}, with a certificate of this server's own authority: {ca}\n\
         \nESP32 (copy {header} beside the sketch):\n\
         \x20 #include <BlynkSimpleEsp32_SSL.h>\n\
         \x20 #include \"ca.h\"\n\
         \x20 Blynk.begin(BLYNK_AUTH_TOKEN, ssid, pass, \"{host}\", {port}, LINCHPIN_CA);\n\
         \nPython:\n\
         \x20 blynk = blynklib.Blynk(\"{token}\", server=\"{host}\", port={port}, ssl_cert=\"{ca}\")\n\
         \nMQTT:\n\
         \x20 mosquitto_pub --cafile {ca} -h {host} -p {port} -u device -P {token} -t ds/V1 -m 42\n\
         \ncurl:\n\
         \x20 curl --cacert {ca} \"https://{address}/external/api/get?token={token}&v1\"\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::demo::DEVICES;
    use crate::store::Fill;
    use linchpin_control::Registry;

    #[test]
    fn the_demo_is_complete_and_its_text_has_every_client() {
        let mut registry = Registry::new(2, [0; 32]);
        let fill = Fill::Dev { more: 0, tokens_out: None };
        let made = fill.make(&mut registry, None).expect("room");
        assert_eq!((made.len(), made.iter().filter(|made| made.entry.template.is_some()).count()), (DEVICES, 1));
        let text = text("127.0.0.1:8080".parse().expect("an address"), true, &made, " --data X");
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
    }
}
