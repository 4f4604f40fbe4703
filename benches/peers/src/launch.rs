//! Starts a server afresh: a configuration without persistence and without names, written into a folder of this run.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, UNIX_EPOCH};

use linchpin_tls::LocalAuthority;

use crate::plan::Transport;
use crate::running::{PATIENCE, Running};
use crate::subject::{Found, Subject};

/// Connections that a server may have beside those that are measured.
const SPARE_CONNECTIONS: u32 = 1_000;
/// Lifetime of the certificates.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// Ports that are tried: a free one may be taken by somebody else before the server binds it.
const TRIES: u32 = 5;

/// A folder of this run with the certificate of all peers; removed when dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new one.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn new() -> Result<Self, String> {
        let folder = Self(std::env::temp_dir().join(format!("linchpin-peers-{}", std::process::id())));
        std::fs::create_dir_all(&folder.0).map_err(|error| format!("{}: {error}", folder.0.display()))?;
        let now_s = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        let made = LocalAuthority::make("bench-peers", now_s, LIFETIME)
            .and_then(|authority| Ok((authority.server(&["localhost"], now_s, LIFETIME)?, authority)));
        let (server, authority) = made.map_err(|error| format!("no certificate: {error}"))?;
        folder.write("ca.pem", authority.certificate_pem())?;
        folder.write("chain.pem", &server.chain_pem)?;
        folder.write("key.pem", &server.key_pem)?;
        Ok(folder)
    }

    /// A path in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.at(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody listens on now; these servers cannot choose one by themselves.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}

/// Start it; it takes connections when this returns.
///
/// # Errors
/// What it said instead of listening.
pub(crate) fn start(found: &Found, transport: Transport, connections: u32, folder: &Folder) -> Result<Running, String> {
    if matches!(found.subject, Subject::Linchpin | Subject::LinchpinMqtt) {
        let mut server = linchpin(&found.program, transport, connections, folder)?;
        if found.subject == Subject::LinchpinMqtt {
            server.names = server.tokens.take().map(|tokens| names(&tokens, folder)).transpose()?;
        }
        return Ok(server);
    }
    let log = folder.at("server.log");
    let mut words = String::new();
    for _ in 0..TRIES {
        let port = free_port()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Running::start(&peer(found, transport, connections, port, folder)?, &log, address)?;
        if server.listens() {
            server.authority = (transport == Transport::Tls).then(|| folder.at("ca.pem"));
            return Ok(server);
        }
        words = server.last_words();
    }
    Err(format!("{} does not listen; it said: {words}", found.label))
}

/// How a peer is started.
fn peer(found: &Found, transport: Transport, connections: u32, port: u16, folder: &Folder) -> Result<Command, String> {
    let tls = transport == Transport::Tls;
    let mut command = Command::new(&found.program);
    command.current_dir(&folder.0);
    match found.subject {
        Subject::Linchpin | Subject::LinchpinMqtt => return Err("Linchpin has no configuration file here".to_owned()),
        Subject::Mosquitto => {
            let config = folder.write("mosquitto.conf", &mosquitto(port, tls.then_some(folder.0.as_path())))?;
            command.arg("-c").arg(config);
        }
        Subject::NatsServer => {
            let store = folder.at("jetstream");
            // What another round's server left there is not this one's.
            let _ = std::fs::remove_dir_all(&store);
            let text = nats_server(port, &store, tls.then_some(folder.0.as_path()));
            command.arg("-c").arg(folder.write("nats-server.conf", &text)?);
        }
        Subject::Aedes => {
            command = Command::new("node");
            command.arg(&found.program).arg(port.to_string());
            if tls {
                command.arg(folder.at("chain.pem")).arg(folder.at("key.pem"));
            }
        }
        Subject::Rumqttd => {
            let text = rumqttd(port, connections + SPARE_CONNECTIONS, tls.then_some(folder.0.as_path()));
            command.arg("--quiet").arg("--config").arg(folder.write("rumqttd.toml", &text)?);
        }
    }
    Ok(command)
}

/// `tls`: the folder of the certificate.
fn mosquitto(port: u16, tls: Option<&Path>) -> String {
    let mut text = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n");
    if let Some(folder) = tls {
        let at = folder.display();
        text += &format!("certfile {at}/chain.pem\nkeyfile {at}/key.pem\n");
    }
    text
}

/// The MQTT gateway keeps its sessions in JetStream and does not start without it.
fn nats_server(port: u16, store: &Path, tls: Option<&Path>) -> String {
    let tls = tls.map(|folder| {
        let at = folder.display();
        format!("  tls {{ cert_file: \"{at}/chain.pem\", key_file: \"{at}/key.pem\", timeout: 60 }}\n")
    });
    format!(
        "server_name: bench\nlisten: \"127.0.0.1:-1\"\njetstream {{ store_dir: \"{}\" }}\n\
         mqtt {{\n  listen: \"127.0.0.1:{port}\"\n  authorization {{ timeout: 60 }}\n{}}}\n",
        store.display(),
        tls.unwrap_or_default()
    )
}

fn rumqttd(port: u16, connections: u32, tls: Option<&Path>) -> String {
    let tls = tls.map(|folder| {
        let at = folder.display();
        format!("[v4.1.tls]\ncertpath = \"{at}/chain.pem\"\nkeypath = \"{at}/key.pem\"\n")
    });
    format!(
        "id = 0\n[router]\nid = 0\nmax_connections = {connections}\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n[v4.1]\nname = \"v4-1\"\nlisten = \"127.0.0.1:{port}\"\n\
         next_connection_delay_ms = 0\n[v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 20480\n\
         max_inflight_count = 100\n{}",
        tls.unwrap_or_default()
    )
}

/// Names and passwords of devices that speak MQTT, a line each, of lines that end with a token.
fn names(tokens: &Path, folder: &Folder) -> Result<PathBuf, String> {
    let text = std::fs::read_to_string(tokens).map_err(|error| format!("{}: {error}", tokens.display()))?;
    let lines = text.lines().filter_map(|line| line.split_whitespace().last());
    folder.write("names", &lines.map(|token| format!("device:{token}\n")).collect::<String>())
}

/// Ours says where it listens.
fn linchpin(program: &Path, transport: Transport, connections: u32, folder: &Folder) -> Result<Running, String> {
    let (ready, tokens) = (folder.at("ready.json"), folder.at("tokens"));
    let _ = std::fs::remove_file(&ready);
    let mut command = Command::new(program);
    command.args(["dev", "--memory", "--shards", "1", "--plain", "127.0.0.1:0", "--tls", "127.0.0.1:0"]);
    command.args(["--devices", &connections.to_string()]);
    command.args(["--connections", &(connections + SPARE_CONNECTIONS).to_string()]);
    command.arg("--data").arg(folder.at("data")).arg("--ready-file").arg(&ready).arg("--tokens-out").arg(&tokens);
    let unknown = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut server = Running::start(&command, &folder.at("server.log"), unknown)?;
    let end = Instant::now() + PATIENCE;
    let said: serde_json::Value = loop {
        if let Some(said) = std::fs::read(&ready).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
            break said;
        }
        if server.is_gone() || Instant::now() > end {
            return Err(format!("linchpin is not ready; it said: {}", server.last_words()));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let text = |key: &str| said[key].as_str().ok_or_else(|| format!("linchpin's ready file has no {key}"));
    let address = text(transport.name())?;
    server.address = address.parse().map_err(|_| format!("linchpin listens at {address:?}"))?;
    if transport == Transport::Tls {
        server.authority = Some(text("ca")?.into());
    }
    server.tokens = Some(tokens);
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_have_tls_only_where_it_is_asked_for() {
        let at = Path::new("/certificates");
        for (plain, tls) in [
            (mosquitto(1, None), mosquitto(1, Some(at))),
            (nats_server(1, at, None), nats_server(1, at, Some(at))),
            (rumqttd(1, 2, None), rumqttd(1, 2, Some(at))),
        ] {
            assert!(!plain.contains("chain.pem") && plain.contains("127.0.0.1"), "{plain}");
            assert!(tls.contains("/certificates/chain.pem") && tls.contains("/certificates/key.pem"), "{tls}");
        }
    }
}
