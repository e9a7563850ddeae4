//! The seed's experiments on real nodes, a few trials of them: every point is of the frames that were sent.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pinode_measure::method::{Finished, Observer, Progress, Timing, Traffic, TrafficStream};
use pinode_measure::path::Wires;
use pinode_measure::results::SizeLabel;
use pinode_measure::seed::{CAPACITY_BPS, PIS, beside, fits};
use pinode_measure::stream::{Sizes, StreamSpec};
use pinode_measure::trial::{Glimpse, LoadStream, Side};
use pinode_node::config;
use pinode_node::measure::cpu::{CpuReading, HOST};
use pinode_node::measure::seed::{Found, Settings, run};
use pinode_node::running::RunningNode;
use pinode_ports::{InlinePort, Port, slot_octets_for};

const READY: Duration = Duration::from_secs(30);

const NODE: &str = r#"
[node]
name = "t"
isolation = "ISOLATION"
cpus = { workers = [0], guests = [1] }
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "1Gbps"
cycle = { phases = [{ pi = "ipv6qos", for = "100us" }, { pi = "can", for = "100us" }, { pi = "dss", for = "100us" }] }
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "1Gbps"
cycle = { phases = [{ pi = "ipv6qos", for = "100us" }, { pi = "can", for = "100us" }, { pi = "dss", for = "100us" }] }
[pi.ipv6qos]
code = 1
guest = "builtin:patch"
[pi.can]
code = 2
guest = "builtin:patch"
[pi.dss]
code = 3
guest = "builtin:patch"
"#;

/// Counts what was sent and lost.
#[derive(Default)]
struct Sums {
    /// By trial: frames sent of each stream, and whether none was lost.
    sent: Vec<(Vec<u64>, bool)>,
}

impl Observer for Sums {
    fn goes_on(&mut self, _: Option<Glimpse>) -> bool {
        true
    }

    fn pause(&mut self, _: Duration) {}

    fn begins(&mut self, _: &Progress<'_>) {}

    fn finished(&mut self, finished: &Finished<'_>) {
        // Those that the tester fell short of are made again, and are no points.
        if finished.trial.is_valid() {
            let streams = finished.trial.streams.iter();
            let sent = streams.map(|stream| stream.sent.frames).collect();
            self.sent.push((sent, finished.trial.lost() == 0));
        }
    }
}

fn traffic(isolation: &str, label: SizeLabel, sizes: &Sizes) -> Traffic {
    let stream = |(code, pi): (u8, &str)| TrafficStream {
        pi: pi.to_owned(),
        stream: LoadStream {
            from: Side::West,
            spec: StreamSpec {
                sizes: sizes.clone(),
                ..StreamSpec::new(u16::from(code), code, 79, 1000.0)
            },
        },
        ceiling_fps: 1e6,
        wait: None,
    };
    Traffic {
        size: label,
        isolation: Some(isolation.to_owned()),
        streams: (1..).zip(PIS).map(stream).collect(),
    }
}

fn measure(isolation: &str, sizes: &[Traffic], settings: &Settings) -> (Found, Sums) {
    let text = NODE.replace("ISOLATION", isolation);
    let mut config = config::parse("t.toml", Path::new(""), &text, &["patch"]).unwrap();
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
        config.cpus = Default::default();
    }
    let (mut wires, ends) = Wires::new([CAPACITY_BPS; 2], 1518, "a node");
    let ports = ends.map(|end| -> Vec<Box<dyn Port>> {
        vec![Box::new(InlinePort::new(end, slot_octets_for(1500)))]
    });
    let node = RunningNode::start(config, ports.into()).unwrap();
    node.wait_ready(READY, || false).unwrap();
    let operator = Arc::clone(node.operator());
    let mut read = || CpuReading::take(&*operator);
    let (mut found, mut sums) = (Found::default(), Sums::default());
    run(
        &mut wires, sizes, settings, &mut read, &mut sums, &mut found,
    )
    .unwrap();
    node.stop();
    (found, sums)
}

#[test]
fn every_point_is_of_the_frames_that_were_sent() {
    let mut isolations = vec!["thread"];
    match pinode_vmm::KvmHost::open() {
        Ok(_) => isolations.push("kvm"),
        Err(error) => println!("skipped: the seed's experiments in virtual machines: {error}"),
    }
    let mut all = Vec::new();
    for isolation in isolations {
        let sizes = [
            traffic(isolation, SizeLabel::Octets(79), &Sizes::Fixed(79)),
            traffic(
                isolation,
                SizeLabel::Mix("random 79..1518".into()),
                &Sizes::Uniform {
                    from: 79,
                    to: 1518,
                    seed: 1,
                },
            ),
        ];
        let settings = Settings {
            rates_bps: vec![10e6, 50e6, 100e6],
            timing: Timing {
                trial: Duration::from_millis(100),
                attempts: 10,
                ..Settings::quick().timing
            },
        };
        let (found, sums) = measure(isolation, &sizes, &settings);
        assert!(!found.is_partial);
        let places = PIS.len() + 1;
        assert_eq!(
            found.cpu.len(),
            sums.sent.len() * places,
            "{:?}",
            found.notes
        );
        let trials = found
            .cpu
            .chunks(places)
            .zip(found.checks.chunks(places))
            .zip(&sums.sent);
        for ((points, checks), (sent, lossless)) in trials {
            for (point, sent) in points.iter().zip(sent) {
                // What the guest says it took is what was sent to it, to the frame.
                let frames = point.kfps * 1e3 * 0.1;
                if *lossless {
                    assert!(
                        (frames - *sent as f64).abs() < 0.5,
                        "{isolation}: {sent}: {point:?}"
                    );
                }
                assert!(point.percent > 0.0, "{point:?}");
            }
            let host = &points[PIS.len()];
            assert_eq!(host.pi, HOST);
            assert_eq!(host.lossless, *lossless);
            let frames: u64 = sent.iter().sum();
            assert!(
                (host.kfps * 1e3 * 0.1 - frames as f64).abs() < 0.5,
                "{host:?}"
            );
            assert!(
                checks
                    .iter()
                    .all(|check| check.thread_cpu_ns > 0 && check.wall_ns > 0)
            );
        }
        all.extend(found.cpu);
    }
    for row in beside(&fits(&all)) {
        assert_eq!(
            row.published.is_some(),
            row.size == SizeLabel::Octets(79) && row.pi != HOST,
            "{row:?}"
        );
    }
}
