//! The table of byte sequences, against a shard.

#[path = "../../../../../protocol/tests/mqtt_table/mod.rs"]
mod mqtt_table;

use mqtt_table::{Begun, TOKEN, login, rows, summary};

use super::*;

#[test]
fn every_rule_holds() {
    let mut wrong = Vec::new();
    for row in rows() {
        let mut world = World::new(&WorldOptions::default());
        let id = TemplateId::parse(b"TMPLrule").expect("valid");
        let stream = Datastream::new(Pin::new_virtual(0), "A", ValueKind::Text, "", false);
        world.add_template(&Template::new(id, "Rule".into(), vec![stream], vec!["offline".into()]));
        world.add_device_with(1, Some(id), &Token::parse(TOKEN.as_bytes()).expect("a token"));
        let conn = world.connect([127, 0, 0, 1]);
        let hear = |world: &mut World, bytes: &[u8]| {
            world.send(conn, bytes);
            world.run_ms(100);
            let mut heard = Vec::new();
            while let Some(segment) = world.read(conn) {
                heard.extend_from_slice(&segment);
            }
            heard
        };
        if row.begun != Begun::Nothing {
            hear(&mut world, &login(row.begun));
        }
        let heard = hear(&mut world, &row.bytes);
        world.run_ms(1_500);
        let answers = summary(&heard, row.begun, &row.bytes);
        if (world.is_over(conn), &answers) != (row.closes, &row.answers) {
            wrong.push(format!("{}: closed {}, answers {answers:?}", row.rule, world.is_over(conn)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
