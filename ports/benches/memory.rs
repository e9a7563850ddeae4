//! Cost of a burst over the memory cable and the inline port: receive 64 frames, send 64 frames.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pinode_ports::{BURST, InjectSlots, InlinePort, Port, RxBurst, TxMeta, TxSlots, Wire, memory};
use std::hint::black_box;

const METAS: [TxMeta; BURST] = [TxMeta {
    len: 75,
    start_ns: 0,
}; BURST];

fn send(port: &mut impl Port) {
    let mut slots = TxSlots::new();
    port.tx_slots(BURST, &mut slots);
    for slot in &mut slots {
        slot[0] = black_box(1);
    }
    let count = slots.len();
    drop(slots);
    black_box(port.tx_commit(&METAS[..count]));
}

fn receive(port: &mut impl Port) {
    let mut burst = RxBurst::new();
    port.rx_burst(0, &mut burst);
    black_box(
        burst
            .iter()
            .map(|frame| usize::from(frame[0]))
            .sum::<usize>(),
    );
}

struct Constant;

impl Wire for Constant {
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_>) {
        while slots.push(75, |slot| slot[0] = 1) {}
    }

    fn absorb(&mut self, _now_ns: u64, frame: &[u8], _meta: &TxMeta) {
        black_box(frame[0]);
    }
}

fn bursts(c: &mut Criterion) {
    let mut group = c.benchmark_group("burst of 64 each way");
    group.throughput(Throughput::Elements(BURST as u64));
    let (mut a, mut b) = memory::cable(memory::DEFAULT_SLOTS, 2048);
    group.bench_function("memory cable", |bench| {
        bench.iter(|| {
            send(&mut a);
            receive(&mut b);
        });
    });
    let mut inline = InlinePort::new(Constant, 2048);
    group.bench_function("inline", |bench| {
        bench.iter(|| {
            receive(&mut inline);
            send(&mut inline);
        });
    });
    group.finish();
}

criterion_group!(benches, bursts);
criterion_main!(benches);
