//! What sealing a record costs: values into a batch of the store, which encodes, compresses and seals each.
//! `cargo bench -p linchpin-bench-core --bench sealed`
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use linchpin_protocol::model::DeviceId;
use linchpin_storage::schema::{Event, EventKey, OrgId};
use linchpin_storage::{Settings, Store, Unseal};
use zeroize::Zeroizing;

const RECORDS: u32 = 64;
/// A time that no retention reaches, ms since 1970.
const NEVER_OVER_MS: u64 = 4_000_000_000_000;

fn sealed(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("linchpin-sealed-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let store = Store::open(Settings::new(&folder, Unseal::Key(Zeroizing::new([1; 32])))).expect("a new store");
    let device = DeviceId::new(7).expect("not zero");
    let org = OrgId::new(1).expect("not zero");
    let mut group = criterion.benchmark_group("sealed");
    group.throughput(Throughput::Elements(RECORDS.into()));
    for text_bytes in [16, 256] {
        let event = Event::new("hot".into(), "x".repeat(text_bytes).into());
        group.bench_function(format!("seal 64 events of {text_bytes} bytes"), |bencher| {
            bencher.iter(|| {
                let mut batch = store.writer().batch();
                for number in 0..RECORDS {
                    batch.put(&EventKey { org, device, at_ms: NEVER_OVER_MS, number }, &event).expect("fits");
                }
                batch
            });
        });
    }
    group.finish();
    drop(store);
    let _ = std::fs::remove_dir_all(&folder);
}

criterion_group!(benches, sealed);
criterion_main!(benches);
