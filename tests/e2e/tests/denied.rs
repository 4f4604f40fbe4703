//! Machines that refuse io_uring, as containers do: the portable back end takes over and every client works on it.

use linchpin_compat::{BackEnd, Server, Start, scenario};

fn works_without_io_uring(start: Start) {
    let server = start.back_end(BackEnd::Auto).shards(2).devices(scenario::DEVICES).start();
    let log = server.log();
    assert!(log.contains("portable"), "names the back end: {log}");
    assert!(log.contains("io_uring"), "names what is refused: {log}");
    assert!(log.contains("seccomp") || log.contains("container"), "names the cause: {log}");
    assert!(log.contains("io_uring_disabled") || log.contains("--security-opt"), "names the cure: {log}");
    scenario::run_all(&server, &server.more_devices());
}

#[test]
fn refused_by_strace() {
    let inject =
        ["-f", "-qq", "-e", "trace=io_uring_setup", "-e", "inject=io_uring_setup:error=EPERM", "-o", "/dev/null"];
    works_without_io_uring(Server::dev().under("strace", inject));
}

#[test]
fn refused_by_a_seccomp_filter() {
    works_without_io_uring(Server::dev().under(env!("CARGO_BIN_EXE_without-io-uring"), [""; 0]));
}

#[test]
fn io_uring_by_name_is_an_error_then() {
    let start = Server::dev().under(env!("CARGO_BIN_EXE_without-io-uring"), [""; 0]);
    let Err((status, log)) = start.back_end(BackEnd::IoUring).try_start() else { panic!("io_uring is refused") };
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("--driver"), "names the flag: {log}");
}
