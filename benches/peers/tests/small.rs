//! The whole program with 50 connections to Linchpin and to Mosquitto, so that it stays able to run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const CONNECTIONS: u64 = 50;

/// A folder of this test; removed when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A built program beside this test's.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_bench-peers")).with_file_name(name);
    assert!(path.is_file(), "{} is missing: cargo build -p {name}", path.display());
    path
}

fn bench(results: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-peers"));
    command.arg("--results").arg(results).args(["--connections", &CONNECTIONS.to_string(), "--rounds", "1"]);
    command.args([
        "--only",
        "linchpin,linchpin-mqtt,mosquitto",
        "--settle-s",
        "1",
        "--rest-s",
        "1",
        "--allow-debug-build",
    ]);
    command.arg("--linchpin").arg(program("linchpin")).arg("--loadgen").arg(program("loadgen"));
    command.output().expect("bench-peers runs")
}

fn lines(results: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(results.join("results.jsonl")).expect("results");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[test]
fn linchpin_on_both_wires_and_mosquitto_are_measured_once() {
    let folder = Folder(std::env::temp_dir().join(format!("linchpin-peers-small-{}", std::process::id())));
    let first = bench(&folder.0);
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(first.status.success(), "{said}\nIs mosquitto missing? tests/setup.sh test");
    let kept = lines(&folder.0);
    assert_eq!(kept.len(), 6, "{said}");
    for line in &kept {
        assert_eq!(
            (&line["valid"], &line["round"], &line["connections"]),
            (&true.into(), &1.into(), &CONNECTIONS.into())
        );
        assert_eq!(line["metric"], "rss_bytes_per_connection");
        // With so few connections the figure is not one of a connection, but it is one of these servers.
        let value = line["value"].as_f64().expect("a figure");
        assert!((0.0..1e6).contains(&value), "{line}");
    }
    let of = |row: &str, subject: &str| {
        let same = |line: &&Value| {
            line["row"] == row && line["subject"].as_str().is_some_and(|s| s.split(' ').next() == Some(subject))
        };
        kept.iter().filter(same).filter_map(|line| line["value"].as_f64()).collect::<Vec<f64>>()
    };
    for subject in ["linchpin", "linchpin-mqtt", "mosquitto"] {
        let (plain, tls) =
            (of("memory per idle connection, plain", subject), of("memory per idle connection, TLS", subject));
        assert_eq!((plain.len(), tls.len()), (1, 1), "{kept:?}");
        assert!(tls[0] > plain[0], "TLS takes memory: {kept:?}");
    }
    let table = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(
        table.contains("| linchpin | Blynk |")
            && table.contains("| linchpin-mqtt | MQTT 3.1.1 |")
            && table.contains("| MQTT 3.1.1 |"),
        "{table}"
    );

    // Again: nothing is measured, the table is the same.
    let second = bench(&folder.0);
    assert!(second.status.success() && second.stderr.is_empty(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(lines(&folder.0), kept);
    assert_eq!(String::from_utf8_lossy(&second.stdout), table);
}
