//! A ring that the kernel does not take any more: the driver says so at once, and no call hangs.

mod world;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use linchpin_driver::{Choice, Driver, Event, Mode, Options, Outgoing, Wait};
use world::{loopback, poll_until};

/// Descriptors of this process that are rings.
fn rings() -> BTreeSet<RawFd> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("Linux has it");
    let is_ring =
        |path: &std::path::Path| std::fs::read_link(path).is_ok_and(|to| to.as_os_str() == "anon_inode:[io_uring]");
    entries
        .flatten()
        .filter(|entry| is_ring(&entry.path()))
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .collect()
}

/// Put something that is no ring behind a ring's descriptor.
fn break_ring(ring: RawFd) {
    let null = File::open("/dev/null").expect("opens");
    // SAFETY: the number is an open descriptor of the ring of this test, and stays one: it is given back below.
    let mut target = unsafe { OwnedFd::from_raw_fd(ring) };
    rustix::io::dup2(&null, &mut target).expect("replaces it");
    std::mem::forget(target);
}

// The only test of its file: it looks for the ring among the descriptors of the process.
#[test]
fn a_broken_ring_is_reported_by_every_poll_and_nothing_hangs() {
    let options = Options { backend: Choice::IoUring, completions: 64, ..Options::default() };
    let before = rings();
    let mut driver = Driver::open(&options).expect("io_uring, as the other tests of this crate need it");
    let ring = *rings().difference(&before).next().expect("a new ring");
    let (_, at) = driver.listen(loopback()).expect("listens");
    let mut client = TcpStream::connect(at).expect("connects");
    let accepted = Cell::new(None);
    let note = |event: Event<'_>| {
        if let Event::Accepted { conn, .. } = event {
            accepted.set(Some(conn));
        }
    };
    poll_until(&mut driver, note, || accepted.get().is_some());
    let conn = accepted.get().expect("accepted");
    driver.arm(conn, Mode::Multi);
    client.write_all(b"hello").expect("takes some bytes");
    driver.poll(Wait::No, &mut || false, &mut |_| {}).expect("the ring works");

    break_ring(ring);
    let begun = Instant::now();
    let mut failed = 0;
    for _ in 0..50 {
        let wait = Wait::Until(Duration::from_secs(5));
        failed += usize::from(driver.poll(wait, &mut || false, &mut |_| {}).is_err());
        // More than the queue holds, which nobody empties.
        for _ in 0..40 {
            driver.flush(b"an answer", &[Outgoing { conn, start: 0, end: 9 }]);
        }
        driver.flush_later(&mut b"another".to_vec(), &mut vec![Outgoing { conn, start: 0, end: 7 }]);
    }
    driver.abort(conn);
    driver.close(conn);
    assert!(failed >= 49, "{failed} of 50 polls reported it");
    assert!(begun.elapsed() < Duration::from_secs(10), "nothing waits for a ring that is broken");
    let error = driver.poll(Wait::No, &mut || false, &mut |_| {}).expect_err("for ever");
    assert!(error.raw_os_error().is_some());
}
