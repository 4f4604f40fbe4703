//! What a restart does to values: nothing that anybody could see.

use linchpin_protocol::model::Token;
use linchpin_sim::script::command;

use super::http::Client;
use super::*;

/// One server process with its clients.
struct Run {
    world: World,
    token: Token,
    script: Script,
    http: Client,
}

impl Run {
    fn start(mut world: World, token: Token) -> Self {
        let script = Script::introduced(&mut world, &token);
        let http = Client::connect(&mut world);
        Self { world, token, script, http }
    }

    /// The process ends and comes back with what the store has, later by the clock.
    fn restart(mut self) -> Self {
        let (mut next, token) = world();
        next.run_ms(self.world.now_ms());
        next.store = std::mem::take(&mut self.world.store);
        let restored = next.store.restored(self.world.view(1).row.id);
        next.restore(1, restored);
        Self::start(next, token)
    }

    /// A time within five seconds of now, Unix ms.
    fn near(&mut self) -> u64 {
        self.world.wall_ms() - 5_000 + self.world.random.below(10_000)
    }

    /// Write to one of three pins in one of all ways.
    fn write(&mut self, value: u64) {
        let pin = self.world.random.below(3) as u8;
        let body = format!("vw\0{pin}\0{value}");
        let token = self.token.expose().to_owned();
        match self.world.random.below(5) {
            0 => drop(self.script.ask(&mut self.world, command::HARDWARE, body.as_bytes())),
            1 => {
                let at = self.near();
                self.script.send(&mut self.world, command::GROUP, format!("t\0{at}").as_bytes());
                self.script.send(&mut self.world, command::HARDWARE, body.as_bytes());
                self.script.ask(&mut self.world, command::GROUP, b"e");
            }
            2 => {
                let path = format!("/external/api/update?token={token}&v{pin}={value}");
                assert_eq!(self.http.get(&mut self.world, &path).0, 200);
            }
            3 => {
                let (a, b) = (self.near(), self.near());
                let json = format!("[[{a},{value}],[{b},\"{value}b\"],[{a},\"{value}c\"]]");
                let head = format!("POST /external/api/batch/update?token={token}&pin=v{pin} HTTP/1.1\r\nHost: x\r\n");
                let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", json.len());
                assert_eq!(self.http.ask(&mut self.world, &(head + &fields + &json)).0, 200);
            }
            _ => drop(operator_writes(&mut self.world, 1, pin, value.to_string().as_bytes())),
        }
    }
}

#[test]
fn latest_values_are_the_same_after_a_restart_whatever_wrote_them() {
    for seed in 0..20 {
        let mut world = World::new(&WorldOptions { seed, ..WorldOptions::default() });
        let token = world.add_device(1, None);
        let mut run = Run::start(world, token);
        for value in 0..60 {
            run.write(value);
            if run.world.random.chance(100) {
                let before = run.world.view(1).values;
                let random = run.world.random.clone();
                run = run.restart();
                run.world.random = random;
                assert_eq!(run.world.view(1).values, before, "seed {seed}, after {value}");
            }
        }
        let view = run.world.view(1);
        run.world.store.assert_keeps(&view);
    }
}
