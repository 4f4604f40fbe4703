//! INTERNAL: the clock, and fields of the device's metadata.

use linchpin_sim::script::command;

use super::*;

#[test]
fn the_clock_answers_in_every_form() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    let ask = |world: &mut World, script: &mut Script, body: &[u8]| {
        let id = script.ask(world, command::INTERNAL, body);
        let got = script.receive(world).expect("an answer");
        assert_eq!((got.command, got.id), (command::INTERNAL, id));
        String::from_utf8(got.body).expect("text")
    };
    assert!(ask(&mut world, &mut script, b"rtc\0sync").starts_with("rtc\x00179000"));
    assert!(ask(&mut world, &mut script, b"utc\0time").starts_with("utc\0time\x00179000"));
    assert!(ask(&mut world, &mut script, b"utc\0iso").ends_with("+00:00"));
    assert_eq!(ask(&mut world, &mut script, b"utc\0tz"), "utc\0tz\x000\x000");
    assert_eq!(ask(&mut world, &mut script, b"utc\0tz_name"), "utc\0tz_name\0UTC");
    assert_eq!(ask(&mut world, &mut script, b"utc\0tz_rule"), "utc\0tz_rule\0UTC0");
    assert!(ask(&mut world, &mut script, b"utc\0dst_next").starts_with("utc\0dst_next\0"));
}

#[test]
fn metadata_is_written_and_read_back() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::INTERNAL, b"meta\0get\0Serial", 17);
    script.refused(&mut world, command::INTERNAL, b"meta\0set\0Serial\0SN-7", 200);
    let id = script.ask(&mut world, command::INTERNAL, b"meta\0get\0Serial");
    script.expect(&mut world, command::INTERNAL, id, b"meta\0Serial\0SN-7");
}

#[test]
fn what_only_a_server_says_is_ignored_from_a_device() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for body in [&b"acon"[..], b"adis"] {
        script.ask(&mut world, command::INTERNAL, body);
    }
    script.expect_nothing(&mut world);
    script.expect_alive(&mut world);
}
