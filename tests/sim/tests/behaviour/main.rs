//! What the server does, one behaviour a file, in virtual time.

mod absence;
mod bodies;
mod bridges;
mod clock_and_metadata;
mod clock_jumps;
mod diary;
mod draining;
mod events;
mod first_bytes;
mod full_lanes;
mod groups;
mod handovers;
mod heartbeat;
mod hoarders;
mod http;
mod introduction;
mod keeping;
mod letter;
mod limits;
mod live_ends;
mod login;
mod mqtt;
mod notifications;
mod outbound_rules;
mod properties;
mod proxies;
mod quota;
mod restarts;
mod revocation;
mod slow_readers;
mod sync;
mod takeover;
mod template_values;
mod tls;
mod watching;
mod websocket;
mod writes;

use linchpin_protocol::model::{Datastream, Pin, Template, TemplateId, Token, ValueKind};
use linchpin_sim::script::command;
use linchpin_sim::{Frame, Script, World, WorldOptions};

/// Two shards and device 1 without a template.
fn world() -> (World, Token) {
    let mut world = World::new(&WorldOptions::default());
    let token = world.add_device(1, None);
    (world, token)
}

/// A template with a number on V0 (0 to 100), a text on V1 that is synced, and the event "hot"; device 1 has it.
fn world_with_template() -> (World, Token) {
    let mut world = World::new(&WorldOptions::default());
    let id = TemplateId::parse(b"TMPLtest").expect("valid");
    let stream = |index, kind, sync| Datastream::new(Pin::new_virtual(index), "stream", kind, "", sync);
    let streams = vec![stream(0, ValueKind::Int { min: 0, max: 100 }, false), stream(1, ValueKind::Text, true)];
    world.add_template(&Template::new(id, "Test".into(), streams, vec!["hot".into()]));
    let token = world.add_device(1, Some(id));
    (world, token)
}

/// What the operator writes.
fn operator_writes(world: &mut World, device: u32, pin: u8, value: &[u8]) -> linchpin_shard::Report {
    let push = linchpin_shard::Push::Write { pin: Pin::new_virtual(pin), value: value.into() };
    world.ask(device, |request, device| linchpin_shard::Command::Push { request, device, push })
}

/// Codes of the ends so far.
fn ends(world: &World) -> Vec<linchpin_shard::End> {
    world.ends.iter().map(|end| end.1).collect()
}

fn hardware(id: u16, body: &[u8]) -> Frame {
    Frame { command: command::HARDWARE, id, status: 0, body: body.to_vec() }
}

fn answer(id: u16, status: u16) -> Frame {
    Frame { command: command::RESPONSE, id, status, body: Vec::new() }
}

/// Where a script's connection is: ended by the server?
fn is_over(world: &mut World, script: &mut Script) -> bool {
    script.receive_all(world);
    world.is_over(script.conn)
}
