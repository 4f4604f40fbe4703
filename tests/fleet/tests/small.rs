//! A small fleet against the binary, on both back ends: everybody logs in, is answered, and comes back after a storm.

use std::time::Duration;

use linchpin_built::program;
use linchpin_driver::Choice;
use linchpin_fleet::server::Server;
use linchpin_fleet::{Counts, Fleet, FleetOptions, FleetWire, Order};

const PATIENCE: Duration = Duration::from_secs(40);

fn fleet(server: &Server, driver: Choice, wire: FleetWire) -> Fleet {
    let tokens = server.tokens.clone();
    Fleet::start(&FleetOptions { target: server.address, tokens, rings: 2, driver, in_flight: 100, trust: None, wire })
}

fn everybody_is_answered(driver: &str, own: Choice, wire: FleetWire) {
    let server = Server::start(&program("linchpin"), 500, 4, driver);
    let fleet = fleet(&server, own, wire);
    fleet.wait_online(PATIENCE).unwrap_or_else(|n| panic!("{n} of 500 online: {}", server.log()));
    fleet.order(Order::Introduce);
    // INFO and PING of each.
    fleet.wait(&fleet.counts.answers, 1_000, PATIENCE).unwrap_or_else(|n| panic!("{n} answers of 1000"));
    fleet.order(Order::CutMidFrame);
    fleet.wait(&fleet.counts.logins, 1_000, PATIENCE).unwrap_or_else(|n| panic!("{n} logins of 1000"));
    assert_eq!(Counts::get(&fleet.counts.lost), 0, "{}", server.log());
}

#[test]
fn io_uring_serves_a_fleet() {
    everybody_is_answered("io_uring", Choice::IoUring, FleetWire::Blynk);
}

#[test]
fn io_uring_serves_a_fleet_of_mqtt() {
    everybody_is_answered("io_uring", Choice::IoUring, FleetWire::Mqtt);
}

#[test]
fn the_portable_back_end_serves_a_fleet() {
    everybody_is_answered("portable", Choice::Portable, FleetWire::Blynk);
}

#[test]
fn two_thousand_devices_return_after_a_power_cut() {
    let server = Server::start(&program("linchpin"), 2_000, 4, "auto");
    let fleet = fleet(&server, Choice::IoUring, FleetWire::Blynk);
    fleet.wait_online(PATIENCE).unwrap_or_else(|n| panic!("{n} of 2000 online"));
    fleet.cut(2_000);
    fleet.wait(&fleet.counts.logins, 4_000, PATIENCE).unwrap_or_else(|n| panic!("{n} logins of 4000"));
    assert_eq!(Counts::get(&fleet.counts.lost), 0);
}
