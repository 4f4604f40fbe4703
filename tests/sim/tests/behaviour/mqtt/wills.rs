//! Wills.

use linchpin_protocol::mqtt::Reason;
use linchpin_shard::Command;

use super::*;

fn with_will<'a>(level: Level, topic: &'a str, payload: &'a str, delay_s: u32) -> MqttLogin<'a> {
    MqttLogin { will: Some((topic, payload, delay_s)), ..MqttLogin::new(level) }
}

#[test]
fn a_lost_connection_leaves_its_will() {
    for level in BOTH {
        let (mut world, token, _) = mqtt_world();
        let script = MqttScript::login(&mut world, &with_will(level, "event/hot", "lost", 0), &token);
        world.abort(script.conn);
        world.run_ms(50);
        assert_eq!(&*world.view(1).events[0].1, "lost");
        assert_eq!(world.status().iter().map(|it| it.wills).sum::<u64>(), 1);
    }
}

#[test]
fn who_says_goodbye_leaves_none_but_may_ask_for_it() {
    let (mut world, token, _) = mqtt_world();
    let login = with_will(Level::V5, "ds/Message", "gone", 0);
    MqttScript::login(&mut world, &login, &token).leave(&mut world, Reason::Success);
    world.run_ms(100);
    assert_eq!(world.value(1, 1), None);
    MqttScript::login(&mut world, &login, &token).leave(&mut world, Reason::DisconnectWithWill);
    world.run_ms(100);
    assert_eq!(world.value(1, 1).as_deref(), Some("gone"));
}

#[test]
fn silence_a_broken_protocol_and_a_takeover_leave_it_too() {
    let (mut world, token, _) = mqtt_world();
    let value = |world: &mut World| world.value(1, 1);
    let script = MqttScript::login(&mut world, &with_will(Level::V4, "ds/Message", "broken", 0), &token);
    world.send(script.conn, b"\x36\0");
    world.run_ms(50);
    assert_eq!(value(&mut world).as_deref(), Some("broken"));
    let login = MqttLogin { keep_alive_s: 5, ..with_will(Level::V4, "ds/Message", "silent", 0) };
    MqttScript::login(&mut world, &login, &token);
    world.run_ms(9_000);
    assert_eq!(value(&mut world).as_deref(), Some("silent"));
    MqttScript::login(&mut world, &with_will(Level::V4, "ds/Message", "taken", 0), &token);
    Script::login(&mut world, &token);
    assert_eq!(value(&mut world).as_deref(), Some("taken"), "before the new one is served");
}

#[test]
fn a_delay_is_waited_for_and_whoever_comes_back_revokes_it() {
    let (mut world, token, _) = mqtt_world();
    let login = with_will(Level::V5, "ds/Message", "late", 10);
    let script = MqttScript::login(&mut world, &login, &token);
    world.abort(script.conn);
    world.run_ms(9_000);
    assert_eq!(world.value(1, 1), None);
    assert!(world.status().iter().any(|it| it.will_bytes > 0));
    world.run_ms(2_000);
    assert_eq!(world.value(1, 1).as_deref(), Some("late"));
    let login = with_will(Level::V5, "ds/Message", "again", 10);
    let script = MqttScript::login(&mut world, &login, &token);
    world.abort(script.conn);
    world.run_ms(5_000);
    Script::login(&mut world, &token);
    world.run_ms(20_000);
    assert_eq!(world.value(1, 1).as_deref(), Some("late"));
    assert!(world.status().iter().all(|it| it.will_bytes == 0));
}

#[test]
fn who_is_sent_elsewhere_or_removed_was_not_lost() {
    for order in [
        |_| Command::Drain { redirect: Some(("h.example".into(), 1)), per_second: 1_000 },
        |()| Command::Drain { redirect: None, per_second: 1_000 },
    ] {
        let (mut world, token, _) = mqtt_world();
        let mut script = MqttScript::login(&mut world, &with_will(Level::V4, "ds/Message", "x", 0), &token);
        world.order_all(|| order(()));
        world.run_ms(3_000);
        assert!(script.is_over(&mut world));
        assert_eq!(world.value(1, 1), None);
    }
}

/// The next process does not know of it: rather too early than never.
#[test]
fn a_will_that_waits_is_written_when_the_process_ends() {
    let orders: [fn() -> Command; 2] = [|| Command::Drain { redirect: None, per_second: 1 }, || Command::WriteWills];
    for order in orders {
        let (mut world, token, _) = mqtt_world();
        let login = with_will(Level::V5, "ds/Message", "late", 600);
        let script = MqttScript::login(&mut world, &login, &token);
        world.abort(script.conn);
        world.run_ms(1_000);
        assert_eq!(world.value(1, 1), None);
        world.order_all(order);
        world.run_ms(50);
        assert_eq!(world.value(1, 1).as_deref(), Some("late"));
        let device = world.view(1).row.id;
        assert_eq!(world.store.points[&(device, 1)].len(), 1, "and the store has it");
        assert!(world.status().iter().all(|it| it.will_bytes == 0));
    }
}

#[test]
fn a_will_to_nowhere_is_said_at_the_login() {
    for topic in ["home/door", "get/ds/all", "info/mcu"] {
        let (mut world, token, _) = mqtt_world();
        let mut script = MqttScript::connect(&mut world, Level::V4);
        let heard = script.log_in(&mut world, &with_will(Level::V4, topic, "x", 0), &token);
        assert_eq!((heard[0].kind, heard[0].code), ("CONNACK", 0));
        assert!(heard[1].payload.starts_with("E0810"), "{heard:?}");
        world.abort(script.conn);
        world.run_ms(50);
    }
    let (mut world, token, _) = mqtt_world();
    let script = MqttScript::login(&mut world, &with_will(Level::V4, "raw", "mapped", 0), &token);
    world.abort(script.conn);
    world.run_ms(50);
    assert_eq!(world.value(1, 1).as_deref(), Some("mapped"));
}
