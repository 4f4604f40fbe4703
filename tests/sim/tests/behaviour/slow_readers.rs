//! A device that does not read.

use linchpin_shard::End;
use linchpin_sim::script::command;

use super::*;

#[test]
fn the_latest_value_of_a_pin_is_what_it_reads_in_the_end() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    world.set_window(script.conn, 40);
    for n in 0..2_000 {
        operator_writes(&mut world, 1, (n % 4) as u8, format!("{n:05}").as_bytes());
        world.run_ms(1);
    }
    assert_eq!(ends(&world), [], "newer values replace older ones: it never gets too much");
    world.set_window(script.conn, 1 << 16);
    world.run_ms(100);
    let got = script.receive_all(&mut world);
    assert!(got.len() < 20, "{} frames for 2,000 writes", got.len());
    let last: Vec<_> =
        got[got.len() - 4..].iter().map(|frame| String::from_utf8_lossy(&frame.body[5..]).into_owned()).collect();
    assert_eq!(last, ["01996", "01997", "01998", "01999"]);
}

#[test]
fn answers_pile_up_to_the_cap_and_no_further() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, format!("vw\x001\0{}", "x".repeat(900)).as_bytes());
    world.set_window(script.conn, 40);
    for _ in 0..90 {
        script.send(&mut world, command::SYNC, b"");
        world.run_ms(30);
    }
    assert_eq!(ends(&world), [End::OutboundFull]);
    world.run_ms(100);
    assert!(world.status().iter().all(|status| status.ledger_bytes == 0));
}
