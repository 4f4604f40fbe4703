//! Group commit of batches of 1,000 records, each on the disk before it is acknowledged: plain RocksDB and the sealed
//! store take turns, so that a noisy disk is noisy for both.

use std::path::Path;
use std::time::{Duration, Instant};

use linchpin_protocol::model::DeviceId;
use linchpin_storage::schema::{Event, EventKey, OrgId};
use linchpin_storage::{Class, Store, Writer};

use crate::{Folder, Outcome, settings};

const ROUNDS: usize = 9;
const THREADS: u64 = 4;
const BATCHES: u64 = 25;
const RECORDS: u32 = 1_000;
const TEXT: usize = 96;
/// A time that no retention reaches, ms since 1970.
const NEVER_OVER_MS: u64 = 4_000_000_000_000;

fn org() -> OrgId {
    OrgId::new(1).expect("not zero")
}

/// Each thread's batches, one after the other; the time for all.
fn timed(each: impl Fn(u64) + Sync) -> Duration {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let each = &each;
            scope.spawn(move || (0..BATCHES).for_each(|batch| each(thread * BATCHES + batch)));
        }
    });
    begun.elapsed()
}

fn key(round: usize, batch: u64, number: u32) -> EventKey {
    let device = DeviceId::new(batch as u32 + 1).expect("not zero");
    EventKey { org: org(), device, at_ms: NEVER_OVER_MS + round as u64, number }
}

fn sealed(writer: &Writer, class: Class, round: usize, text: &str) -> Duration {
    timed(|number| {
        let mut batch = writer.batch();
        let event = Event::new("hot".into(), text.into());
        for record in 0..RECORDS {
            batch.put(&key(round, number, record), &event).expect("fits");
        }
        writer.commit(class, batch).expect("commits");
    })
}

fn plain(db: &rocksdb::DB, round: usize, text: &str) -> Duration {
    let mut sync = rocksdb::WriteOptions::default();
    sync.set_sync(true);
    timed(|number| {
        let mut batch = rocksdb::WriteBatch::default();
        for record in 0..RECORDS {
            // A key and a value as long as the sealed store's, less what sealing adds.
            let mut key = [0; 20];
            key[4..8].copy_from_slice(&(number as u32).to_be_bytes());
            key[8..16].copy_from_slice(&(round as u64).to_be_bytes());
            key[16..].copy_from_slice(&record.to_be_bytes());
            batch.put(key, text.as_bytes());
        }
        db.write_opt(batch, &sync).expect("writes");
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub(crate) fn run(below: &Path) -> Outcome {
    let folder = Folder::new(below, "commit")?;
    let store = Store::open(settings(&folder.0.join("store")))?;
    store.add_org(org())?;
    let writer = store.writer();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.set_compression_type(rocksdb::DBCompressionType::None);
    options.set_write_buffer_size(linchpin_storage::limits::WRITE_BUFFER_BYTES);
    options.set_max_background_jobs(2);
    let db = rocksdb::DB::open(&options, folder.0.join("plain"))?;
    let text = "d".repeat(TEXT);
    let [mut plains, mut a, mut c] = [(); 3].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let times = [
            plain(&db, round, &text),
            sealed(&writer, Class::C, round, &text),
            sealed(&writer, Class::A, ROUNDS + 1 + round, &text),
        ];
        // The first warms up.
        if round > 0 {
            for (times, time) in [&mut plains, &mut c, &mut a].into_iter().zip(times) {
                times.push(time);
            }
        }
    }
    let records = (THREADS * BATCHES) as f64 * f64::from(RECORDS);
    let (plain, c, a) = (median(plains), median(c), median(a));
    let rate = |time: Duration| records / time.as_secs_f64();
    let ratio = |time: Duration| rate(time) / rate(plain);
    println!(
        "commit: {THREADS} threads, batches of {RECORDS} records of {TEXT} bytes, synced; medians of {ROUNDS} rounds"
    );
    println!("  plain RocksDB              {:>9.0} records/s", rate(plain));
    println!("  sealed, one sync (class C) {:>9.0} records/s, {:.2} of plain", rate(c), ratio(c));
    println!("  sealed, with mark (A)      {:>9.0} records/s, {:.2} of plain", rate(a), ratio(a));
    store.close()?;
    Ok(())
}
