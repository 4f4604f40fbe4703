//! Known secrets go through the whole server: HTTP, WebSocket, TLS, MQTT, the admin socket, errors, metrics, the diary, a backup
//! and the log at "debug". None of them is found anywhere afterwards, and the search finds what it should.

use std::path::{Path, PathBuf};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, Wire, command, eventually, status, text};
use linchpin_e2e::Http;
use rustix::process::Signal;

const VALUE: &str = "Canary-Value-4711";
const WORDS: &str = "Canary-Event-0815";
const PLACE: &str = "Canary-Place-2342";
const GUESS: &str = "Canary-Guess-of-a-token-32-bytes";
const PASSPHRASE: &str = "Canary-Passphrase-of-the-store";

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found
}

/// Where a text stands, of these files.
fn hits(files: &[PathBuf], word: &str) -> Vec<PathBuf> {
    let has = |path: &&PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    };
    files.iter().filter(has).cloned().collect()
}

/// Everything that a client can do wrong with a secret in it.
fn make_mistakes(server: &Server, token: &str) {
    let mut http = Http::connect(server.address());
    for path in [
        format!("/external/api/get?token={GUESS}&v1"),
        format!("/{GUESS}/get/v1"),
        format!("/external/api/update?token={token}&v999={VALUE}"),
        format!("/external/api/update?token={token}&nonsense={VALUE}"),
        format!("/nowhere/{token}?{VALUE}"),
    ] {
        let reply = http.get(&path);
        assert!(reply.status >= 400, "{path}: {}", reply.status);
        assert!(!reply.body.contains(token) && !reply.body.contains(GUESS), "{}", reply.body);
        if reply.status == 404 {
            http = Http::connect(server.address());
        }
    }
    let mut wrong = Wire::connect(server.address());
    wrong.send(command::LOGIN, GUESS.as_bytes());
    wrong.expect_end(EFFECT);
    let mut garbage = Wire::login(server.address(), token);
    garbage.send_bytes(&[b"\xff", VALUE.as_bytes(), token.as_bytes()].concat());
    garbage.expect_end(EFFECT);
}

#[test]
fn no_secret_leaves_the_server_by_any_way() {
    let config = "[listen]\nplain = [\"127.0.0.1:0\"]\nmetrics = \"127.0.0.1:0\"\n[data]\ndir = \"@/data\"\n\
                  unseal = \"passphrase:environment:LINCHPIN_CANARY\"\n[[device]]\nname = \"Pump\"\n";
    let assignment = format!("LINCHPIN_CANARY={PASSPHRASE}");
    let mut server = Server::serve(config).under("env", [assignment]).start();
    let device = server.devices()[0].clone();
    let token = device.token.as_str();
    let mut wire = Wire::login(server.address(), token);
    wire.expect_status(command::INTERNAL, &["h-beat", "30", "buff-in", "1024"], status::OK);
    wire.send_parts(command::HARDWARE, &["vw", "1", VALUE]);
    wire.expect_status(command::EVENT_LOG, &["hot", WORDS], status::OK);
    wire.expect_status(command::INTERNAL, &["meta", "set", "Place", PLACE], status::OK);
    let mut http = Http::connect(server.address());
    assert_eq!(http.api(&device, "get?v1").body, VALUE);
    make_mistakes(&server, token);
    let metrics: std::net::SocketAddr = text(server.ready(), "metrics").parse().expect("an address");
    let mut pages = Http::connect(metrics).get("/metrics").body;
    pages += &Http::connect(metrics).get("/readyz").body;
    for ask in [&["status"][..], &["device", "list"], &["device", "diary"], &["device", "diary", &device.id]] {
        pages += &server.ask(ask).to_string();
    }
    let backups = server.folder().join("backups");
    let (_, said, done) = server.operate(&["backup", "create", "--to", backups.to_str().expect("text")]);
    assert!(done.success(), "{said}");
    // A disk that was written for a while, and a server that is killed.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    server.signal(Signal::KILL);
    eventually(EFFECT, "the killed server ends", || server.has_ended().then_some(()));

    let all = files(server.folder());
    let is_ours = |path: &PathBuf| !path.ends_with("ready.json") && !path.ends_with("linchpin.toml");
    let searched: Vec<PathBuf> = all.iter().filter(|path| is_ours(path)).cloned().collect();
    assert!(searched.iter().any(|path| path.ends_with("log")) && searched.len() > 20, "{searched:?}");
    for secret in [token, VALUE, WORDS, PLACE, GUESS, PASSPHRASE] {
        assert_eq!(hits(&searched, secret), Vec::<PathBuf>::new(), "{secret}");
        assert!(!pages.contains(secret), "{secret} stands in {pages}");
    }
    // The search finds what is there to be found.
    assert_eq!(hits(&all, token).len(), 1, "the ready file has the token, as it should");
    assert!(!hits(&searched, "ready").is_empty());
}
