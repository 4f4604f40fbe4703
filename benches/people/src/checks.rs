//! What the control plane holds of a fleet and of people in memory, and what a request's session costs it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use linchpin_control::Keep;
use linchpin_control::access::right;
use linchpin_control::loader::Loader;
use linchpin_storage::{Settings, Store, Unseal};
use rustix::time::{ClockId, clock_gettime};

use crate::{Outcome, Sizes, fill, now_ms, resident};

const CHECKS: u32 = 300_000;
/// Most for one check, microseconds.
const CHECK_US: f64 = 5.0;

pub(crate) fn open(data: &Path) -> Outcome<Arc<Store>> {
    let settings = Settings::new(data.join("store"), Unseal::File(data.join("unseal.key")));
    Ok(Arc::new(Store::open(settings)?))
}

fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Resident bytes that something has added, per one of so many.
struct Growth(u64);

impl Growth {
    fn begin() -> Outcome<Self> {
        Ok(Self(resident(std::process::id())?))
    }

    fn each(&mut self, count: u32) -> Outcome<u64> {
        let now = resident(std::process::id())?;
        let grown = now.saturating_sub(self.0) / u64::from(count.max(1));
        self.0 = now;
        Ok(grown)
    }
}

/// With the server down.
pub(crate) fn run(data: &Path, sizes: Sizes) -> Outcome {
    let store = open(data)?;
    // What RocksDB caches is not counted.
    store.scan::<linchpin_storage::schema::Device>(|_, _| std::ops::ControlFlow::Continue(()))?;
    let mut growth = Growth::begin()?;
    let begun = Instant::now();
    let loaded = Keep::new(Arc::clone(&store)).load()?;
    let (devices_s, a_device) = (begun.elapsed().as_secs_f64(), growth.each(fill::devices_in_all(sizes))?);
    let begun = Instant::now();
    let loader = Loader::open(Arc::clone(&store))?;
    let (people_s, a_person) = (begun.elapsed().as_secs_f64(), growth.each(sizes.people)?);
    println!(
        "{{\"load_devices_s\":{devices_s:.2},\"load_people_s\":{people_s:.2},\"bytes_a_device\":{a_device},\"bytes_a_person\":{a_person}}}"
    );
    let now = now_ms();
    let tokens: Vec<_> = fill::people(sizes).map(fill::session).collect();
    growth.each(1)?;
    for token in &tokens {
        loader.session(token, now)?.ok_or("a session is not good")?;
    }
    let a_session = growth.each(sizes.people)?;
    let here = [192, 0, 2, 7].into();
    let (begun, mut seen) = (cpu_us(), 0);
    for n in 0..CHECKS {
        // By turns in a stride, so that the memory of each is cold.
        let token = &tokens[(n as usize * 7_919) % tokens.len()];
        let live = loader.session(token, now)?.ok_or("a session is not good")?;
        let asker = loader.asker(&live, here, "bench", u64::from(n));
        let home = asker.standing.person.ok_or("nobody")?.0;
        // A User may look at devices of their own: the whole way to a scope.
        seen += u32::from(loader.admit::<right::DeviceView>(&asker, home, now).is_ok());
    }
    let check_us = (cpu_us() - begun) / f64::from(CHECKS);
    println!("{{\"session_check_us\":{check_us:.2},\"bytes_a_session\":{a_session},\"admitted\":{seen}}}");
    drop(loaded);
    store.close()?;
    if seen != CHECKS || check_us > CHECK_US {
        return Err(format!("{seen} of {CHECKS} checks admitted, {check_us:.2} us each, {CHECK_US} are allowed").into());
    }
    Ok(())
}
