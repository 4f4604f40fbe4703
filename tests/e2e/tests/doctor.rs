//! `doctor` ends as `serve` would, on broken set-ups and on good ones; `check` lists all mistakes and what a reload changes.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use linchpin_compat::{Folder, Server, linchpin_path};
use rustix::process::Signal;

/// A folder with everything that a good server needs: `@` in texts stands for it.
struct Setup {
    folder: Folder,
    config: String,
    /// Held for as long as the set-up is tried.
    _busy: Option<TcpListener>,
}

const GOOD: &str = "[listen]\nplain = [\"127.0.0.1:0\"]\ntls = [\"127.0.0.1:0\"]\nmetrics = \"127.0.0.1:0\"\n\
    [[certificate]]\nchain = \"@/chain.pem\"\nkey = \"@/key.pem\"\n[data]\ndir = \"@/data\"\nunseal = \"file:@/unseal.key\"\n";

impl Setup {
    fn new() -> Self {
        let folder = Folder::new();
        let (chain, key) = authority();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("writes");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("is ours");
        };
        put("chain.pem", chain.as_bytes());
        put("key.pem", key.as_bytes());
        put("unseal.key", &[7; 32]);
        Self { folder, config: GOOD.to_owned(), _busy: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, text: &str, mode: u32) {
        std::fs::write(self.path(name), text).expect("writes");
        self.mode(name, mode);
    }

    fn mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).expect("is ours");
    }

    fn change(&mut self, from: &str, to: &str) {
        assert!(self.config.contains(from), "{from:?} is in the file");
        self.config = self.config.replace(from, to);
    }

    /// Occupy a port, and let the file name it.
    fn busy(&mut self, from: &str, to: &str) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        self.change(from, &to.replace('#', &address));
        self._busy = Some(listener);
    }

    fn write(&self) -> PathBuf {
        let path = self.path("linchpin.toml");
        let folder = self.folder.path().to_str().expect("UTF-8");
        std::fs::write(&path, self.config.replace('@', folder)).expect("writes");
        path
    }

    /// A store that was made with the key of the set-up.
    fn make_store(&self) {
        let (code, said) = serve(&self.write());
        assert_eq!(code, 0, "{said}");
        assert!(self.path("data/store").is_dir());
    }
}

/// A certificate and its key, made once.
fn authority() -> (String, String) {
    static MADE: std::sync::OnceLock<(String, String)> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Folder::new();
        let (chain, key) = (folder.path().join("c"), folder.path().join("k"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out"])
            .arg(&chain)
            .arg("-keyout")
            .arg(&key)
            .stderr(Stdio::null())
            .status()
            .expect("openssl runs");
        assert!(made.success());
        let read = |path: &Path| std::fs::read_to_string(path).expect("reads");
        (read(&chain), read(&key))
    })
    .clone()
}

fn run(args: &[&str], config: &Path) -> (i32, String) {
    let output = Command::new(linchpin_path()).args(args).arg("--config").arg(config).env("NO_COLOR", "1").output();
    let output = output.expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), said)
}

/// Start a server: 0 if it gets ready (it is ended then), else the status that it ends with.
fn serve(config: &Path) -> (i32, String) {
    let folder = Folder::new();
    let (ready, log) = (folder.path().join("ready.json"), folder.path().join("log"));
    let said = std::fs::File::create(&log).expect("a file");
    let mut child: Child = Command::new(linchpin_path())
        .args(["serve", "--config"])
        .arg(config)
        .arg("--ready-file")
        .arg(&ready)
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .expect("starts");
    let end = Instant::now() + Duration::from_secs(30);
    let code = loop {
        if let Some(status) = child.try_wait().expect("its state") {
            break status.code().unwrap_or(-1);
        }
        if ready.exists() {
            rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).expect("is ours");
            break child.wait().expect("its end").code().unwrap_or(-1);
        }
        if Instant::now() > end {
            let _ = child.kill();
            panic!("neither ready nor ended: {}", std::fs::read_to_string(&log).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    (code, std::fs::read_to_string(&log).unwrap_or_default())
}

type Spoil = fn(&mut Setup);

/// What is broken, the status of `serve`, a word that its message must have, and how to break it.
const BROKEN: &[(&str, i32, &str, Spoil)] = &[
    ("the file is no TOML", 78, "linchpin.toml:2", |it| it.change("plain =", "plain")),
    ("an unknown key", 78, "did you mean", |it| it.change("plain", "plian")),
    ("a limit out of range", 78, "1 to 1000000", |it| it.config += "[limits]\nmessage_burst = 0\n"),
    ("the data directory is below a file", 78, "data directory", |it| {
        it.put("file", "", 0o600);
        it.change("@/data", "@/file/data");
    }),
    ("others may write into the data directory", 78, "chmod", |it| {
        std::fs::create_dir(it.path("data")).expect("makes");
        it.mode("data", 0o777);
    }),
    ("the unseal key is missing", 78, "unseal.key", |it| std::fs::remove_file(it.path("unseal.key")).expect("removes")),
    ("others may read the unseal key", 78, "chmod 600", |it| it.mode("unseal.key", 0o644)),
    ("the unseal key is short", 78, "64 hexadecimal digits", |it| it.put("unseal.key", "short", 0o600)),
    ("the unseal variable is not set", 78, "LINCHPIN_NO_SUCH", |it| {
        it.change("file:@/unseal.key", "environment:LINCHPIN_NO_SUCH");
    }),
    ("there are no credentials", 78, "systemd", |it| it.change("file:@/unseal.key", "credential:linchpin")),
    ("the key is another store's", 78, "key", |it| {
        it.make_store();
        std::fs::write(it.path("unseal.key"), [8; 32]).expect("writes");
    }),
    ("a table of the store is gone", 1, "store", |it| {
        it.make_store();
        std::fs::remove_dir_all(it.path("data/store/db")).expect("removes");
    }),
    ("the anchor cannot be written", 1, "anchor", |it| it.change("dir =", "anchor = \"@/nowhere/anchor\"\ndir =")),
    ("the plain port is taken", 1, "listen.plain in", |it| it.busy("plain = [\"127.0.0.1:0\"]", "plain = [\"#\"]")),
    ("the TLS port is taken", 1, "listen.tls in", |it| it.busy("tls = [\"127.0.0.1:0\"]", "tls = [\"#\"]")),
    ("the port of the metrics is taken", 1, "listen.metrics in", |it| {
        it.busy("metrics = \"127.0.0.1:0\"", "metrics = \"#\"")
    }),
    ("the address is another machine's", 78, "no address of this machine", |it| {
        it.change("plain = [\"127.0.0.1:0\"]", "plain = [\"192.0.2.1:8080\"]");
    }),
    ("the chain is missing", 78, "chain.pem", |it| std::fs::remove_file(it.path("chain.pem")).expect("removes")),
    ("the chain is no PEM", 78, "chain.pem", |it| it.put("chain.pem", "nothing", 0o600)),
    ("the private key is missing", 78, "key.pem", |it| std::fs::remove_file(it.path("key.pem")).expect("removes")),
    ("the private key is another's", 78, "key.pem", |it| {
        let other = Command::new("openssl").args(["ecparam", "-name", "prime256v1", "-genkey", "-noout"]).output();
        let other = other.expect("openssl runs").stdout;
        it.put("key.pem", &String::from_utf8(other).expect("PEM"), 0o600);
    }),
    ("the clients' authority is missing", 78, "clients.pem", |it| {
        it.config += "[tls]\nclient_ca = \"@/clients.pem\"\n"
    }),
    ("the list of revoked certificates is malformed", 78, "line 1", |it| {
        it.put("revoked", "not a fingerprint\n", 0o600);
        it.config += "[tls]\nrevoked = \"@/revoked\"\n";
    }),
];

#[test]
fn the_doctor_ends_as_the_server_would() {
    assert!(BROKEN.len() >= 20);
    let good = Setup::new();
    let config = good.write();
    let (code, said) = run(&["doctor"], &config);
    assert_eq!(code, 0, "doctor of a good set-up: {said}");
    assert!(!good.path("data").exists(), "the doctor has made something");
    let (code, said) = serve(&config);
    assert_eq!(code, 0, "a good set-up: {said}");
    let (code, said) = run(&["doctor"], &config);
    assert_eq!(code, 0, "doctor of a good set-up with a store: {said}");
    let mut wrong = Vec::new();
    for (what, wanted, word, spoil) in BROKEN {
        let mut it = Setup::new();
        spoil(&mut it);
        let config = it.write();
        let (doctor, prescribed) = run(&["doctor"], &config);
        let (code, said) = serve(&config);
        if code != *wanted || doctor != code {
            wrong.push(format!(
                "{what}: serve {code}, wanted {wanted}, doctor {doctor}\n  serve: {said}\n  doctor: {prescribed}"
            ));
        }
        for (who, text) in [("serve", &said), ("doctor", &prescribed)] {
            if !text.contains(word) {
                wrong.push(format!("{what}: {who} does not say {word:?}: {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As root: what is another user's is not touched, and the command that helps is named.
#[test]
fn what_is_another_users_is_left_alone() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let it = Setup::new();
    it.make_store();
    let nobody = 65_534;
    for path in ["data", "data/store"] {
        std::os::unix::fs::chown(it.path(path), Some(nobody), None).expect("chowns");
    }
    let config = it.write();
    let print = || {
        let mut all: Vec<_> = walk(&it.path("data"))
            .into_iter()
            .map(|path| (std::fs::metadata(&path).expect("is there").modified().ok(), path))
            .collect();
        all.sort();
        all
    };
    let before = print();
    let (code, said) = run(&["doctor"], &config);
    assert_eq!((code, said.contains("chown -R root")), (78, true), "{said}");
    let (code, said) = serve(&config);
    assert_eq!((code, said.contains("chown -R root")), (78, true), "{said}");
    for verb in [&["keys", "rotate"][..], &["store", "accept-clock"], &["org", "add", "x"], &["upgrade", "finalize"]] {
        let (code, said) = run(verb, &config);
        let helps = said.contains("nothing was touched: sudo -u") && said.contains(verb[0]);
        assert!(code == 1 && helps, "{verb:?}: {code} {said}");
    }
    for verb in [&["keys", "status"][..], &["store", "stats"], &["store", "verify"], &["org", "list"]] {
        let (code, said) = run(verb, &config);
        assert_eq!(code, 0, "{verb:?}: {said}");
    }
    assert_eq!(before, print(), "something was written");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).expect("lists").flatten() {
            found.push(entry.path());
            if entry.path().is_dir() {
                left.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn check_lists_three_mistakes_of_three() {
    let mut it = Setup::new();
    it.change("plain =", "plian =");
    it.config += "[limits]\nmessage_burst = 0\n[engine]\nshards = 1000\n";
    let (code, said) = run(&["check"], &it.write());
    assert_eq!(code, 78, "{said}");
    for word in ["did you mean `plain`", "message_burst must be", "shards must be 1 to 256, not 1000", "3 mistakes"] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

#[test]
fn check_says_what_a_reload_would_change() {
    let server =
        Server::serve("[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n[limits]\nmessage_burst = 100\n")
            .start();
    let config = server.folder().join("linchpin.toml");
    let (code, said) = run(&["check"], &config);
    assert_eq!((code, said.contains("as the running server has it")), (0, true), "{said}");
    let text = std::fs::read_to_string(&config).expect("reads");
    std::fs::write(&config, text.replace("= 100", "= 200") + "per_address = 7\n[engine]\nconnections = 5000\n")
        .expect("writes");
    let (code, said) = run(&["check"], &config);
    assert_eq!(code, 0, "{said}");
    for line in [
        "limits.message_burst 100 -> 200 (at a reload)",
        "limits.per_address not set -> 7 (at a reload)",
        "engine.connections not set -> 5000 (at the next start)",
    ] {
        assert!(said.lines().any(|it| it.trim() == line), "no {line:?} in {said}");
    }
    server.signal(Signal::HUP);
    linchpin_compat::eventually(Duration::from_secs(10), "the reload is said", || {
        let log = server.log();
        (log.contains("limits.message_burst 100 -> 200") && log.contains("engine.connections")).then_some(())
    });
    let (_, said) = run(&["check"], &config);
    assert!(!said.contains("message_burst") && said.contains("engine.connections not set -> 5000"), "{said}");
}
