//! Files of the store flipped, cut, deleted, swapped, duplicated and rolled back: every damage is refused at open or
//! at the read that meets it, or changes nothing that was acknowledged.
//!
//! `LINCHPIN_DAMAGE=2000 cargo test -p linchpin-storage --test damage` does more; the seed of a case is in its message.

#![allow(clippy::print_stdout, reason = "the report of a test")]

mod world;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use linchpin_storage::{Error, Settings};
use world::{Folder, add_device, add_org, check_devices, close, copy, files, open, settings};

const DEVICES: u32 = 400;

/// How the store was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Closed,
    Dropped,
    Killed,
}

/// A folder in its last state, and the same folder at earlier moments.
struct Base {
    left: Left,
    folder: Folder,
    /// Copies, the oldest first.
    older: Vec<Folder>,
}

fn base(left: Left) -> Base {
    let folder = Folder::new("base");
    let mut older = Vec::new();
    for round in 0..4 {
        let store = open(&folder.0).expect("opens");
        if round == 0 {
            add_org(&store, 1, "Acme");
        }
        for number in round * DEVICES / 4 + 1..=(round + 1) * DEVICES / 4 {
            add_device(&store, 1, number).expect("commits");
        }
        if round < 3 {
            if round % 2 == 0 {
                close(store)
            } else {
                drop(store)
            }
            let copied = Folder::new("older");
            copy(&folder.0, &copied.0);
            older.push(copied);
            continue;
        }
        match left {
            Left::Closed => close(store),
            Left::Dropped => drop(store),
            Left::Killed => {
                // As a process that is killed leaves it: the copy is made behind its back.
                std::thread::sleep(Duration::from_millis(2_500));
                let killed = Folder::new("killed");
                copy(&folder.0, &killed.0);
                drop(store);
                return Base { left, folder: killed, older };
            }
        }
    }
    Base { left, folder, older }
}

/// xorshift: the same seed, the same damage.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { Some(&from[self.below(from.len() as u64) as usize]) }
    }
}

const KINDS: [&str; 8] = [".log", ".sst", "MANIFEST-", "CURRENT", "inventory", "wal.mark", "keyring.", "store.anchor"];
const DAMAGES: [&str; 7] = ["flip", "truncate", "delete", "swap", "duplicate", "roll back", "roll back all"];

fn of_kind(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let is_kind = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if kind.ends_with(['-', '.']) { name.starts_with(kind) } else { name.ends_with(kind) }
    };
    files(folder).into_iter().filter(is_kind).collect()
}

/// Do one damage; says what was done, or `None` if there was nothing to do it to.
fn damage(base: &Base, folder: &Path, kind: &str, what: &str, dice: &mut Dice) -> Option<String> {
    let candidates = of_kind(folder, kind);
    let path = dice.pick(&candidates)?.clone();
    let mut bytes = std::fs::read(&path).expect("reads");
    let shown = path.strip_prefix(folder).expect("below").display().to_string();
    let said = match what {
        "flip" => {
            let at = dice.below(bytes.len() as u64) as usize;
            *bytes.get_mut(at)? ^= 1 << dice.below(8);
            std::fs::write(&path, bytes).expect("writes");
            format!("flip a bit of byte {at} of {shown}")
        }
        "truncate" => {
            let len = dice.below(bytes.len() as u64) as usize;
            std::fs::write(&path, bytes.get(..len)?).expect("writes");
            format!("cut {shown} from {} to {len} bytes", bytes.len())
        }
        "delete" => {
            std::fs::remove_file(&path).expect("deletes");
            format!("delete {shown}")
        }
        "swap" => {
            let all = files(folder);
            let others: Vec<_> = if candidates.len() > 1 { candidates } else { all };
            let other =
                others.iter().filter(|other| **other != path).nth(dice.below(others.len() as u64 - 1) as usize)?;
            let theirs = std::fs::read(other).expect("reads");
            std::fs::write(other, bytes).expect("writes");
            std::fs::write(&path, theirs).expect("writes");
            format!("swap {shown} and {}", other.strip_prefix(folder).expect("below").display())
        }
        "duplicate" => {
            // Over another of its kind, or under the next number.
            let other = match dice.pick(&candidates).filter(|other| **other != path) {
                Some(other) => other.clone(),
                None => path.with_file_name(next_name(path.file_name()?.to_str()?)?),
            };
            std::fs::write(&other, bytes).expect("writes");
            format!("copy {shown} to {}", other.display())
        }
        "roll back" => {
            let older = dice.pick(&base.older)?.0.join(&shown);
            std::fs::write(&path, std::fs::read(older).ok()?).expect("writes");
            format!("roll back {shown}")
        }
        _ => {
            let older = &dice.pick(&base.older)?.0;
            std::fs::remove_dir_all(folder.join("store")).expect("deletes");
            copy(&older.join("store"), &folder.join("store"));
            format!("roll back the whole folder to {}", older.display())
        }
    };
    Some(said)
}

fn next_name(name: &str) -> Option<String> {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let number: u64 = digits.parse().ok()?;
    Some(name.replace(&digits, &format!("{:06}", number + 1)))
}

/// `Ok`: everything acknowledged is there. `Err`: refused, and why.
fn try_it(settings: Settings) -> Result<(), Error> {
    let begun = Instant::now();
    let store = linchpin_storage::Store::open(settings);
    assert!(begun.elapsed() < Duration::from_secs(10), "refusing or opening took {:?}", begun.elapsed());
    check_devices(&store?, 1, DEVICES)
}

#[test]
fn every_damage_is_noticed_or_harmless() {
    let wanted: u64 = std::env::var("LINCHPIN_DAMAGE").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let first: u64 = std::env::var("LINCHPIN_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let bases = [base(Left::Closed), base(Left::Dropped), base(Left::Killed)];
    for base in &bases {
        let folder = Folder::new("sound");
        copy(&base.folder.0, &folder.0);
        try_it(settings(&folder.0)).unwrap_or_else(|error| panic!("{:?} and not damaged: {error}", base.left));
    }
    let (mut refused, mut harmless, mut seed) = (0, 0, first);
    while refused + harmless < wanted {
        seed += 1;
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        dice.below(2);
        let base = dice.pick(&bases).expect("three");
        let (kind, what) = (*dice.pick(&KINDS).expect("kinds"), *dice.pick(&DAMAGES).expect("damages"));
        let folder = Folder::new("case");
        copy(&base.folder.0, &folder.0);
        let Some(said) = damage(base, &folder.0, kind, what, &mut dice) else { continue };
        let label = format!("seed {seed}, {:?}: {said}", base.left);
        let outcome = std::panic::catch_unwind(|| try_it(settings(&folder.0)));
        match outcome {
            Err(_) => panic!("SILENT: {label}"),
            Ok(Ok(())) => {
                assert_ne!(what, "roll back all", "{label} was taken for the newest");
                harmless += 1;
                println!("harmless  {label}");
            }
            Ok(Err(error)) => {
                refused += 1;
                let text = error.to_string();
                assert!(!text.contains("device number"), "an error shows a value: {text}");
                println!("refused   {label}: {text}");
            }
        }
    }
    println!("{wanted} cases from seed {first}: {refused} refused, {harmless} harmless, 0 silent");
    assert!(refused > harmless, "{refused} of {wanted} refused: the damage does too little");
}

#[test]
fn what_is_refused_can_be_accepted_by_the_operator() {
    let base = base(Left::Dropped);
    let folder = Folder::new("accept");
    copy(&base.folder.0, &folder.0);
    // An older folder under a newer anchor.
    std::fs::remove_dir_all(folder.0.join("store")).expect("deletes");
    copy(&base.older[1].0.join("store"), &folder.0.join("store"));
    let error = open(&folder.0).expect_err("rolled back");
    assert!(matches!(error, Error::RolledBack { .. }) && error.to_string().contains("--accept-rollback"), "{error}");
    let mut accepting = settings(&folder.0);
    accepting.accept_rollback = true;
    let store = linchpin_storage::Store::open(accepting).expect("accepted");
    check_devices(&store, 1, DEVICES / 2).expect("what the copy had");
    close(store);
    drop(open(&folder.0).expect("from then on it is the newest"));
    // A lost inventory.
    std::fs::remove_file(folder.0.join("store/inventory")).expect("deletes");
    assert!(matches!(open(&folder.0), Err(Error::Damaged { .. })));
    let mut accepting = settings(&folder.0);
    accepting.accept_rollback = true;
    drop(linchpin_storage::Store::open(accepting).expect("accepted"));
    check_devices(&open(&folder.0).expect("opens"), 1, DEVICES / 2).expect("reads");
}
