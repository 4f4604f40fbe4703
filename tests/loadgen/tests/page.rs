//! The report in a browser: plots are drawn, no script fails, and nothing is asked of anybody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use linchpin_loadgen_tests::minimal::Minimal;
use linchpin_loadgen_tests::{Folder, Loadgen, made_up_tokens, run};

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
    open_as(page, folder, proxy, &["--window-size=1280,900"])
}

fn open_as(page: &Path, folder: &Folder, proxy: SocketAddr, flags: &[&str]) -> (String, Vec<String>) {
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
        .args(flags)
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
    // Behind the script that listens: before it, what happens first would be chance.
    let image = html.replace("</body>", "<img src=\"http://127.0.0.1:9/canary\"></body>");
    assert_ne!(image, html);
    let (dom, _) = open(&folder.file("image.html", &image), &folder, proxy.address);
    assert!(!dom.contains("data-errors=\"0\"") || proxy.asked.load(Ordering::Relaxed) > 0, "the policy forbids it");
    assert_eq!(proxy.asked.load(Ordering::Relaxed), 0, "nothing left the page");

    let open_policy = image.replace("default-src 'none'", "default-src *");
    let (_, urls) = open(&folder.file("open.html", &open_policy), &folder, proxy.address);
    assert!(proxy.asked.load(Ordering::Relaxed) > 0 || urls.iter().any(|url| url.contains("canary")), "{urls:?}");

    let broken = html.replace("root.dataset.done", "nothing.dataset.done");
    assert_ne!(broken, html);
    let (dom, _) = open(&folder.file("broken.html", &broken), &folder, proxy.address);
    assert!(!dom.contains("data-done=\"yes\"") && !dom.contains("data-errors=\"0\""), "the script failed");
}

/// Everything that a page must be, in a window and a colour scheme.
#[track_caller]
fn expect_whole(page: &Path, folder: &Folder, proxy: SocketAddr, plots: u32) {
    for flags in
        [["--window-size=1280,900", "--no-default-browser-check"], ["--window-size=400,900", "--force-dark-mode"]]
    {
        let (dom, _) = open_as(page, folder, proxy, &flags);
        for sign in ["data-done=\"yes\"", "data-errors=\"0\"", "data-overflow=\"no\""] {
            assert!(dom.contains(sign), "{}: {sign} is missing with {flags:?}", page.display());
        }
        let drawn = dom.split("data-plots=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        assert!(drawn.parse::<u32>().unwrap_or(0) >= plots, "{}: {drawn} plots", page.display());
    }
}

const PHASES: &str = r#"
name = "phases <b>&amp;"
[[group]]
name = "devices"
count = 20
h_beat = "1h"
reconnect = "200ms"
mix = [{ kind = "ping", rate = "200/s" }]
[[phase]]
kind = "ramp"
duration = "1s"
[[phase]]
kind = "steady"
name = "calm"
duration = "3s"
[[phase]]
kind = "storm"
name = "flap"
storm = "flap"
share = "50%"
duration = "2s"
[[phase]]
kind = "steady"
name = "after"
duration = "3s"
"#;

#[test]
fn every_plot_over_time_names_its_phases() {
    let (folder, proxy) = (Folder::new(), listen());
    let server = Minimal::start(None, Duration::ZERO);
    let (scenario, out) = (folder.file("phases.toml", PHASES), folder.at("run"));
    let arguments = ["run", &scenario.to_string_lossy(), "--out", &out.to_string_lossy()];
    let ran = run(server.address, &folder.tokens(&made_up_tokens(20)), &arguments);
    assert!(ran.code() == 0 || ran.code() == 4, "{}", ran.err);
    let page = out.join("report.html");
    expect_whole(&page, &folder, proxy.address, 6);
    let (dom, _) = open(&page, &folder, proxy.address);
    let over_time = ["Latency heat map", "Latency over time", "Messages a second", "Devices online", "Schedule lag"];
    for title in over_time {
        let plot = dom.split("<figure>").find(|figure| figure.contains(title));
        let plot = plot.unwrap_or_else(|| panic!("no plot {title}"));
        for phase in ["calm", "flap", "after"] {
            assert!(plot.contains(&format!(">{phase}</text>")), "{title} does not name {phase}");
        }
    }
    let heat = dom.split("<figure>").find(|figure| figure.contains("Latency heat map")).unwrap_or_default();
    assert!(heat.matches("class=\"cell\"").count() > 5, "the heat map has cells");
    assert!(dom.contains("<i style=\"background: var(--line-1);\"></i>planned"), "the plan is a line");
    for fact in ["Command", "--allow-debug-build", "calm: 3s", "Seed", "Load average", "stolen by the host", "soft, "] {
        assert!(dom.contains(fact), "{fact} is not said");
    }
}

const SHORT: &str = r#"
name = "short"
[[group]]
name = "devices"
count = 20
h_beat = "1h"
mix = [{ kind = "ping", rate = "200/s" }]
[[phase]]
kind = "ramp"
duration = "200ms"
[[phase]]
kind = "steady"
duration = "1s"
"#;

#[test]
fn comparisons_and_searches_have_a_page() {
    let (folder, proxy) = (Folder::new(), listen());
    let server = Minimal::start(None, Duration::ZERO);
    let tokens = folder.tokens(&made_up_tokens(20));
    let scenario = folder.file("short.toml", SHORT).to_string_lossy().into_owned();
    for round in 0..4 {
        let out = folder.at(&format!("a-{round}")).to_string_lossy().into_owned();
        let ran = run(server.address, &tokens, &["quick", "-c", "20", "-r", "300", "-d", "1s", "--out", &out]);
        assert!(ran.code() == 0 || ran.code() == 4, "{}", ran.err);
    }
    let runs: Vec<String> = (0..4).map(|n| folder.at(&format!("a-{n}")).to_string_lossy().into_owned()).collect();
    let page = folder.at("comparison.html");
    let mut arguments = vec!["compare", "--force", "--page", page.to_str().expect("UTF-8"), "--base"];
    arguments.extend(runs.iter().map(String::as_str));
    arguments.push("--new");
    arguments.extend(runs.iter().map(String::as_str));
    let ran = Loadgen::start(&arguments).wait(Duration::from_secs(20));
    assert_eq!(ran.code(), 0, "{}", ran.err);
    assert!(ran.out.contains("so few runs show differences of about"), "{}", ran.out);
    expect_whole(&page, &folder, proxy.address, 4);

    let out = folder.at("search").to_string_lossy().into_owned();
    let search = run(server.address, &tokens, &["search", &scenario, "--slo", "rate<300", "--out", &out]);
    assert!(search.out.contains("knee:") || search.out.contains("no rate"), "{}{}", search.out, search.err);
    expect_whole(&folder.at("search/search.html"), &folder, proxy.address, 1);
}
