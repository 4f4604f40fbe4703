//! Wrong sign-ins of accounts that there are, and of those that there are not, by turns that nobody can foresee: does the
//! time tell them apart? Welch's t of both; the slowest tenth of all is left out too, since it is the machine's, not the
//! server's. Time for the throttle is virtual: each attempt comes a day after the one before.

use std::sync::Arc;
use std::time::Instant;

use linchpin_control::account::{EmailAddress, HashCost, HashPool, PasswordInput, PoolPlan};
use linchpin_control::audit::By;
use linchpin_control::loader::Loader;
use linchpin_control::loader::person::NewPerson;
use linchpin_control::loader::sign_in::{SignInAsked, SignInDoor, SignInFault};
use linchpin_storage::schema::{Org, OrgId};
use linchpin_storage::{Class, Settings, Store, Unseal};

use crate::{Outcome, at, now_ms};

const MOST: f64 = 4.5;
const KNOWN: &str = "known@customer.example";
const UNKNOWN: &str = "other@customer.example";

struct House {
    folder: std::path::PathBuf,
    store: Arc<Store>,
    door: SignInDoor,
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.store.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One person in a store in memory.
async fn house(cost: HashCost) -> Outcome<House> {
    let folder = std::path::Path::new("/dev/shm").join(format!("bench-people-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let key = Unseal::Key(zeroize::Zeroizing::new([1; 32]));
    let store = Arc::new(Store::open(Settings::new(folder.join("store"), key))?);
    store.add_org(OrgId::FIRST)?;
    let mut batch = store.batch();
    batch.put(&OrgId::FIRST, &Org::new("Acme", None, 1))?;
    store.commit(Class::A, batch)?;
    let loader = Arc::new(Loader::open(Arc::clone(&store))?);
    let pool = Arc::new(HashPool::start(&[9; 32], PoolPlan { threads: 1, cost, per_second: 0 })?);
    let input = PasswordInput::of(b"a lamp in the harbour", KNOWN);
    let password = pool.hash(input, KNOWN, Vec::new()).await.map_err(|fault| format!("{fault:?}"))?;
    let email = EmailAddress::parse(KNOWN)?;
    let new = NewPerson { email, name: "Eve".into(), role: 3, below: false, password };
    loader.create_person(By::operator(), OrgId::FIRST, &new, now_ms())?;
    Ok(House { folder, door: SignInDoor::new(loader, pool, 1, false), store })
}

/// Times of so many attempts, ns: those of the known account, those of the other.
async fn attempts(cost: HashCost, count: u32) -> Outcome<[Vec<f64>; 2]> {
    let house = house(cost).await?;
    let (mut times, begin, mut dice) = ([Vec::new(), Vec::new()], now_ms(), 0x9e37_79b9_7f4a_7c15_u64);
    for n in 0..count {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let which = (dice >> 33) as usize & 1;
        let email = [KNOWN, UNKNOWN][which];
        let asked = SignInAsked {
            email: EmailAddress::parse(email)?,
            input: PasswordInput::of(b"wrong", email),
            code: None,
            known: None,
            address: std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into(),
            agent: "bench".into(),
            request: u64::from(n),
        };
        let now = begin + u64::from(n) * 86_400_000;
        let begun = Instant::now();
        let ended = house.door.sign_in(asked, now).await;
        times[which].push(begun.elapsed().as_nanos() as f64);
        if !matches!(ended, Err(SignInFault::Wrong)) {
            return Err(format!("attempt {n}: {ended:?}").into());
        }
    }
    Ok(times)
}

fn welch([one, other]: &[Vec<f64>; 2]) -> f64 {
    let moments = |all: &[f64]| {
        let (count, mean) = (all.len() as f64, all.iter().sum::<f64>() / all.len() as f64);
        let variance = all.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((one, one_error), (other, other_error)) = (moments(one), moments(other));
    (one - other) / (one_error + other_error).sqrt()
}

/// Without what took longer than nine tenths of all.
fn cropped(times: &[Vec<f64>; 2]) -> [Vec<f64>; 2] {
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    let most = at(&all, 0.9);
    [0, 1].map(|which| times[which].iter().copied().filter(|time| *time <= most).collect())
}

pub(crate) fn run(count: u32, real: u32) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let mut missed = Vec::new();
    for (name, cost, count) in [("test", HashCost::TEST, count), ("real", HashCost::REAL, real)] {
        let times = runtime.block_on(attempts(cost, count))?;
        let (all, some) = (welch(&times), welch(&cropped(&times)));
        println!("{{\"cost\":\"{name}\",\"attempts\":{count},\"t\":{all:.2},\"t_of_nine_tenths\":{some:.2}}}");
        if all.abs() >= MOST || some.abs() >= MOST {
            missed.push(format!("cost {name}: t = {all:.2} and {some:.2}, {MOST} is the bound"));
        }
    }
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ").into()) }
}
