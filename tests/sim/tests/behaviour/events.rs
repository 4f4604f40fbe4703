//! EVENT_LOG and EVENT_CLEAR.

use linchpin_sim::script::command;

use super::*;

#[test]
fn events_are_kept_limited_and_resolved() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::EVENT_LOG, b"hot\0over 80 C", 200);
    script.refused(&mut world, command::EVENT_LOG, b"hot\0again", 1);
    world.run_ms(1_100);
    script.refused(&mut world, command::EVENT_LOG, b"hot", 200);
    let codes: Vec<_> = world.view(1).events.iter().map(|e| (e.0.to_string(), e.1.to_string())).collect();
    assert_eq!(codes, [("hot".to_owned(), "over 80 C".to_owned()), ("hot".to_owned(), String::new())]);
    script.refused(&mut world, command::EVENT_CLEAR, b"hot\0all", 200);
    script.refused(&mut world, command::EVENT_CLEAR, b"hot", 17);
    assert_eq!(world.view(1).events, []);
}

#[test]
fn a_description_may_have_300_characters_and_a_body_must_have_a_code() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::EVENT_LOG, format!("a\0{}", "x".repeat(300)).as_bytes(), 200);
    script.refused(&mut world, command::EVENT_LOG, format!("b\0{}", "x".repeat(301)).as_bytes(), 11);
    script.refused(&mut world, command::EVENT_LOG, b"", 11);
}

#[test]
fn a_template_names_its_events() {
    let (mut world, token) = world_with_template();
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::EVENT_LOG, b"hot", 200);
    script.refused(&mut world, command::EVENT_LOG, b"cold", 11);
}

/// A template that lets a device log "hot" twice a day, and its device 1.
fn world_with_limit() -> (World, Token) {
    let mut world = World::new(&WorldOptions::default());
    let id = TemplateId::parse(b"TMPLfew").expect("valid");
    let template = Template::new(id, "Few".into(), Vec::new(), vec!["hot".into(), "cold".into()]);
    world.add_template(&template.with_event_limits(vec![("hot".into(), 2)]));
    let token = world.add_device(1, Some(id));
    (world, token)
}

#[test]
fn a_template_limits_how_often_an_event_is_logged_in_a_day() {
    let (mut world, token) = world_with_limit();
    let mut script = Script::introduced(&mut world, &token);
    for status in [200, 200, 1, 1] {
        script.refused(&mut world, command::EVENT_LOG, b"hot", status);
        world.run_ms(1_100);
    }
    script.refused(&mut world, command::EVENT_LOG, b"cold", 200);
    assert_eq!(world.view(1).events.len(), 3, "what is refused is not there");
    // Resolving makes no room: it was logged.
    script.refused(&mut world, command::EVENT_CLEAR, b"hot\0all", 200);
    script.refused(&mut world, command::EVENT_LOG, b"hot", 1);
    world.close(script.conn);
    world.run_ms(24 * 3_600 * 1_000);
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::EVENT_LOG, b"hot", 200);
}

#[test]
fn a_restart_of_the_server_does_not_make_room_for_events() {
    let (mut world, token) = world_with_limit();
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::EVENT_LOG, b"hot", 200);
    world.run_ms(1_100);
    script.refused(&mut world, command::EVENT_LOG, b"hot", 200);
    let (mut after, again) = world_with_limit();
    after.restore(1, world.store.restored(linchpin_protocol::model::DeviceId::new(1).expect("not zero")));
    let mut script = Script::introduced(&mut after, &again);
    script.refused(&mut after, command::EVENT_LOG, b"hot", 1);
    script.refused(&mut after, command::EVENT_LOG, b"cold", 200);
}
