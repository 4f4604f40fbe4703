//! What a page writes, and what becomes of it.

use linchpin_protocol::live::LiveOutcome;
use linchpin_shard::{LiveRefusal, LiveRights};
use linchpin_sim::Script;

use super::*;

#[test]
fn a_write_reaches_the_device_wherever_it_lives() {
    let (mut world, tokens) = world();
    let mut page = Page::open(&mut world, 1, false);
    page.watch(&mut world, 1, &(1..=9).collect::<Vec<_>>(), &[]);
    for id in 1..=6 {
        let mut device = Script::introduced(&mut world, &tokens[id as usize - 1]);
        device.receive_all(&mut world);
        page.write(&mut world, id, id, 3, &format!("{id}0"));
        page.run(&mut world, 300);
        assert_eq!(page.wrote.get(&id), Some(&(LiveOutcome::Delivered, 0)), "device {id}");
        let frames: Vec<_> = device.receive_all(&mut world).into_iter().filter(is_hardware).collect();
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].body, format!("vw\x003\0{id}0").as_bytes());
        assert_eq!(page.value(id, 3), Some(format!("{id}0")), "and comes back as the latest value");
    }
    // Away: it waits for the device's next sync.
    page.write(&mut world, 90, 9, 3, "on");
    page.run(&mut world, 300);
    assert_eq!(page.wrote[&90], (LiveOutcome::Kept, 0));
    assert_eq!(world.value(9, 3).as_deref(), Some("on"));
}

#[test]
fn a_write_needs_the_right_to_it() {
    let (mut world, _) = world();
    world.grant(2, &grant(&[(1, LiveRights::VIEW)]));
    let mut own = grant(&[]);
    own.devices = vec![(linchpin_protocol::model::DeviceId::new(4).expect("not 0"), LiveRights::ALL)];
    world.grant(3, &own);
    world.grant(4, &grant(&[(2, LiveRights::ALL)]));
    let mut outcomes = Vec::new();
    for number in 1..=4 {
        let mut page = Page::open(&mut world, number, number % 2 == 0);
        for device in [4, 5, 99] {
            page.write(&mut world, device, device, 1, "1");
        }
        page.run(&mut world, 300);
        outcomes.push([4, 5, 99].map(|device| page.wrote[&device].1));
    }
    let (gone, not) = (LiveRefusal::NoDevice.number(), LiveRefusal::NotAllowed.number());
    assert_eq!(outcomes, [[0, 0, gone], [not; 3], [0, not, not], [gone; 3]]);
}

#[test]
fn writes_are_few_a_second_and_must_fit_the_template() {
    let (mut world, _) = world();
    let id = linchpin_protocol::model::TemplateId::parse(b"TMPLlive").expect("valid");
    let kind = linchpin_protocol::model::ValueKind::Int { min: 0, max: 9 };
    let stream =
        linchpin_protocol::model::Datastream::new(linchpin_protocol::model::Pin::new_virtual(1), "s", kind, "", false);
    world.add_template(&linchpin_protocol::model::Template::new(id, "T".into(), vec![stream], vec![]));
    world.add_device(50, Some(id));
    let mut page = Page::open(&mut world, 1, false);
    page.write(&mut world, 1, 50, 1, "word");
    page.write(&mut world, 2, 50, 2, "1");
    page.write(&mut world, 3, 50, 1, "5");
    page.run(&mut world, 300);
    let bad = (LiveOutcome::Refused, LiveRefusal::BadValue.number());
    assert_eq!((page.wrote[&1], page.wrote[&2], page.wrote[&3]), (bad, bad, (LiveOutcome::Kept, 0)));
    page.run(&mut world, 3_000);
    for request in 100..200 {
        page.write(&mut world, request, 50, 1, "1");
    }
    page.run(&mut world, 500);
    let refused = (100..200).filter(|request| page.wrote[request].1 == LiveRefusal::TooOften.number()).count();
    assert!((40..=60).contains(&refused), "{refused} of 100 at once were refused");
}
