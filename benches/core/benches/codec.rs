//! What a message costs in the codec: cut, understand, answer. No sockets.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use linchpin_protocol::blynk::codec::{self, device};
use linchpin_protocol::blynk::{Command, DeviceOptions, DeviceSession, Session, Split, split};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::model::{Millis, Pin, Token, UnixMillis};
use linchpin_protocol::{Action, Status};
use std::hint::black_box;

const WALL: UnixMillis = UnixMillis(1_700_000_000_000);
const PIN: Pin = Pin::new_virtual(7);
const FRAMES: usize = 64;

/// A session that is logged in.
fn live() -> Session {
    let mut login = Vec::new();
    device::login(&mut login, 1, Command::Login, &Token::from_random(&[7; 24]));
    let mut session = Session::new();
    assert!(matches!(requests(&mut session, &login), (1, _)));
    session.accept();
    session
}

/// Cut and understand all frames; returns how many, and the bytes of their values.
fn requests(session: &mut Session, mut bytes: &[u8]) -> (usize, usize) {
    let (mut count, mut value_bytes) = (0, 0);
    while let Ok(Split::Frame { frame, used }) = split(bytes, MAX_BODY_BYTES) {
        bytes = &bytes[used..];
        count += 1;
        if let Action::Write { value, .. } = session.on_frame(WALL, frame).expect("well formed").action {
            value_bytes += value.as_bytes().len();
        }
    }
    (count, value_bytes)
}

fn server(criterion: &mut Criterion) {
    let mut stream = Vec::new();
    for id in 1..=FRAMES as u16 {
        device::write(&mut stream, id, PIN, b"23.500");
    }
    let mut session = live();
    assert_eq!(requests(&mut session, &stream), (FRAMES, 6 * FRAMES));
    let mut group = criterion.benchmark_group("server");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function("split and understand 64 writes", |bencher| {
        bencher.iter(|| requests(&mut session, black_box(&stream)));
    });
    let mut out = Vec::with_capacity(64 * FRAMES);
    group.bench_function("write 64 responses", |bencher| {
        bencher.iter(|| {
            out.clear();
            (1..=FRAMES as u16).for_each(|id| codec::response(&mut out, black_box(id), Status::Ok));
            out.len()
        });
    });
    group.bench_function("write 64 pins", |bencher| {
        bencher.iter(|| {
            out.clear();
            (1..=FRAMES as u16).for_each(|id| codec::hardware_write(&mut out, id, PIN, black_box(b"23.500")));
            out.len()
        });
    });
    group.finish();
}

fn client(criterion: &mut Criterion) {
    let opts = DeviceOptions::default();
    let (mut device, mut out) = (DeviceSession::new(), Vec::new());
    device.start(Millis(0), &opts, &Token::from_random(&[7; 24]), &mut out);
    let mut stream = Vec::new();
    for id in 1..=FRAMES as u16 {
        codec::hardware_write(&mut stream, id, PIN, b"23.500");
    }
    let mut group = criterion.benchmark_group("device");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function("hear 64 writes", |bencher| {
        bencher.iter(|| {
            let mut heard = 0;
            let stream = black_box(&stream);
            device.on_bytes(Millis(0), &opts, stream, &mut out, &mut |_| heard += 1).expect("well formed");
            assert_eq!(heard, FRAMES);
        });
    });
    group.finish();
}

criterion_group!(benches, server, client);
criterion_main!(benches);
