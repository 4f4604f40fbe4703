//! The committed corpus of the fuzzers, replayed on stable: what was once found stays found.

use std::path::Path;

use linchpin_fuzz_props as props;

/// Replay every file of a target.
fn replay(target: &str, property: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).expect("the corpus is committed") {
        let path = entry.expect("readable").path();
        let input = std::fs::read(&path).expect("readable");
        count += 1;
        if std::panic::catch_unwind(|| property(&input)).is_err() {
            panic!("{} fails; the reason stands above", path.display());
        }
    }
    assert!(count >= 60, "only {count} inputs in {}", dir.display());
}

#[test]
fn frames() {
    replay("frame", props::frame);
}

#[test]
fn sessions() {
    replay("session", props::session);
}

#[test]
fn http_requests() {
    replay("http", props::http);
}

#[test]
fn websocket_frames() {
    replay("websocket", props::websocket);
}

#[test]
fn devices() {
    replay("device", props::device);
}

#[test]
fn tls_hellos() {
    replay("tls_hello", props::tls_hello);
}

#[test]
fn tls_records_opened() {
    replay("tls_open", props::tls_open);
}

#[test]
fn tls_records_sealed() {
    replay("tls_seal", props::tls_seal);
}

#[test]
fn mqtt_packets() {
    replay("mqtt_decode", props::mqtt_decode);
}

#[test]
fn mqtt_sessions() {
    replay("mqtt_session", props::mqtt_session);
}

#[test]
fn mqtt_beside_another() {
    replay("mqtt_differential", props::mqtt_differential);
}

#[test]
fn live_asks() {
    replay("live_ask", props::live_ask);
}

#[test]
fn live_reports() {
    replay("live_report", props::live_report);
}

#[test]
fn hand_overs() {
    replay("handover", props::handover);
}

#[test]
fn seeds_of_every_kind_of_connection_are_read() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/handover");
    let files = std::fs::read_dir(&dir).expect("the corpus is committed");
    let freights = files.filter_map(|entry| std::fs::read(entry.expect("readable").path()).ok());
    let read = freights.filter(|bytes| linchpin_shard::handover::Freight::unpack(bytes).is_ok()).count();
    // What version 1 wrote: it stays readable for two versions.
    assert!(read >= 25, "only {read} connections are read");
}

#[test]
fn proxy_headers() {
    replay("proxy", props::proxy);
}

#[test]
fn bodies_and_queries() {
    replay("body", props::body);
}

#[test]
fn files_of_ticket_keys() {
    replay("ticket_file", props::ticket_file);
}
