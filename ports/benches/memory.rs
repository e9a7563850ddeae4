//! Cost of a burst over the memory cable and the inline port: 64 frames each way, each frame written on
//! the way in, copied from slot to slot as a worker without guests would, and read on the way out.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinode_ports::{
    BURST, InjectSlots, InlinePort, Port, Rss, RxBurst, TxMeta, TxSlots, Wire, memory,
};
use std::hint::black_box;

/// Source and sink with the work of DPDK's net_null with `copy=1`.
struct Flood {
    template: Box<[u8]>,
    dummy: Box<[u8; 2048]>,
}

impl Flood {
    fn new(octets: usize) -> Self {
        Self {
            template: vec![7; octets].into(),
            dummy: Box::new([0; 2048]),
        }
    }
}

impl Wire for Flood {
    #[inline]
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        let template = &*self.template;
        while slots.push(template.len(), |slot| slot.copy_from_slice(template)) {}
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, frame: &[u8], _meta: &TxMeta) {
        if let Some(copy) = self.dummy.get_mut(..frame.len()) {
            copy.copy_from_slice(frame);
        }
        black_box(&self.dummy);
    }
}

/// Source and sink that touch no frame: what is left is the port's own cost.
struct Untouched;

impl Wire for Untouched {
    #[inline]
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        while slots.push(75, |_| ()) {}
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, frame: &[u8], meta: &TxMeta) {
        black_box((frame.len(), meta.start_ns));
    }
}

/// A round that lends and gives back.
fn lend(port: &mut dyn Port) -> usize {
    let mut burst = RxBurst::new();
    port.rx_burst(0, &mut burst);
    let received = black_box(&burst).len();
    drop(burst);
    let mut slots = TxSlots::new();
    port.tx_slots(BURST, &mut slots);
    let count = black_box(&slots).len();
    drop(slots);
    let meta = TxMeta {
        len: 75,
        start_ns: 0,
    };
    received + port.tx_commit(&[meta; BURST][..count])
}

/// One round: what arrived at one port is copied into the other's slots and sent.
fn forward(from: &mut dyn Port, to: &mut dyn Port) -> usize {
    let mut burst = RxBurst::new();
    from.rx_burst(0, &mut burst);
    let mut slots = TxSlots::new();
    to.tx_slots(burst.len(), &mut slots);
    let mut metas = arrayvec::ArrayVec::<TxMeta, BURST>::new();
    for (frame, slot) in burst.iter().zip(&mut slots) {
        slot[..frame.len()].copy_from_slice(frame);
        metas.push(TxMeta {
            len: frame.len() as u16,
            start_ns: 0,
        });
    }
    drop(slots);
    to.tx_commit(&metas)
}

fn bursts(c: &mut Criterion) {
    let mut group = c.benchmark_group("burst of 64 forwarded");
    group.throughput(Throughput::Elements(BURST as u64));
    for octets in [75, 1514] {
        let (mut near, mut far) = memory::pair(memory::DEFAULT_SLOTS, 2048);
        let (mut out, mut out_far) = memory::pair(memory::DEFAULT_SLOTS, 2048);
        let mut flood = Flood::new(octets);
        let id = BenchmarkId::new("memory pair", octets);
        group.bench_function(id, |bench| {
            bench.iter(|| {
                for _ in 0..BURST {
                    let sent = far.send_with(octets, |slot| slot.copy_from_slice(&flood.template));
                    debug_assert!(sent);
                }
                black_box(forward(&mut near, &mut out));
                let meta = TxMeta {
                    len: 0,
                    start_ns: 0,
                };
                out_far.recv(|frame, _| flood.absorb(0, frame, &meta));
            });
        });
        let mut from = InlinePort::new(Flood::new(octets), 2048);
        let mut to = InlinePort::new(Flood::new(octets), 2048);
        group.bench_function(BenchmarkId::new("inline", octets), |bench| {
            bench.iter(|| black_box(forward(&mut from, &mut to)));
        });
    }
    let mut untouched = InlinePort::new(Untouched, 2048);
    group.bench_function("inline, frames untouched", |bench| {
        bench.iter(|| black_box(lend(&mut untouched)));
    });
    let mut frame = [0u8; 75];
    frame[12..23].copy_from_slice(&[0x88, 0xb5, 0x20, 0x60, 0, 0, 0, 0, 20, 59, 64]);
    let rss = Rss::new(2);
    group.bench_function("queue of an IPv6 frame", |bench| {
        bench.iter(|| {
            for flow in 0..BURST {
                frame[30] = flow as u8;
                black_box(rss.queue(&frame));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, bursts);
criterion_main!(benches);
