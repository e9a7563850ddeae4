//! How long `Machine::boot` takes until the vCPU runs, and until the guest's first octet is on the console.
//!
//! `cargo bench -p pinode-vmm --bench boot`

#[path = "../tests/guest/mod.rs"]
mod guest;

use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use guest::{Image, kvm, say};
use pinode_vmm::{Machine, MachineConfig, NetConfig};

fn boot(criterion: &mut Criterion) {
    let Some(host) = kvm("boot benchmark") else {
        return;
    };
    let net = NetConfig {
        mac: [2, 0, 0, 0, 0, 1],
        mtu: 1500,
        queue_pairs: 1,
        queue_size: 4096,
    };
    let config = MachineConfig {
        nets: vec![net; 2],
        ..Image::of(&say("x")).with_msi().config("bench")
    };
    let mut group = criterion.benchmark_group("32 MiB, 2 vifs");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(4));
    group.bench_function("boot until the vCPU runs", |bencher| {
        let (sink, _events) = guest::events();
        bencher.iter_batched(
            || config.clone(),
            |config| Machine::boot(&host, config, sink.clone()).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("boot until the first octet", |bencher| {
        let (sink, _events) = guest::events();
        bencher.iter_batched(
            || config.clone(),
            |config| {
                let machine = Machine::boot(&host, config, sink.clone()).unwrap();
                while machine.console().since(0).1 == 0 {
                    std::thread::yield_now();
                }
                machine
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, boot);
criterion_main!(benches);
