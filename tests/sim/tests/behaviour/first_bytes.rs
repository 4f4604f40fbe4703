//! What else may knock at the port.

use linchpin_shard::End;

use super::*;

fn says(bytes: &[u8]) -> (Vec<u8>, Vec<End>) {
    let (mut world, _) = world();
    let mut script = Script::connect(&mut world);
    world.send(script.conn, bytes);
    world.run_ms(50);
    let said = script.bytes(&mut world);
    world.run_ms(1_200);
    assert!(world.is_over(script.conn));
    (said, ends(&world))
}

#[test]
fn a_tls_client_gets_an_alert() {
    let (said, ends) = says(&[22, 3, 1, 0, 9, 1, 0, 0, 5, 3, 3, 0, 0, 0]);
    assert_eq!(said, [21, 3, 3, 0, 2, 2, 70]);
    assert_eq!(ends, [End::TlsNotServed]);
}

#[test]
fn others_are_closed_with_their_code() {
    assert_eq!(says(b"\xff\xff").1, [End::UnknownProtocol]);
    assert_eq!(says(b"\x16\xff\xff").1, [End::UnknownProtocol]);
}

#[test]
fn an_endless_head_is_cut() {
    let (mut world, _) = world();
    let script = Script::connect(&mut world);
    world.send(script.conn, &b"GET /".repeat(4_000));
    world.run_ms(200);
    world.run_ms(1_200);
    assert_eq!(ends(&world), [End::HttpMalformed]);
}
