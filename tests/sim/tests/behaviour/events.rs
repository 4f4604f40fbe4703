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
