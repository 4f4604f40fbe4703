//! A restart with a million devices, the files in the page cache: until tokens are loaded and logins can be served.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use linchpin_protocol::model::{DeviceId, Pin, Token};
use linchpin_storage::schema::{Device, DeviceKey, Digest, IndexEntry, IndexKind, Latest, LatestValue, OrgId};
use linchpin_storage::{Class, Store};

use crate::{Folder, Outcome, now_ms, settings};

fn fill(store: &Store, org: OrgId, devices: u32) -> Outcome {
    let mut batch = store.batch();
    for number in 1..=devices {
        let mut seed = [0x5a; 24];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let (token, key) = (Token::from_random(&seed), DeviceKey::new(org, DeviceId::new(number).ok_or("zero")?));
        batch.put_index(&store.token_digest(&token), &IndexEntry { org, number })?;
        let name = format!("Sensor {number}").into();
        batch.put(&key, &Device::new(name, None, token, now_ms()))?;
        let mut latest = Latest::default();
        for pin in 0..3 {
            let value = LatestValue { value: b"21.5"[..].into(), at_ms: now_ms() };
            latest.values.insert(Pin::new_virtual(pin), value);
        }
        batch.put(&key, &latest)?;
        if batch.len_bytes() > 1 << 20 {
            store.commit(Class::B, std::mem::replace(&mut batch, store.batch()))?;
        }
    }
    store.commit(Class::A, batch)?;
    Ok(())
}

pub(crate) fn run(below: &Path, devices: u32) -> Outcome {
    let folder = Folder::new(below, "restart")?;
    let org = OrgId::new(1).ok_or("zero")?;
    let store = Store::open(settings(&folder.0))?;
    store.add_org(org)?;
    let begun = Instant::now();
    fill(&store, org, devices)?;
    println!("restart: {devices} devices, made in {:.1} s", begun.elapsed().as_secs_f64());
    store.close()?;
    drop(store);
    for (round, how) in ["closed", "closed", "closed", "ended without closing"].into_iter().enumerate() {
        let begun = Instant::now();
        let store = Store::open(settings(&folder.0))?;
        let opened = begun.elapsed();
        let mut tokens: HashMap<Digest, u32> = HashMap::with_capacity(devices as usize);
        store.load_index(IndexKind::Token, |digest, entry| {
            tokens.insert(digest, entry.number);
        })?;
        let serving = begun.elapsed();
        let mut values = 0;
        store.load_latest(|_, latest| values += latest.values.len())?;
        let latest = begun.elapsed();
        let mut names = 0;
        store.scan::<Device>(|_, device| {
            names += device.name.len();
            std::ops::ControlFlow::Continue(())
        })?;
        let all = begun.elapsed();
        assert_eq!((tokens.len(), values), (devices as usize, 3 * devices as usize));
        println!(
            "  {how}: open {:.2} s, tokens loaded and serving {:.2} s, latest values {:.2} s, device records {:.2} s",
            opened.as_secs_f64(),
            serving.as_secs_f64(),
            latest.as_secs_f64(),
            all.as_secs_f64()
        );
        if round < 2 {
            store.close()?;
        } else {
            // The next start finds a log to replay.
            let mut batch = store.batch();
            for number in 1..=1_000 {
                let key = DeviceKey::new(org, DeviceId::new(number).ok_or("zero")?);
                if let Some(device) = store.get::<Device>(&key)? {
                    batch.put(&key, &device)?;
                }
            }
            store.commit(Class::A, batch)?;
            drop(store);
        }
    }
    Ok(())
}
