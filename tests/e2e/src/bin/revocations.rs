//! `revocations [DEVICES] [REVOCATIONS]`: how long it takes until a replaced token is dead, with many devices connected. Each
//! answer is the promise: the program also looks that the device's connection has ended. It fails above 100 ms.

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use linchpin_compat::{Server, Wire};
use linchpin_e2e::{SignedIn, create_person};

const SLOWEST: Duration = Duration::from_millis(100);
const PASSWORD: &str = "correct horse battery staple";

fn main() -> Result<(), Box<dyn Error>> {
    let mut line = std::env::args().skip(1);
    let mut number = |default: usize| line.next().map_or(Ok(default), |text| text.parse());
    let (devices, revocations) = (number(1_000)?, number(200)?);
    let server = Server::dev().shards(2).devices(devices as u32).start();
    create_person(&server, 1, "admin", "bench@example.com", PASSWORD);
    let admin = SignedIn::new(server.address(), "bench@example.com", PASSWORD);
    let all = server.more_devices();
    let mut wires: Vec<Wire> = all.iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    let mut times = Vec::with_capacity(revocations);
    for (device, wire) in all.iter().zip(&mut wires).take(revocations) {
        let path = format!("/orgs/1/devices/{}/token", device.id);
        let begun = Instant::now();
        admin.good("POST", &path, Some(serde_json::json!({})));
        times.push(begun.elapsed());
        wire.expect_end(Duration::from_secs(1));
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    let (median, p99, slowest) = (at(0.5), at(0.99), at(1.0));
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{{\"devices\":{devices},\"revocations\":{revocations},\"median_ms\":{median:.2},\"p99_ms\":{p99:.2},\"slowest_ms\":{slowest:.2}}}"
    )?;
    if times.last().is_some_and(|slowest| *slowest > SLOWEST) {
        return Err(format!("the slowest answer took {slowest:.1} ms, 100 are allowed").into());
    }
    Ok(())
}
