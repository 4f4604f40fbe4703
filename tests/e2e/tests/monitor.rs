//! What operators look at: metrics, health, the diary, a device's frames.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Folder, Server, Wire, command, eventually, field, installed_path, linchpin_path, status, text};
use linchpin_e2e::Http;
use linchpin_protocol::proxy;
use serde_json::json;

fn metrics(server: &Server) -> String {
    let address = text(server.ready(), "metrics").parse().expect("an address");
    let reply = Http::connect(address).get("/metrics");
    assert_eq!(reply.status, 200);
    reply.body
}

/// Sum over the shards.
fn sum(page: &str, series: &str) -> f64 {
    let lines = page.lines().filter(|line| line.starts_with(series));
    lines.map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number")).sum()
}

#[test]
fn metrics_are_well_formed_and_count_what_happens() {
    let server = Server::dev().shards(3).devices(4).start();
    let devices = server.more_devices();
    let mut wires: Vec<_> = devices.iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    for wire in &mut wires {
        wire.send_parts(command::HARDWARE, &["vw", "1", "1"]);
        wire.expect_pong();
    }
    Http::connect(server.address()).api(&devices[0], "getAll");
    wires.pop();
    eventually(EFFECT, "three are online", || {
        (sum(&metrics(&server), "linchpin_devices_online{").to_bits() == 3f64.to_bits()).then_some(())
    });
    let page = metrics(&server);
    for (series, count) in [
        ("linchpin_logins_total{", 4.0),
        ("linchpin_http_requests_total{", 1.0),
        ("linchpin_devices{", 7.0),
        ("linchpin_ends_total{shard=\"", 2.0),
    ] {
        assert!(sum(&page, series) >= count, "{series} in {page}");
    }
    let hardware: f64 =
        (0..3).map(|n| sum(&page, &format!("linchpin_frames_total{{shard=\"{n}\",command=\"HARDWARE\"}}"))).sum();
    assert_eq!(hardware.to_bits(), 4f64.to_bits());
    assert!(sum(&page, "linchpin_tick_seconds_count{") > 10.0);
    let token_free = devices.iter().all(|device| !page.contains(&device.token));
    assert!(token_free, "a token is in the metrics");

    let mut check = Command::new(promtool())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs: make setup");
    check.stdin.take().expect("piped").write_all(page.as_bytes()).expect("promtool reads");
    let said = check.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success() && text.is_empty(), "{text}");
}

/// The rules that the package brings, with series that must and must not raise them.
#[test]
fn alerts_are_well_formed_and_raised_when_they_should_be() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rules = tree.join("packaging/linchpin.rules.yml");
    let series = std::fs::read_to_string(tree.join("tests/fixtures/rules.test.yml")).expect("the series");
    let folder = Folder::new();
    let test = folder.path().join("rules.test.yml");
    std::fs::write(&test, series.replace("RULES", rules.to_str().expect("text"))).expect("writes");
    for (what, path) in [("check", rules.as_path()), ("test", test.as_path())] {
        let ran = Command::new(promtool()).args([what, "rules"]).arg(path).output().expect("promtool runs: make setup");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.contains("SUCCESS"), "{what}: {said}");
    }
}

/// Where `tests/setup.sh` has put it.
fn promtool() -> PathBuf {
    let cache = std::env::var_os("LINCHPIN_CACHE").map(PathBuf::from);
    cache.unwrap_or_else(|| installed_path().join("..")).join("tools/promtool")
}

#[test]
fn health_tells_alive_and_ready_apart() {
    let server = Server::dev().shards(2).start();
    let address = text(server.ready(), "metrics").parse().expect("an address");
    let mut http = Http::connect(address);
    assert_eq!(http.get("/healthz").status, 200);
    assert_eq!(http.get("/readyz").body, "ok, 2 shards\n");
    assert_eq!(http.get("/nothing").status, 404);
    // A page in a browser of this machine that has its own name lead here.
    let host = |host: &str| {
        let mut http = Http::connect(address);
        http.send(format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        http.receive().status
    };
    for foreign in ["evil.example", "localhost.evil.example", "192.0.2.7", "evil.example:9100"] {
        assert_eq!(host(foreign), 421, "{foreign}");
    }
    for own in ["localhost", "127.0.0.1:9100", "[::1]:9100", "LOCALHOST:80"] {
        assert_eq!(host(own), 200, "{own}");
    }
    assert!(server.operate(&["drain"]).2.success());
    assert_eq!(http.get("/healthz").status, 200);
    assert_eq!(http.get("/readyz").status, 503);
}

#[test]
fn the_diary_says_why_and_what_to_do() {
    let server = Server::dev().shards(4).devices(2).start();
    let devices = server.more_devices();
    let mut first = Wire::login(server.address(), &devices[0].token);
    first.expect_status(command::INTERNAL, &["ver", "1.4.0", "fw", "2.3", "h-beat", "45"], status::OK);
    let _second = Wire::login(server.address(), &devices[0].token);
    let mut stranger = Wire::connect(server.address());
    stranger.send(command::LOGIN, &[b'x'; 32]);
    stranger.receive(EFFECT);
    let mut noise = Wire::connect(server.address());
    noise.send_bytes(b"\xff\xff\xff");

    let entry = |args: &[&str], code: &str| {
        eventually(EFFECT, &format!("{code} is in the diary"), || {
            let rows = server.ask(args);
            rows.as_array().expect("rows").iter().find(|row| text(row, "end") == code).cloned()
        })
    };
    let taken = entry(&["device", "diary", &devices[0].id], "E0304");
    assert_eq!((field(&taken, "frames"), text(field(&taken, "firmware"), "fw")), (&json!(1), "2.3"));
    assert!(text(&taken, "fix").contains("give each its own device"), "{taken}");
    assert_eq!(field(&entry(&["device", "diary"], "E0302"), "device"), &json!(null));
    entry(&["device", "diary"], "E0204");
    let none = server.ask(&["device", "diary", &devices[1].id]);
    assert_eq!(none, json!([]));
    let (plain, _, _) = server.operate(&["device", "diary", &devices[0].id]);
    assert!(plain.contains("E0304") && plain.contains("fw=2.3"), "{plain}");
    let (_, refused, ended) = server.operate(&["device", "diary", "999"]);
    assert!(!ended.success() && refused.contains("there is no device 999"), "{refused}");
}

#[test]
fn a_watch_shows_frames_without_secrets_and_ends() {
    let server = Server::dev().shards(4).devices(2).start();
    let devices = server.more_devices();
    let mut watch = Command::new(linchpin_path())
        .args(["device", "watch", &devices[0].id, "--seconds", "20", "--data"])
        .arg(server.data_path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    // Frames are shown once the watch stands: say the same until it is seen.
    let mut wire = Wire::login(server.address(), &devices[0].token);
    let seen = std::thread::spawn(move || lines.by_ref().map_while(Result::ok).take(6).collect::<Vec<_>>());
    eventually(EFFECT, "six frames are shown", || {
        wire.send_parts(command::HARDWARE, &["vw", "1", "shown"]);
        wire.send_parts(command::BRIDGE, &["64", "i", &devices[1].token]);
        wire.receive(EFFECT);
        seen.is_finished().then_some(())
    });
    let seen = seen.join().expect("reads");
    assert!(seen.iter().any(|line| line.starts_with("-> HARDWARE") && line.ends_with("vw | 1 | shown")), "{seen:?}");
    assert!(seen.iter().any(|line| line.contains("64 | i | (hidden)")), "{seen:?}");
    assert!(seen.iter().any(|line| line.starts_with("<- RESPONSE")), "{seen:?}");
    assert!(seen.iter().all(|line| !line.contains(&devices[1].token)));
    watch.kill().expect("ends");
    watch.wait().expect("ends");
    // Its end ends the watch: others can begin.
    eventually(EFFECT, "nobody watches any more", || {
        let ended = server.operate(&["device", "watch", &devices[0].id, "--seconds", "1"]).2;
        ended.success().then_some(())
    });
}

#[test]
fn tokens_templates_and_removal() {
    let server = Server::dev().shards(3).devices(2).start();
    let devices = server.more_devices();
    let (token, _, _) = server.operate(&["device", "token", &devices[0].id]);
    assert_eq!(token.trim(), devices[0].token);

    let folder = Folder::new();
    let file = folder.path().join("pump.toml");
    let stream = "[[template.datastream]]\npin = \"V1\"\nname = \"Speed\"\ntype = \"int\"\nmin = 0\nmax = 10\n";
    std::fs::write(&file, format!("[[template]]\nid = \"TMPLpump\"\nname = \"Pump\"\nevents = [\"dry\"]\n{stream}"))
        .expect("writes");
    let path = file.to_str().expect("text");
    assert_eq!(server.operate(&["template", "add", path]).0, "template TMPLpump is added\n");
    assert_eq!(server.operate(&["template", "add", path]).0, "template TMPLpump is replaced\n");
    assert_eq!(text(&server.ask(&["template", "show", "TMPLpump"]), "name"), "Pump");
    let made = server.ask(&["device", "add", "--template", "TMPLpump"]);
    let mut wire = Wire::login(server.address(), text(&made[0], "token"));
    // Of another type; a number beyond the range would be cropped.
    wire.expect_status(command::HARDWARE, &["vw", "1", "1.5"], status::ILLEGAL_COMMAND_BODY);
    std::fs::write(&file, "[[template]]\nid = \"TMPLpump\"\ncolour = 1\n").expect("writes");
    let (_, refused, ended) = server.operate(&["template", "add", path]);
    assert!(ended.code() == Some(78) && refused.contains("colour"), "{refused}");

    let mut gone = Wire::login(server.address(), &devices[1].token);
    assert!(server.operate(&["device", "remove", &devices[1].id]).2.success());
    gone.expect_end(EFFECT);
    let mut again = Wire::connect(server.address());
    again.send(command::LOGIN, devices[1].token.as_bytes());
    again.expect(&linchpin_compat::Frame::response(1, 9));
    let (_, refused, _) = server.operate(&["device", "show", &devices[1].id]);
    assert!(refused.contains("there is no device"), "{refused}");
}

/// A listener for load balancers: the client's address is what the header says, and others are not let in.
#[test]
fn load_balancers_say_who_the_client_is() {
    let config = |proxies: &str| {
        format!(
            "[listen]\nplain = [\"127.0.0.1:0\"]\nproxied = [\"127.0.0.1:0\"]\nproxies = [{proxies}]\n\
             metrics = \"127.0.0.1:0\"\n[data]\ndir = \"@/data\"\n[engine]\nshards = 2\n[[device]]\nname = \"one\"\n"
        )
    };
    let server = Server::serve(&config("\"127.0.0.0/8\"")).start();
    let device = &server.devices()[0];
    let proxied: SocketAddr = text(server.ready(), "proxied").parse().expect("an address");
    let mut header = Vec::new();
    proxy::write(&mut header, "192.0.2.77:4321".parse().expect("an address"), proxied);
    let mut wire = Wire::connect(proxied);
    wire.send_bytes(&header);
    wire.send(command::LOGIN, device.token.as_bytes());
    wire.expect(&linchpin_compat::Frame::response(1, status::OK));
    assert_eq!(text(&server.view(device), "peer"), "192.0.2.77:4321");
    drop(server);

    let server = Server::serve(&config("\"10.0.0.0/8\"")).start();
    let proxied: SocketAddr = text(server.ready(), "proxied").parse().expect("an address");
    let mut stream = TcpStream::connect(proxied).expect("the server listens");
    let _ = stream.write_all(&header);
    let end = eventually(EFFECT, "the stranger is in the diary", || {
        let rows = server.ask(&["device", "diary"]);
        rows.as_array().expect("rows").iter().find(|row| text(row, "end") == "E0404").cloned()
    });
    assert!(text(&end, "fix").contains("listen.proxies"), "{end}");
}
