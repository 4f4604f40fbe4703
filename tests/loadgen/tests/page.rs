//! The report in a browser: plots are drawn, no script fails, and nothing is asked of anybody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use linchpin_loadgen_tests::minimal::Minimal;
use linchpin_loadgen_tests::{Folder, made_up_tokens, run};

/// Counts who asks it for anything; every request of the browser is sent to it as to a proxy.
struct Listener {
    address: SocketAddr,
    asked: Arc<AtomicU32>,
}

fn listen() -> Listener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let asked = Arc::new(AtomicU32::new(0));
    let counts = asked.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let mut head = [0; 2_048];
            let len = stream.read(&mut head).unwrap_or(0);
            // What the browser asks of its maker is not the page's doing.
            if String::from_utf8_lossy(&head[..len]).contains("canary") {
                counts.fetch_add(1, Ordering::Relaxed);
            }
            let _ = stream.write_all(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    Listener { address, asked }
}

fn browser() -> PathBuf {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    all.into_iter().find(|path| path.is_file()).expect("no Chromium: sudo apt-get install -y chromium")
}

/// What the page looks like once its scripts have run, and the addresses that the browser asked for on its behalf.
fn open(page: &Path, folder: &Folder, proxy: SocketAddr) -> (String, Vec<String>) {
    let log = folder.at("net.json");
    let (profile, dom) = (folder.at("profile"), folder.at("dom.html"));
    let mut child = Command::new(browser())
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
        ])
        .args(["--disable-component-update", "--disable-sync", "--no-first-run", "--disable-default-apps"])
        .arg(format!("--proxy-server={proxy}"))
        .arg("--proxy-bypass-list=<-loopback>")
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&dom).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the browser starts");
    let end = Instant::now() + Duration::from_secs(90);
    while child.try_wait().expect("its state").is_none() {
        if Instant::now() > end {
            let _ = child.kill();
            panic!("the browser did not end within 90 s");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let urls = text.split("\"url\":\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    (std::fs::read_to_string(dom).expect("the page"), urls.collect())
}

fn report(folder: &Folder) -> String {
    let server = Minimal::start(None, Duration::ZERO);
    let out = folder.at("run");
    let arguments = ["quick", "-c", "20", "-r", "200/s", "-d", "4s", "--out", &out.to_string_lossy()];
    let ran = run(server.address, &folder.tokens(&made_up_tokens(20)), &arguments);
    assert!(ran.code() == 0 || ran.code() == 4, "{}", ran.err);
    std::fs::read_to_string(out.join("report.html")).expect("the report")
}

#[test]
fn the_report_draws_its_plots_and_asks_nobody() {
    let (folder, proxy) = (Folder::new(), listen());
    let html = report(&folder);
    let (dom, urls) = open(&folder.file("report.html", &html), &folder, proxy.address);
    assert!(dom.contains("data-done=\"yes\""), "the script did not reach its end");
    assert!(dom.contains("data-errors=\"0\""), "a script failed, or the page tried to load something");
    let plots = dom.split("data-plots=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    assert!(plots.parse::<u32>().unwrap_or(0) >= 6, "{plots} plots");
    assert!(dom.matches("<path class=\"line\"").count() >= 10, "lines are drawn");
    let drawn = dom.split("<script").next().unwrap_or_default();
    assert!(!drawn.contains("NaN"), "a figure is missing in a plot");
    assert_eq!(proxy.asked.load(Ordering::Relaxed), 0);
    for url in urls.iter().filter(|url| url.starts_with("http")) {
        let host = url.split('/').nth(2).unwrap_or_default();
        let is_makers =
            ["google.com", "googleapis.com", "gstatic.com", "gvt1.com"].iter().any(|maker| host.ends_with(maker));
        assert!(is_makers, "the page asked for {url}");
    }
}

/// The same test finds what it looks for: a script that fails, an image that is loaded.
#[test]
fn a_page_that_fails_or_loads_is_noticed() {
    let (folder, proxy) = (Folder::new(), listen());
    let html = report(&folder);
    let image = html.replace("<h1>", "<img src=\"http://127.0.0.1:9/canary\"><h1>");
    let (dom, _) = open(&folder.file("image.html", &image), &folder, proxy.address);
    assert!(!dom.contains("data-errors=\"0\"") || proxy.asked.load(Ordering::Relaxed) > 0, "the policy forbids it");
    assert_eq!(proxy.asked.load(Ordering::Relaxed), 0, "nothing left the page");

    let open_policy = image.replace("default-src 'none'", "default-src *");
    let (_, urls) = open(&folder.file("open.html", &open_policy), &folder, proxy.address);
    assert!(proxy.asked.load(Ordering::Relaxed) > 0 || urls.iter().any(|url| url.contains("canary")), "{urls:?}");

    let broken = html.replace("root.dataset.done", "nothing.dataset.done");
    let (dom, _) = open(&folder.file("broken.html", &broken), &folder, proxy.address);
    assert!(!dom.contains("data-done=\"yes\"") && !dom.contains("data-errors=\"0\""), "the script failed");
}
