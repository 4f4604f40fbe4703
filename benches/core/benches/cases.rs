//! The budgeted cases in time: session, shard, lane, records. `cargo bench -p linchpin-bench-core --bench cases`
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use linchpin_bench_core::cases::CASES;

fn cases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cases");
    for case in CASES {
        let mut run = case.warmed();
        group.throughput(Throughput::Elements(case.units));
        group.bench_function(case.name, |bencher| bencher.iter(&mut run));
    }
    group.finish();
}

criterion_group!(benches, cases);
criterion_main!(benches);
