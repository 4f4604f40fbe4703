//! Live sockets: pages that watch and write, wherever their devices live, in virtual time.

mod bounds;
mod rights;
mod seeds;
mod watching;
mod writing;

use linchpin_protocol::live::Subjects;
use linchpin_protocol::model::{OrgId, Token};
use linchpin_shard::{HttpOptions, LiveGrant, LiveOwner, LiveRights, LiveScope};
use linchpin_sim::script::command;
use linchpin_sim::{Page, World, WorldOptions};

fn org(number: u32) -> OrgId {
    OrgId::new(number).expect("organizations start at 1")
}

/// A session of user 7 that may do this much in these organizations, the second below the first and so on.
fn grant(orgs: &[(u32, LiveRights)]) -> LiveGrant {
    let mut parent = None;
    let scopes = orgs.iter().map(|(number, rights)| {
        let scope = LiveScope { org: org(*number), parent, rights: *rights };
        parent = Some(scope.org);
        scope
    });
    LiveGrant {
        stamp: 0,
        owner: LiveOwner { org: OrgId::FIRST, user: 7, session: 1 },
        scopes: scopes.collect(),
        devices: Vec::new(),
        rights: 5,
        build: "sim".into(),
        until_ms: u64::MAX,
    }
}

fn options(shards: u16) -> WorldOptions {
    WorldOptions { shards, http: HttpOptions { asks: true, ..HttpOptions::default() }, ..WorldOptions::default() }
}

/// Three shards, nine devices of the first organization, and a grant of everything there as number 1.
fn world() -> (World, Vec<Token>) {
    let mut world = World::new(&options(3));
    let tokens = (1..=9).map(|id| world.add_device(id, None)).collect();
    world.grant(1, &grant(&[(1, LiveRights::ALL)]));
    (world, tokens)
}

const fn all() -> Subjects {
    Subjects { values: true, presence: true, events: true, attempts: false, frames: false }
}

fn is_hardware(frame: &linchpin_sim::Frame) -> bool {
    frame.command == command::HARDWARE
}
