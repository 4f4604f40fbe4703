//! The three real clients on both back ends, on one shard and on four.

use linchpin_compat::{BackEnd, Server, scenario};

fn matrix(back_end: BackEnd, shards: u16) {
    let server = Server::dev().back_end(back_end).shards(shards).devices(scenario::DEVICES).start();
    let devices = server.more_devices();
    scenario::run_all(&server, &devices);
    server.expect_no_token_in_log(&devices);
}

#[test]
fn io_uring_with_1_shard() {
    matrix(BackEnd::IoUring, 1);
}

#[test]
fn io_uring_with_4_shards() {
    matrix(BackEnd::IoUring, 4);
}

#[test]
fn portable_with_1_shard() {
    matrix(BackEnd::Portable, 1);
}

#[test]
fn portable_with_4_shards() {
    matrix(BackEnd::Portable, 4);
}
