//! HTTP updates beside nginx, and scrapes of the metrics: figures of one run, rounds in turn.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use linchpin_driver::Choice;
use linchpin_fleet::http::closed_loop;
use linchpin_fleet::server::{Server, cpu_time};
use linchpin_fleet::{Fleet, FleetOptions, FleetWire, Order};

/// Kept-open connections of the HTTP client.
const CONNECTIONS: u32 = 64;
/// Length of a round.
const ROUND: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(120);

/// One worker of nginx that answers everything with an empty 200.
struct Nginx {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Nginx {
    fn start() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("linchpin-nginx-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        // Asked for and given back: nginx cannot choose a free port itself.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| error.to_string())?;
        let at = folder.display();
        let config = format!(
            "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
             server {{ listen {address}; location / {{ return 200; }} }} }}\n"
        );
        let path = folder.join("nginx.conf");
        std::fs::write(&path, config).map_err(|error| error.to_string())?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&path)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("nginx does not start ({error}): sudo apt-get install -y nginx-light"))?;
        let nginx = Self { child, folder, address };
        let end = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(address).is_err() {
            if Instant::now() > end {
                return Err("nginx does not listen within 5 s".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }

    /// The worker does the work; the master only waits.
    fn cpu_time(&self) -> Duration {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let workers = std::fs::read_to_string(children).unwrap_or_default();
        workers.split_whitespace().filter_map(|pid| pid.parse().ok()).map(cpu_time).sum()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM would be kinder, but only a kill is certain; its worker ends when its master is gone.
        let _ = Command::new("nginx")
            .arg("-p")
            .arg(&self.folder)
            .arg("-c")
            .arg(self.folder.join("nginx.conf"))
            .args(["-s", "stop"])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn fleet(server: &Server, devices: u32) -> Result<Fleet, String> {
    let fleet = Fleet::start(&FleetOptions {
        target: server.address,
        tokens: server.tokens.clone(),
        rings: devices.div_ceil(15_000).max(1) as u16,
        driver: Choice::IoUring,
        in_flight: 200,
        trust: None,
        wire: FleetWire::Blynk,
    });
    fleet.wait_online(PATIENCE).map_err(|n| format!("{n} of {devices} logged in; {}", server.log()))?;
    Ok(fleet)
}

/// Requests a second and CPU per request.
#[derive(Clone, Copy)]
struct Rate {
    per_second: f64,
    cpu_us: f64,
}

fn round(target: SocketAddr, request: &[u8], cpu: &dyn Fn() -> Duration) -> Rate {
    let (before, begun) = (cpu(), Instant::now());
    let answers = closed_loop(target, request, CONNECTIONS, ROUND) as f64;
    let (used, took) = (cpu() - before, begun.elapsed());
    Rate { per_second: answers / took.as_secs_f64(), cpu_us: used.as_secs_f64() * 1e6 / answers }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// HTTP writes that reach a connected device, beside nginx answering an empty 200.
pub(crate) fn http(binary: &Path, rounds: u32) -> Result<(), String> {
    let flags = ["--set", "messages_per_second=1000000", "--set", "message_burst=1000000"];
    let server = Server::start_with(binary, 1, 1, "io_uring", &flags);
    let fleet = fleet(&server, 1)?;
    fleet.order(Order::Introduce);
    let nginx = Nginx::start()?;
    let token = server.tokens[0].expose();
    let update = format!("GET /external/api/update?token={token}&v1=42 HTTP/1.1\r\nHost: x\r\n\r\n");
    let empty = "GET /external/api/update?token=none&v1=42 HTTP/1.1\r\nHost: x\r\n\r\n";
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        ours.push(round(server.address, update.as_bytes(), &|| cpu_time(server.pid())));
        theirs.push(round(nginx.address, empty.as_bytes(), &|| nginx.cpu_time()));
    }
    println!(
        "### HTTP update of a connected device, {CONNECTIONS} kept-open connections, {} rounds in turn (medians)\n\n\
         | server | requests/s | CPU per request, us |\n|---|---|---|",
        ours.len()
    );
    let row = |name: &str, rates: &[Rate]| {
        let per_second = median(rates.iter().map(|rate| rate.per_second).collect());
        let cpu_us = median(rates.iter().map(|rate| rate.cpu_us).collect());
        println!("| {name} | {per_second:.0} | {cpu_us:.2} |");
    };
    row("linchpin, 1 shard: checked, kept, sent to the device", &ours);
    row("nginx, 1 worker: an empty 200", &theirs);
    let ratios = ours.iter().zip(&theirs).map(|(a, b)| a.cpu_us / b.cpu_us).collect();
    println!("\nMedian of paired ratios, CPU per request: {:.2}", median(ratios));
    Ok(())
}

/// The metrics page, and how long it took.
fn scrape_once(address: SocketAddr) -> Result<(Duration, String), String> {
    let begun = Instant::now();
    let text = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = text().map_err(|error| error.to_string())?;
    Ok((begun.elapsed(), text))
}

/// Scrapes while all devices are connected and ping.
pub(crate) fn scrape(binary: &Path, devices: u32, shards: u16, rounds: u32) -> Result<(), String> {
    let server = Server::start(binary, devices, shards, "io_uring");
    let fleet = fleet(&server, devices)?;
    fleet.order(Order::Introduce);
    std::thread::sleep(Duration::from_secs(2));
    scrape_once(server.metrics)?;
    let scrapes = rounds.max(1) * 20;
    let (mut times, mut longest_tick_ms) = (Vec::new(), 0f64);
    let mut ticks_ms = Vec::new();
    let before = cpu_time(server.pid());
    for _ in 0..scrapes {
        let (took, page) = scrape_once(server.metrics)?;
        times.push(took.as_secs_f64() * 1e3);
        let longest = page.lines().filter(|line| line.starts_with("linchpin_tick_max_seconds{"));
        let longest = longest.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, f64::max);
        ticks_ms.push(longest * 1e3);
        longest_tick_ms = longest_tick_ms.max(longest * 1e3);
        std::thread::sleep(Duration::from_millis(100));
    }
    let cpu_ms = (cpu_time(server.pid()) - before).as_secs_f64() * 1e3 / f64::from(scrapes);
    let slowest = times.iter().copied().fold(0.0, f64::max);
    println!(
        "### Scrapes of {devices} connections, {shards} shards, {scrapes} scrapes\n\n| what | median | max |\n|---|---|---|\n\
         | a scrape, ms | {:.2} | {slowest:.2} |\n| longest tick between two scrapes, ms | {:.2} | {longest_tick_ms:.2} |\n\
         | CPU of the whole server per scrape and 100 ms, ms | {cpu_ms:.2} | |\n\n\
         Aim: 5 ms a scrape, no tick longer than 2 ms.",
        median(times),
        median(ticks_ms),
    );
    Ok(())
}
