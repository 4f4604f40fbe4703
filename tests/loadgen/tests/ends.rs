//! Exit codes and what is said with them.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use linchpin_loadgen_tests::minimal::Minimal;
use linchpin_loadgen_tests::{Folder, Loadgen, Ran, made_up_tokens, program, run};
use rustix::process::Signal;

/// Exit code and everything that was said.
fn say(arguments: &[&str]) -> (i32, String) {
    let ran = Loadgen::start(arguments).wait(Duration::from_secs(20));
    (ran.code(), ran.out + &ran.err)
}

#[track_caller]
fn expect(arguments: &[&str], code: i32, words: &[&str]) {
    let (is, text) = say(arguments);
    assert_eq!(is, code, "{arguments:?}: {text}");
    assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
}

#[test]
fn mistakes_of_the_command_line_end_with_1_and_help_does_not() {
    expect(&["--help"], 0, &["Exit codes", "5 regression"]);
    expect(&[], 1, &["Usage"]);
    expect(&["quick"], 1, &["HOST:PORT"]);
    expect(&["quick", "-r", "50x", "127.0.0.1:1"], 1, &["50k/s"]);
    expect(&["fly"], 1, &["fly"]);
    expect(&["check", "/nowhere.toml"], 1, &["/nowhere.toml", "check its path"]);
    expect(&["quick", "127.0.0.1:1", "--allow-debug-build"], 1, &["--tokens"]);
}

#[test]
fn a_scenario_is_checked_without_a_server() {
    let folder = Folder::new();
    let bad = folder.file("bad.toml", "name = \"x\"\n[[group]]\nname = \"g\"\ncuont = 3\n");
    expect(&["check", &bad.to_string_lossy()], 1, &["cuont", "line 4"]);
    let text = "name = \"x\"\n[[group]]\nname = \"g\"\ncount = 3\n[[phase]]\nkind = \"ramp\"\nduration = \"1s\"\n\
                [[phase]]\nkind = \"steady\"\nduration = \"2s\"\n";
    let good = folder.file("good.toml", text);
    expect(&["check", &good.to_string_lossy()], 0, &["3 devices", "valid"]);
}

#[test]
fn targets_are_refused_or_reported() {
    let folder = Folder::new();
    let tokens = folder.tokens(&made_up_tokens(2));
    let tokens = tokens.to_string_lossy();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let free = free.to_string();
    let base = ["quick", "-c", "2", "--tokens", &*tokens, "--allow-debug-build", "--quiet"];
    let with = |more: &[&'static str]| [&base[..], more].concat();
    expect(&[&base[..], &[&*free]].concat(), 2, &[&*free, "start the server"]);
    expect(&with(&["192.0.2.1:80"]), 1, &["192.0.2.1", "--i-own-this-target"]);
    expect(&with(&["nonsense"]), 1, &["HOST:PORT"]);
    if cfg!(debug_assertions) && std::env::var_os("LOADGEN_BIN").is_none() {
        expect(&["quick", "-c", "2", "--tokens", &*tokens, &*free], 1, &["debug build", "--release"]);
    }
}

#[test]
fn there_must_be_a_token_for_each_device_and_none_is_shown() {
    let folder = Folder::new();
    let server = Minimal::start(None, Duration::ZERO);
    let made = made_up_tokens(2);
    let ran = run(server.address, &folder.tokens(&made), &["quick", "-c", "3"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.err.contains("2 tokens for 3 devices"), "{}", ran.err);
    let ran = run(server.address, &folder.tokens(&made), &["quick", "-c", "2", "-r", "10/s", "-d", "1s"]);
    assert!([0, 4].contains(&ran.code()), "{}", ran.err);
    assert!(made.iter().all(|token| !(ran.out.clone() + &ran.err).contains(token.expose())));
}

/// Nothing comes of a run whose logins are all refused: it ends with the server's reason, not after its whole length.
#[test]
fn wrong_tokens_end_a_run_at_once() {
    let folder = Folder::new();
    let server = Minimal::start(None, Duration::ZERO);
    server.refuse_logins();
    let begun = std::time::Instant::now();
    let tokens = folder.tokens(&made_up_tokens(30));
    let ran = run(server.address, &tokens, &["quick", "-c", "30", "-r", "10", "-d", "60s", "--ramp", "1s"]);
    assert_eq!(ran.code(), 2, "{}", ran.err);
    assert!(ran.err.contains("none of 30 devices could log in") && ran.err.contains("check the tokens"), "{}", ran.err);
    assert!(begun.elapsed() < Duration::from_secs(40), "it ended after {:?}", begun.elapsed());
}

/// A share, a latency and a verdict are only as good as the number of answers behind them.
#[test]
fn figures_end_where_samples_end() {
    let folder = Folder::new();
    let server = Minimal::start(None, Duration::ZERO);
    let tokens = folder.tokens(&made_up_tokens(2));
    let short = ["quick", "-c", "2", "-r", "9", "-d", "1s", "--slo", "p99<1s"];
    let outcome = run(server.address, &tokens, &short).outcome();
    let quantiles = outcome["measured"]["messages"]["corrected"]["quantiles"].as_array().expect("a list");
    assert!(
        quantiles.iter().all(|pair| pair[0].as_f64() <= Some(0.9) || pair[0].as_f64() >= Some(1.0)),
        "{quantiles:?}"
    );
    assert!(outcome["slo"]["missed"][0].as_str().is_some_and(|why| why.contains("p99 is not known")), "{outcome}");
}

#[test]
fn an_slo_that_is_missed_ends_with_3() {
    let folder = Folder::new();
    let tokens = folder.tokens(&made_up_tokens(10));
    let server = Minimal::start(None, Duration::from_millis(20));
    let base = ["quick", "-c", "10", "-r", "80/s", "-d", "2s", "--slo"];
    for (slo, code) in [("p99<2s,errors=0", 0), ("p50<5ms", 3)] {
        let again = || run(server.address, &tokens, &[&base[..], &[slo]].concat());
        // Other tests run at the same time: the run may be INVALID now and then.
        let ran = (0..5).map(|_| again()).find(|ran| ran.code() != 4).expect("a valid run of five");
        assert_eq!(ran.code(), code, "{slo}: {} {}", ran.outcome()["slo"], ran.outcome()["verdict"]);
    }
}

#[test]
fn an_interrupted_run_is_invalid_and_still_reports() {
    let folder = Folder::new();
    let (tokens, server) = (folder.tokens(&made_up_tokens(10)), Minimal::start(None, Duration::ZERO));
    let (target, tokens) = (server.address.to_string(), tokens.to_string_lossy().into_owned());
    let arguments = [
        "quick",
        "-c",
        "10",
        "-d",
        "1h",
        "-r",
        "50/s",
        &*target,
        "--tokens",
        &*tokens,
        "--json",
        "--allow-debug-build",
    ];
    let loadgen = Loadgen::start(&arguments);
    std::thread::sleep(Duration::from_secs(4));
    loadgen.signal(Signal::INT);
    let ran = loadgen.wait(Duration::from_secs(20));
    assert_eq!(ran.code(), 4);
    assert!(ran.outcome()["measured"]["counts"]["ping"].as_u64() > Some(10), "{}", ran.out);
    // Without a terminal: a line a second, without colours.
    assert!(ran.err.lines().count() >= 3 && ran.err.contains("steady") && !ran.err.contains('\u{1b}'), "{}", ran.err);
}

#[test]
fn an_interrupted_search_says_the_best_so_far() {
    let folder = Folder::new();
    let server = Minimal::start(None, Duration::ZERO);
    let scenario = folder.file(
        "search.toml",
        r#"
name = "search"
[[group]]
name = "devices"
count = 2
mix = [{ kind = "ping", rate = "10/s" }]
[[phase]]
kind = "ramp"
duration = "300ms"
[[phase]]
kind = "steady"
duration = "1s"
"#,
    );
    let (target, tokens) = (server.address.to_string(), folder.tokens(&made_up_tokens(2)));
    let (scenario, tokens) = (scenario.to_string_lossy().into_owned(), tokens.to_string_lossy().into_owned());
    let folder = folder.file("nothing", "").with_file_name("out");
    let out = folder.to_string_lossy().into_owned();
    let arguments = ["search", "--slo", "p90<1s,errors=0", &*scenario, &*target, "--tokens", &*tokens];
    let mut loadgen = Loadgen::start(&[&arguments[..], &["--out", &*out, "--allow-debug-build"]].concat());
    // A busy machine makes it INVALID; it is a rate that was tried all the same.
    loadgen.wait_for("/s  p99 ");
    loadgen.signal(Signal::INT);
    let ran = loadgen.wait(Duration::from_secs(60));
    assert_eq!(ran.code(), 4, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("so far; the search was ended before its end"), "{}", ran.out);
    let page = std::fs::read_to_string(folder.join("search.html")).expect("its page");
    assert!(page.contains("so far; the search was ended before its end"), "the page says it too");
}

#[test]
fn kept_runs_are_compared_and_two_single_ones_cannot_be_separated() {
    let folder = Folder::new();
    let tokens = folder.tokens(&made_up_tokens(10));
    let compare = |base: &str, new: &str, more: &[&str]| {
        let output = Command::new(program("loadgen"))
            .args(["compare", "--base", &folder.at(base).to_string_lossy(), "--new", &folder.at(new).to_string_lossy()])
            .args(more)
            // Other tests run at the same time, so some of these runs may be INVALID.
            .arg("--force")
            .output()
            .expect("runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (fast, slow) = (Minimal::start(None, Duration::ZERO), Minimal::start(None, Duration::from_millis(15)));
    for (server, side) in [(&fast, "fast"), (&slow, "slow")] {
        for n in 0..4 {
            let out = folder.at(&format!("{side}/{n}"));
            let ran = run(
                server.address,
                &tokens,
                &["quick", "-c", "10", "-r", "40/s", "-d", "1s", "--out", &out.to_string_lossy()],
            );
            assert!([0, 4].contains(&ran.code()), "{}", ran.err);
        }
    }
    let (code, text) = compare("fast/0", "slow/0", &["--fail-on", "p50>5%", "--figure", "p50"]);
    assert!(code == Some(0) && text.contains("cannot separate"), "{text}");
    let (code, text) = compare("fast", "slow", &["--fail-on", "p50>5%", "--figure", "p50"]);
    assert!(code == Some(5) && text.contains("p50: B is worse"), "{text}");
    let (code, text) = compare("slow", "fast", &["--fail-on", "p50>5%", "--figure", "p50"]);
    assert!(code == Some(0) && text.contains("p50: B is better"), "{text}");
    for file in
        ["outcome.json", "report.html", "series.ndjson", "intervals.hlog", "ping.hgrm", "messages.uncorrected.hgrm"]
    {
        assert!(folder.at("fast/0").join(file).is_file(), "{file}");
    }
}

#[test]
fn a_comparison_goes_on_with_what_it_has_kept() {
    let folder = Folder::new();
    let tokens = folder.tokens(&made_up_tokens(10));
    let (fast, slow) = (Minimal::start(None, Duration::ZERO), Minimal::start(None, Duration::from_millis(15)));
    let scenario = "name = \"x\"\n[[group]]\nname = \"g\"\ncount = 10\nmix = [{ kind = \"ping\", rate = \"40/s\" }]\n\
                    [[phase]]\nkind = \"ramp\"\nduration = \"200ms\"\n[[phase]]\nkind = \"steady\"\nduration = \"1s\"\n";
    let (scenario, out) = (folder.file("x.toml", scenario), folder.at("runs"));
    let (a, b) = (fast.address.to_string(), slow.address.to_string());
    let (scenario, tokens, out) = (scenario.to_string_lossy(), tokens.to_string_lossy(), out.to_string_lossy());
    let arguments = ["ab", "--rounds", "4", "--figure", "p50", "--json", "--resume", "--allow-debug-build"];
    let arguments = [&arguments[..], &[&*a, &*b, &*scenario, "--tokens", &*tokens, "--out", &*out]].concat();
    let ab = || Loadgen::start(&arguments).wait(Duration::from_secs(170));
    let first = ab();
    let told = |ran: &Ran| {
        let p50 = ran.outcome()["figures"][0].clone();
        assert_eq!((&p50["figure"], &p50["level"]), (&"p50".into(), &0.975.into()));
        (p50["finding"].clone(), p50["runs"].clone(), p50["ratio"].as_f64().map(|ratio| format!("{ratio:.9}")))
    };
    assert_eq!(told(&first).0, "higher");
    // Nobody answers any more, and one run was not finished: only that one would have to be made.
    drop((fast, slow));
    let again = ab();
    assert_eq!((again.code(), told(&again)), (first.code(), told(&first)), "{}", again.err);
    std::fs::remove_file(folder.at("runs/b-001/outcome.json")).expect("it was kept");
    let ran = ab();
    assert_eq!(ran.code(), 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("round 1: b") && !ran.err.contains("round 2: b"), "{}", ran.err);

    expect(&["ab", "--resume", &a, &b, &scenario], 1, &["--out FOLDER"]);
}
