//! SET_WIDGET_PROPERTY.

use linchpin_sim::script::command;

use super::*;

#[test]
fn known_properties_are_stored_for_one_or_several_pins() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::PROPERTY, b"1\0label\0Pump", 200);
    script.refused(&mut world, command::PROPERTY, b"2\x003\x004\0color\0#23C48E", 200);
    script.refused(&mut world, command::PROPERTY, b"5\0labels\0a\0b\0c", 200);
    let all = world.view(1).properties;
    let list: Vec<_> = all.iter().map(|p| (p.0.index, &*p.1, &*p.2)).collect();
    assert_eq!(
        list,
        [
            (1, "label", &b"Pump"[..]),
            (2, "color", b"#23C48E"),
            (3, "color", b"#23C48E"),
            (4, "color", b"#23C48E"),
            (5, "labels", b"a\0b\0c"),
        ]
    );
}

#[test]
fn unknown_ones_and_missing_parts_are_answered_with_11() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for body in [&b""[..], b"1", b"1\0label", b"1\0colour\0red", b"x\0label\0a"] {
        script.refused(&mut world, command::PROPERTY, body, 11);
    }
    assert_eq!(world.view(1).properties, []);
}
