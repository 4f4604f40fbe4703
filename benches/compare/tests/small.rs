//! The program itself, with little to do: it starts servers, loads them, keeps what was measured, goes on where it was
//! interrupted, and reports. The figures of such a run mean nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ME: &str = env!("CARGO_BIN_EXE_bench-compare");

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(ME);
    command.args(["run", "--rounds", "1", "--seconds", "1", "--divide", "100", "--allow-debug-build", "--results"]);
    command.arg(folder).args(["--subjects", "linchpin,epoll", "--rows", "request/response,accept"]).args(more);
    command.output().expect("runs")
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("results.jsonl")).expect("results");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn servers_are_measured_once_and_reported() {
    let folder = Folder(std::env::temp_dir().join(format!("linchpin-compare-test-{}", std::process::id())));
    let built = Path::new(ME).parent().expect("a folder");
    for name in ["linchpin", "loadgen", "bench-runtimes"] {
        assert!(built.join(name).is_file(), "{name} is not built: tests/run.sh build");
    }
    // Both CPUs may be one: what is measured is not looked at.
    let ran = run(&folder.0, &[]);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let measured = lines(&folder.0);
    for subject in ["linchpin", "epoll"] {
        for metric in ["cpu_ns_per_message", "cpu_ns_per_login", "rss_bytes_per_connection"] {
            let is_it = |line: &&serde_json::Value| line["subject"] == subject && line["metric"] == metric;
            let found = measured.iter().find(is_it).unwrap_or_else(|| panic!("no {metric} of {subject}: {said}"));
            assert!(found["value"].as_f64().is_some_and(f64::is_finite), "{found}");
        }
    }
    let of_ours = |metric: &str| measured.iter().filter(|line| line["metric"] == metric).count();
    assert_eq!(of_ours("longest_tick_us"), 1, "only ours says it: {said}");

    // What counts is not measured again.
    let valid = measured.iter().filter(|line| line["valid"] == true).count();
    let again = run(&folder.0, &[]);
    let more = lines(&folder.0).len() - measured.len();
    assert!(more <= measured.len() - valid, "{}", String::from_utf8_lossy(&again.stderr));

    let mut keep = Command::new(ME);
    keep.arg("keep").arg("--results").arg(&folder.0).args(["--row", "elsewhere", "--subject", "linchpin"]);
    assert!(keep.args(["--metric", "bytes", "--value", "296"]).status().expect("runs").success());

    let (markdown, json) = (folder.0.join("table.md"), folder.0.join("table.json"));
    let mut report = Command::new(ME);
    report.arg("report").arg(&folder.0).arg("--markdown").arg(&markdown).arg("--json").arg(&json);
    assert!(report.status().expect("runs").success());
    let text = std::fs::read_to_string(&markdown).expect("a table");
    assert!(text.contains("**accept and login**, cpu_ns_per_login") && text.contains("| epoll | "), "{text}");
    assert!(text.contains("**elsewhere**, bytes") && text.contains("| linchpin | 1 (0) | 296 | 296 |"), "{text}");
    let all: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).expect("a file")).expect("JSON");
    assert!(
        all["head"]["kernel"].is_string() && all["lines"].as_array().is_some_and(|lines| lines.len() >= 8),
        "{all}"
    );
}

#[test]
fn mistakes_are_told() {
    let folder = std::env::temp_dir();
    let asked = |arguments: &[&str]| {
        let ran = Command::new(ME).arg("run").arg("--results").arg(&folder).args(arguments).output().expect("runs");
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    assert_eq!(asked(&["--subjects", "apache"]).0, Some(2));
    let (code, said) = asked(&["--programs", "/nowhere"]);
    assert!(code == Some(1) && said.contains("/nowhere/linchpin is missing: cargo build --release"), "{said}");
}
