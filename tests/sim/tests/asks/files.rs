//! The browser application's files.

use linchpin_protocol::http::{Asset, AssetTable, CacheClass};

use super::*;

static SCRIPT: [u8; 300_000] = [b'x'; 300_000];

static FILES: [Asset; 2] = [
    Asset {
        path: "/index.html",
        media_type: "text/html;charset=utf-8",
        identity: b"<!doctype html>page",
        gzip: Some(b"gz"),
        brotli: None,
        tag: "p1",
        cache: CacheClass::Revalidate,
        fields: &[("Content-Security-Policy", "default-src 'self'")],
    },
    Asset {
        path: "/assets/main-1.js",
        media_type: "text/javascript",
        identity: &SCRIPT,
        gzip: None,
        brotli: None,
        tag: "m1",
        cache: CacheClass::Immutable,
        fields: &[],
    },
];

fn world_with_files() -> World {
    let http = HttpOptions { assets: AssetTable::new(&FILES), ..http() };
    World::new(&WorldOptions { http, ..options() })
}

const HTML: &str = "Accept: text/html,*/*;q=0.8\r\n";

#[test]
fn the_page_answers_where_a_browser_goes_and_nowhere_else() {
    let mut world = world_with_files();
    let token = world.add_device(1, None);
    let legacy = format!("/{}/get/v1", token.expose());
    for (method, path, fields, status, is_page) in [
        ("GET", "/", HTML, 200, true),
        ("GET", "/devices/7?tab=1", HTML, 200, true),
        ("GET", "/index.html", "", 200, true),
        ("GET", "/", "", 404, false),
        ("GET", "/", "Accept: */*\r\n", 404, false),
        ("POST", "/", HTML, 404, false),
        ("GET", "/assets/old.js", HTML, 404, false),
        ("GET", "/assets/get/v1", HTML, 404, false),
        ("GET", "/external/api/nothing", HTML, 404, false),
        ("GET", &legacy, HTML, 400, false),
        ("GET", "/api/v1/ping", HTML, 200, false),
    ] {
        let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
        client.ask(&mut world, method, path, fields, b"");
        run(&mut world, &mut client, 50);
        assert_eq!(statuses(&client), [status], "{method} {path} {fields}");
        let answer = &client.answers[0];
        assert_eq!(answer.body.starts_with(b"<!doctype"), is_page, "{method} {path} {fields}");
        assert_eq!(answer.head.contains("Content-Security-Policy: default-src 'self'"), is_page);
        assert!(!is_page || !answer.head.contains("Access-Control"), "{}", answer.head);
    }
    let mut foreign = Asker::connect(&mut world, [127, 0, 0, 1]);
    world.send(foreign.conn, b"GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html\r\n\r\n");
    run(&mut world, &mut foreign, 50);
    assert_eq!(statuses(&foreign), [421]);
}

#[test]
fn copies_are_asked_for_by_tag_and_forms_by_encoding() {
    let mut world = world_with_files();
    let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
    let zipped = format!("{HTML}Accept-Encoding: gzip, br\r\n");
    client.ask(&mut world, "GET", "/", &zipped, b"");
    client.ask(&mut world, "GET", "/", &format!("{zipped}If-None-Match: \"p1-gzip\"\r\n"), b"");
    client.ask(&mut world, "GET", "/", &format!("{HTML}If-None-Match: \"p1-gzip\"\r\n"), b"");
    client.ask(&mut world, "HEAD", "/assets/main-1.js", "", b"");
    run(&mut world, &mut client, 100);
    assert_eq!(statuses(&client), [200, 304, 200, 200], "pipelined, in order");
    let head = |at: usize| client.answers[at].head.clone();
    assert!(head(0).contains("Content-Encoding: gzip\r\n") && head(0).contains("ETag: \"p1-gzip\"\r\n"), "{}", head(0));
    assert_eq!(client.answers[0].body, b"gz");
    assert!(head(1).contains("ETag: \"p1-gzip\"\r\n") && !head(1).contains("Content-Length"), "{}", head(1));
    assert!(!head(2).contains("Content-Encoding") && head(2).contains("Vary: Accept-Encoding\r\n"), "{}", head(2));
    assert!(head(3).contains("Content-Length: 300000\r\n") && head(3).contains("immutable"), "{}", head(3));
    assert_eq!(world.status()[0].asks, 0, "control hears nothing of it");
    leave(&mut world, &[&client]);
}

#[test]
fn a_long_file_goes_as_it_is_read() {
    let mut world = world_with_files();
    let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
    client.ask(&mut world, "GET", "/assets/main-1.js", "", b"");
    client.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    run(&mut world, &mut client, 500);
    for _ in 0..20 {
        run(&mut world, &mut client, 50);
    }
    assert_eq!(client.answers[0].body.len(), SCRIPT.len());
    assert_eq!(client.whole_answers()[1], ok("pong"), "what is pipelined waits its turn");
    let slow = Asker::connect(&mut world, [127, 0, 0, 2]);
    world.set_window(slow.conn, 1_000);
    world.send(slow.conn, b"GET /assets/main-1.js HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.run_ms(1_000);
    let status = world.status();
    assert!(status[0].asks_under_way == 1 && status[0].ask_bytes < 2_000, "{status:?}");
    leave(&mut world, &[&client, &slow]);
}
