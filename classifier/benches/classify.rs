//! What classifying a frame costs: the table alone, with access push, with the policer.
//!
//! `cargo bench -p pinode-classifier`
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pinode_classifier::{
    Access, ETHERTYPE_DEFAULT, GuestForm, Pi, PiCode, Pih, Policer, PortClassifier, Trunk, Vn,
    VnSet,
};

const BURST: usize = 64;

fn pi(slot: u8, code: PiCode) -> Pi {
    Pi {
        slot,
        code,
        vns: VnSet::from_iter([Vn::DEFAULT]),
        form: GuestForm::Keep,
    }
}

fn frame(ethertype: u16, pih: u8) -> [u8; 75] {
    let mut frame = [0; 75];
    frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
    frame[14] = pih;
    frame
}

fn classify(c: &mut Criterion) {
    let codes = [PiCode::IPV6QOS, PiCode::CAN, PiCode::DSS];
    let pis = [pi(0, codes[0]), pi(1, codes[1]), pi(2, codes[2])];
    let trunk = PortClassifier::from(Trunk::new(ETHERTYPE_DEFAULT, 1500, &pis).expect("valid"));
    let access = PortClassifier::from(
        Access::new(ETHERTYPE_DEFAULT, 0x86DD, 1500, pis[0], Vn::DEFAULT).expect("valid"),
    );
    let burst: Vec<_> = (0..BURST)
        .map(|i| frame(ETHERTYPE_DEFAULT, Pih::new(codes[i % 3], Vn::DEFAULT).raw()))
        .collect();
    let untagged: Vec<_> = (0..BURST).map(|_| frame(0x86DD, 0x60)).collect();

    let mut group = c.benchmark_group("classify");
    group.throughput(Throughput::Elements(BURST as u64));
    group.bench_function("trunk", |b| {
        b.iter(|| {
            for frame in &burst {
                let _ = black_box(trunk.classify(black_box(frame)));
            }
        });
    });
    group.bench_function("access_push", |b| {
        b.iter(|| {
            for frame in &untagged {
                if let Ok(verdict) = access.classify(black_box(frame)) {
                    black_box(access.to_guest(verdict, frame));
                }
            }
        });
    });
    let policers: Vec<_> = (0..3)
        .map(|_| Policer::new(10_000_000_000, 1 << 20).expect("valid"))
        .collect();
    let mut now_ns = 0;
    group.bench_function("trunk_and_policer", |b| {
        b.iter(|| {
            now_ns += 64 * 80;
            for frame in &burst {
                if let Ok(verdict) = trunk.classify(black_box(frame)) {
                    let policer = &policers[usize::from(verdict.slot)];
                    black_box(policer.conforms(now_ns, frame.len() as u32));
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, classify);
criterion_main!(benches);
