//! The wall clock is set years off while devices are connected: the monotonic clock decides about them.

use linchpin_protocol::model::Millis;
use linchpin_shard::End;
use linchpin_tls::{Layer, Version};

use super::*;

const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS;

#[test]
fn nobody_is_disconnected_when_the_clock_is_set_years_off() {
    let mut world = World::new(&WorldOptions { tls: Some(Layer::InPlace), ..WorldOptions::default() });
    let tokens: Vec<Token> = (1..=3).map(|id| world.add_device(id, None)).collect();
    let connector = world.authority.as_ref().expect("TLS").connector(Version::Tls13, false);
    let mut plain = Script::introduced(&mut world, &tokens[0]);
    let mut secure = Script::connect_tls(&mut world, linchpin_shard::Via::Direct, &connector).expect("a handshake");
    secure.log_in(&mut world, command::LOGIN, &tokens[1]);
    for years in [1, 10, 0, -1, 0] {
        world.set_wall_off(years * YEAR_MS);
        for _ in 0..4 {
            world.run_ms(20_000);
            for script in [&mut plain, &mut secure] {
                script.receive_all(&mut world);
                script.expect_alive(&mut world);
            }
        }
        // A value of now replaces one of any other time.
        let value = format!("{years}");
        plain.ask(&mut world, command::HARDWARE, format!("vw\0{}\0{value}", 7).as_bytes());
        assert_eq!(world.value(1, 7).as_deref(), Some(&*value), "{years} years off");
        let mut late = Script::login(&mut world, &tokens[2]);
        late.expect_alive(&mut world);
        world.close(late.conn);
        world.run_ms(500);
    }
    let ends: Vec<End> = ends(&world).into_iter().filter(|end| *end != End::PeerClosed).collect();
    assert_eq!(ends, [], "somebody was dropped by the clock");
    world.audit();
}

/// A lockout lasts as long as it says, whatever the clock says.
#[test]
fn who_is_throttled_stays_so_and_is_free_in_time() {
    let mut world = World::new(&WorldOptions { shards: 1, ..WorldOptions::default() });
    let guess = |world: &mut World, n: u32| {
        let mut script = Script::connect_from(world, [10, 1, 1, 1]);
        let token = Token::from_random(&[(n % 251) as u8; 24]);
        script.send(world, command::LOGIN, token.expose().as_bytes());
        world.run_ms(5);
        script.receive(world).is_some()
    };
    let answered = (0..400).filter(|n| guess(&mut world, *n)).count();
    assert!((200..230).contains(&answered), "{answered} answers");
    for years in [10, -1] {
        world.set_wall_off(years * YEAR_MS);
        // One a second is earned, whenever that is.
        let answered = (0..20).filter(|n| guess(&mut world, *n)).count();
        assert!(answered <= 1, "{answered} answers with the clock {years} years off");
    }
    let before = Millis(world.now_ms());
    world.run_ms(30_000);
    let again = (0..60).filter(|n| guess(&mut world, *n)).count();
    assert!((20..50).contains(&again), "{again} in {} ms", world.now_ms() - before.0);
}

/// A ticket that is too old, or of the future, costs a whole handshake at most.
#[test]
fn a_ticket_of_another_time_is_no_obstacle() {
    let mut world = World::new(&WorldOptions { shards: 1, tls: Some(Layer::InPlace), ..WorldOptions::default() });
    let token = world.add_device(1, None);
    let connector = world.authority.as_ref().expect("TLS").connector(Version::Tls13, false);
    let mut resumed = Vec::new();
    // The certificate is good for a year from the beginning. Keys of tickets do not turn in this world.
    for days in [0, 0, 30, 0] {
        world.set_wall_off(days * DAY_MS);
        let mut script = Script::connect_tls(&mut world, linchpin_shard::Via::Direct, &connector).expect("a handshake");
        script.log_in(&mut world, command::LOGIN, &token);
        script.receive_all(&mut world);
        script.expect_alive(&mut world);
        resumed.push(script.tls.as_ref().and_then(|tls| tls.facts.as_ref()).is_some_and(|facts| facts.resumed));
        world.close(script.conn);
        world.run_ms(200);
    }
    assert_eq!(resumed[..2], [false, true], "{resumed:?}");
}
