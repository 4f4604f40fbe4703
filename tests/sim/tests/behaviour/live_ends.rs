//! Ways in which live sockets end.

use linchpin_protocol::live::LiveAsk;
use linchpin_protocol::model::OrgId;
use linchpin_protocol::ws::{self, FrameKind};
use linchpin_shard::{End, HttpOptions, LiveGrant, LiveOwner, LiveRights, LiveScope, WhoseRights, limits};
use linchpin_sim::{Page, Script, World, WorldOptions};

use super::command;

fn grant(user: u32) -> LiveGrant {
    LiveGrant {
        stamp: 0,
        owner: LiveOwner { org: OrgId::FIRST, user, session: 1 },
        scopes: vec![LiveScope { org: OrgId::FIRST, parent: None, rights: LiveRights::ALL }],
        devices: Vec::new(),
        rights: 1,
        build: "sim".into(),
        until_ms: u64::MAX,
    }
}

/// Make a live socket end in this way; returns the world.
pub(crate) fn provoke(end: End) -> World {
    let http = HttpOptions { asks: true, ..HttpOptions::default() };
    let slots = if end == End::LiveCrowded { 40_000 } else { 1_000 };
    let mut world = World::new(&WorldOptions { http, slots, shards: 1, ..WorldOptions::default() });
    world.grant(1, &grant(1));
    world.grant(2, &grant(2));
    let token = world.add_device(1, None);
    let mut page = Page::open(&mut world, 1, false);
    match end {
        End::LiveClosed => world.close(page.conn),
        End::LiveSilent => {
            page.answers_pings = false;
            page.run(&mut world, 100_000);
        }
        End::LiveFault => {
            let mut out = Vec::new();
            ws::client_frame(&mut out, FrameKind::Binary, b"\xff", [1; 4]);
            world.send(page.conn, &out);
        }
        End::LiveRevoked => world.revoke(WhoseRights::Person { org: OrgId::FIRST, user: 1 }, true),
        End::LiveSlow => {
            page.watch(&mut world, 1, &[1], &[]);
            page.run(&mut world, 200);
            world.set_window(page.conn, 8);
            let mut device = Script::introduced(&mut world, &token);
            for n in 0..40 {
                device.ask(&mut world, command::HARDWARE, format!("vw\x001\0{n}").as_bytes());
                world.run_ms(1_000);
            }
        }
        End::LiveCrowded => crowd(&mut world),
        other => panic!("no live socket ends with {other}"),
    }
    world.run_ms(1_500);
    world
}

/// One person has as many as there may be, and another comes.
fn crowd(world: &mut World) {
    for at in 1..limits::LIVE_SOCKETS {
        let page = Page::connect(world, [127, 1, 0, 1], 1, false);
        page.say(world, &LiveAsk::Hello { build: String::new() });
        if at.is_multiple_of(400) {
            world.run_ms(20);
        }
    }
    world.run_ms(200);
    let mut other = Page::connect(world, [127, 1, 0, 2], 2, false);
    other.run(world, 200);
    assert_eq!(other.status, Some(101), "who holds least is let in");
    let mut hoarder = Page::connect(world, [127, 1, 0, 1], 1, false);
    hoarder.run(world, 200);
    assert_eq!(hoarder.status, Some(503), "who holds most is not");
}
