//! Requests for the control plane against the binary: curl, a browser, and nginx as a proxy in front.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use linchpin_compat::{BackEnd, Folder, Server, Wire, eventually, field};
use rustix::process::Signal;

const GREAT: usize = 20 << 20;

/// A body whose byte at position n is n modulo 251, and what the sink says of it.
fn great_file(folder: &Folder) -> (PathBuf, String) {
    let body: Vec<u8> = (0..GREAT).map(|n| (n % 251) as u8).collect();
    let path = folder.path().join("body");
    std::fs::write(&path, &body).expect("write a file");
    let sum = body.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    (path, format!("{GREAT} {sum}"))
}

fn curl(args: &[&str]) -> Output {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60"]).args(args);
    curl.output().expect("curl is installed")
}

/// What curl wrote; it must have succeeded.
fn fetch(args: &[&str]) -> String {
    let output = curl(args);
    assert!(output.status.success(), "curl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn server(back_end: BackEnd, shards: u16) -> Server {
    Server::dev().back_end(back_end).shards(shards).devices(2).flag("--test-routes").start()
}

fn both_ways(back_end: BackEnd, shards: u16) {
    let server = server(back_end, shards);
    let folder = Folder::new();
    let (file, sum) = great_file(&folder);
    let upload = format!("@{}", file.display());
    let ca = server.ca();
    let (plain, tls) = (format!("http://{}", server.address()), format!("https://{}", server.tls_address()));
    for base in [&plain, &tls] {
        let trust = ["--cacert", ca.to_str().expect("UTF-8")];
        let get = |path: &str, more: &[&str]| fetch(&[&trust[..], more, &[&format!("{base}{path}")]].concat());
        assert_eq!(get("/api/v1/ping", &[]), "{\"ping\":\"pong\"}");
        let head = get("/api/v1/ping", &["--head"]);
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Length: 15\r\n"), "{head}");
        assert!(!head.to_lowercase().contains("access-control"), "{head}");
        let whole = get("/api/v1/test/sink", &["-X", "PUT", "--data-binary", &upload]);
        assert_eq!(whole, sum, "by length, after 100-continue");
        let chunked = ["-X", "PUT", "-H", "Transfer-Encoding: chunked", "-H", "Expect:", "--data-binary", &upload];
        assert_eq!(get("/api/v1/test/sink", &chunked), sum);
        let echo =
            ["-H", "Expect:", "--data-binary", &upload, "-o", "/dev/null", "-w", "%{size_download} %{http_code}"];
        assert_eq!(get("/api/v1/test/echo", &echo), format!("{GREAT} 200"));
        for query in [format!("bytes={GREAT}&sized"), format!("bytes={GREAT}")] {
            let got = folder.path().join("got");
            get(&format!("/api/v1/test/stream?{query}"), &["-o", got.to_str().expect("UTF-8")]);
            assert!(std::fs::read(&got).expect("a file") == std::fs::read(&file).expect("a file"), "{query}");
        }
        assert_eq!(get("/api/v1/test/client", &[]), format!("127.0.0.1 {}", base.starts_with("https")));
        let status = ["-o", "/dev/null", "-w", "%{http_code}"];
        assert_eq!(get("/api/v1/test/panic", &status), "500");
        assert_eq!(get("/api/v1/nothing", &status), "404");
        assert_eq!(get("/api/v1/ping", &[&status[..], &["-H", "Host: evil.example"]].concat()), "421");
        assert_eq!(get("/api/v1/ping", &[&status[..], &["-X", "POST", "--data-binary", &upload]].concat()), "405");
        let cut = curl(
            &[&trust[..], &["-o", "/dev/null", &format!("{base}/api/v1/test/stream?bytes=90000&fail_at=70000")]]
                .concat(),
        );
        assert!(!cut.status.success(), "a part is not the whole");
    }
    // Many, on few connections.
    let pings: Vec<String> = (0..1_000).map(|n| format!("{plain}/api/v1/ping?{n}")).collect();
    let pings: Vec<&str> = pings.iter().map(String::as_str).collect();
    let many = fetch(&[&["--parallel", "--parallel-max", "8"][..], &pings].concat());
    assert_eq!(many, "{\"ping\":\"pong\"}".repeat(1_000));
    let status = server.ask(&["status"]);
    assert!(field(&status, "asks").as_u64().is_some_and(|asks| asks > 1_000), "{status}");
    expect_rest(&server);
}

/// Nothing is under way and nothing is held.
fn expect_rest(server: &Server) {
    eventually(Duration::from_secs(10), "nothing is left", || {
        let status = server.ask(&["status"]);
        (field(&status, "asks_under_way") == 0 && field(&status, "ask_bytes") == 0).then_some(())
    });
}

#[test]
fn io_uring_with_1_shard() {
    both_ways(BackEnd::IoUring, 1);
}

#[test]
fn portable_with_3_shards() {
    both_ways(BackEnd::Portable, 3);
}

/// A client that does not read holds up nobody but itself, and control makes nothing for it.
#[test]
fn who_does_not_read_costs_little() {
    for back_end in [BackEnd::IoUring, BackEnd::Portable] {
        let server = server(back_end, 1);
        let mut held = Vec::new();
        for _ in 0..10 {
            let mut stream = TcpStream::connect(server.address()).expect("the server listens");
            stream
                .write_all(b"GET /api/v1/test/stream?bytes=1000000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .expect("the connection stands");
            held.push(stream);
        }
        std::thread::sleep(Duration::from_millis(1_500));
        let status = server.ask(&["status"]);
        assert_eq!(field(&status, "asks_under_way"), 10);
        let bytes = field(&status, "ask_bytes").as_u64().expect("a number");
        assert!(bytes < 10 * (130 << 10), "{bytes} bytes are held for clients that do not read");
        let device = &server.devices()[0];
        let begun = Instant::now();
        Wire::login(server.address(), &device.token).expect_pong();
        assert!(begun.elapsed() < Duration::from_secs(2));
        // Who reads again gets every byte in its place.
        let mut some = vec![0; 3 << 20];
        held[0].read_exact(&mut some).expect("the stream goes on");
        drop(held);
        expect_rest(&server);
    }
}

#[test]
fn a_stop_lets_answers_end() {
    let mut server = server(BackEnd::IoUring, 2);
    let url = format!("http://{}/api/v1/test/stream?bytes=40000000", server.address());
    let mut command = Command::new("curl");
    command.args(["--silent", "--limit-rate", "20M", "-o", "/dev/null", "-w", "%{size_download}"]);
    let mut child = child_of(&mut command, &[&url]);
    std::thread::sleep(Duration::from_millis(400));
    server.signal(Signal::TERM);
    let output = child.wait_with_output_in(Duration::from_secs(20));
    assert_eq!(output, "40000000", "it had five seconds");
    eventually(Duration::from_secs(20), "the server ends", || server.has_ended().then_some(()));
    assert!(server.end_status().success());
}

/// A child with a bound on its time.
struct Bounded(Child);

fn child_of(command: &mut Command, args: &[&str]) -> Bounded {
    let child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    Bounded(child.expect("the program is installed"))
}

impl Bounded {
    fn wait_with_output_in(&mut self, most: Duration) -> String {
        let end = Instant::now() + most;
        while self.0.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut text = String::new();
        self.0.stdout.take().expect("a pipe").read_to_string(&mut text).expect("text");
        text
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_browser_asks() {
    let server = server(BackEnd::IoUring, 1);
    let profile = Folder::new();
    let url = format!("http://{}/api/v1/ping", server.address());
    let mut chromium = Command::new(program(&["chromium", "chromium-browser", "google-chrome"]));
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--timeout=20000", "--dump-dom"]);
    chromium.arg(format!("--user-data-dir={}", profile.path().display()));
    let page = child_of(&mut chromium, &[&url]).wait_with_output_in(Duration::from_secs(60));
    assert!(page.contains("{\"ping\":\"pong\"}"), "{page}");
}

fn program(names: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.into_iter().find(|path| path.is_file()).unwrap_or_else(|| panic!("none of {names:?}: run tests/setup.sh"))
}

const CONFIG: &str = r#"
[debug]
test_routes = true

[listen]
plain = ["127.0.0.1:0"]
proxies = ["127.0.0.1"]
hosts = ["iot.example"]

[data]
dir = "@/data"

[engine]
shards = 2
"#;

/// nginx in front of a server, on a port of its own.
fn nginx(folder: &Path, behind: SocketAddr) -> (Bounded, SocketAddr) {
    // A free port: nginx must be told one.
    let front = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let at = folder.display();
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {at}/nginx.pid; error_log stderr;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; client_max_body_size 0;\n\
           client_body_temp_path {at}/body_temp; proxy_temp_path {at}/proxy_temp; fastcgi_temp_path {at}/f;\n\
           uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
           upstream behind {{ server {behind}; keepalive 4; }}\n\
           server {{ listen {front};\n\
             location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
               proxy_set_header Host iot.example; proxy_request_buffering off; proxy_buffering off;\n\
               proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
               proxy_set_header X-Forwarded-Proto https; }} }} }}\n"
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config).expect("write the configuration");
    let mut command = Command::new(program(&["nginx"]));
    let child = child_of(&mut command, &["-c", path.to_str().expect("UTF-8"), "-p", folder.to_str().expect("UTF-8")]);
    eventually(Duration::from_secs(10), "nginx listens", || TcpStream::connect(front).ok());
    (child, front)
}

#[test]
fn a_proxy_in_front_passes_everything_on() {
    let server = Server::serve(CONFIG).start();
    let folder = Folder::new();
    let (_nginx, front) = nginx(folder.path(), server.address());
    let (file, sum) = great_file(&folder);
    let upload = format!("@{}", file.display());
    let base = format!("http://{front}");
    let get = |path: &str, more: &[&str]| fetch(&[more, &[&format!("{base}{path}")]].concat());
    for _ in 0..20 {
        assert_eq!(get("/api/v1/ping", &[]), "{\"ping\":\"pong\"}");
    }
    assert_eq!(get("/api/v1/test/sink", &["-X", "PUT", "--data-binary", &upload]), sum);
    let chunked = ["-X", "PUT", "-H", "Transfer-Encoding: chunked", "--data-binary", &upload];
    assert_eq!(get("/api/v1/test/sink", &chunked), sum);
    let got = folder.path().join("got");
    get(&format!("/api/v1/test/stream?bytes={GREAT}"), &["-o", got.to_str().expect("UTF-8")]);
    assert!(std::fs::read(&got).expect("a file") == std::fs::read(&file).expect("a file"));
    // The proxy is listed, what a client says of others before it is not believed.
    let said = ["-H", "X-Forwarded-For: 203.0.113.7"];
    assert_eq!(get("/api/v1/test/client", &said), "203.0.113.7 true", "127.0.0.1 is a listed proxy: the one before it");
    let from = ["--interface", "127.0.0.3", "-H", "X-Forwarded-For: 203.0.113.7"];
    assert_eq!(get("/api/v1/test/client", &from), "127.0.0.3 true", "a client's own word is not believed");
    let direct = format!("http://{}/api/v1/test/client", server.address());
    let stranger = ["--interface", "127.0.0.3", "-H", "X-Forwarded-For: 203.0.113.7", "-H", "X-Forwarded-Proto: https"];
    assert_eq!(fetch(&[&stranger[..], &[&direct]].concat()), "127.0.0.3 false");
    let status = ["-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(fetch(&[&status[..], &["-H", "Host: other.example", &direct]].concat()), "421");
    expect_rest(&server);
}

/// Without the flag strangers find the ping and the doors of people, which ask who they are; nothing of the tests.
#[test]
fn no_route_of_the_tests_is_open() {
    let server = Server::dev().shards(1).devices(1).start();
    let base = format!("http://{}", server.address());
    let expected = [
        ("/api/v1/ping", "200"),
        ("/api/v1/me", "401"),
        ("/api/v1/orgs/1/devices", "401"),
        ("/api/v1/test/stream?bytes=1", "404"),
        ("/scim/v2/Users", "404"),
        ("/.well-known/x", "404"),
    ];
    for (path, wanted) in expected {
        let code = fetch(&["-o", "/dev/null", "-w", "%{http_code}", &format!("{base}{path}")]);
        assert_eq!(code, wanted, "{path}");
    }
    assert_eq!(field(&server.ask(&["status"]), "asks"), 6, "each was passed on to control, once");
}
