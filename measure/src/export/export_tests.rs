use std::fs;

use super::*;
use crate::sink::Sink;
use crate::stats;
use crate::stream::{Pattern, Sizes};

fn three(fps: f64) -> Vec<Named> {
    let stream = |id, code, name: &str, sizes| Named {
        name: name.into(),
        spec: StreamSpec {
            sizes,
            ..StreamSpec::new(id, code, 79, fps)
        },
    };
    vec![
        stream(1, 1, "ipv6qos", Sizes::Fixed(79)),
        stream(2, 2, "can", Sizes::Sequence(vec![79, 1518, 128, 79])),
        stream(
            3,
            3,
            "dss",
            Sizes::Uniform {
                from: 79,
                to: 1518,
                seed: 7,
            },
        ),
    ]
}

/// Frames of a trace with their times.
fn read_trace(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let mut reader = pcap_file::pcap::PcapReader::new(fs::File::open(path).unwrap()).unwrap();
    assert_eq!(
        reader.header().ts_resolution,
        pcap_file::pcap::PcapTsResolution::NanoSecond
    );
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        let at = u64::try_from(packet.timestamp().as_nanos()).unwrap();
        frames.push((at, packet.data().to_vec()));
    }
    frames
}

#[test]
fn a_trace_holds_what_the_sink_takes_for_the_streams() {
    let dir = tempfile::tempdir().unwrap();
    let named = three(1e5);
    let paths = write(dir.path(), Format::Pcap, &named, 500).unwrap();
    assert_eq!(
        paths,
        ["streams.pcap", "streams.csv"].map(|n| dir.path().join(n))
    );
    let frames = read_trace(&paths[0]);
    assert_eq!(frames.len(), 1500);
    assert!(frames.is_sorted_by_key(|(at, _)| *at));
    let streams = Stream::all(named.into_iter().map(|n| n.spec)).unwrap();
    let mut sink = Sink::new(&streams);
    let mut latency = [stats::latency(), stats::latency(), stats::latency()];
    for (at, frame) in &frames {
        // 1 us on the way: the send time is the timestamp.
        sink.absorb(at + 1000, frame, &mut latency);
    }
    assert_eq!(sink.foreign(), 0);
    for received in sink.received() {
        assert_eq!(
            (
                received.frames,
                received.missing,
                received.reordered,
                received.corrupted
            ),
            (500, 0, 0, 0)
        );
    }
    assert!(latency.iter().all(|l| l.min() == 1000 && l.max() == 1000));
}

#[test]
fn rates_keep_their_ratio_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut named = three(1000.0);
    named[0].spec.rate_fps = 5000.0;
    named[1].spec.pattern = Pattern::Bursts(4);
    let paths = write(dir.path(), Format::Pcap, &named, 100).unwrap();
    let frames = read_trace(&paths[0]);
    let of = |pih| frames.iter().filter(|(_, f)| f[14] == pih).count();
    assert_eq!([of(0x20), of(0x40), of(0x60)], [500, 100, 100]);
}

#[test]
fn the_table_has_the_octets_in_front_of_the_signature() {
    let dir = tempfile::tempdir().unwrap();
    let named = three(1e5);
    let paths = write(dir.path(), Format::Pcap, &named, 1).unwrap();
    let mut reader = csv::Reader::from_path(&paths[1]).unwrap();
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(&lines[1][1], "can");
    assert_eq!(&lines[1][2], "0x40");
    assert_eq!(&lines[1][3], "79 1518 128 79 in turn");
    let stream = Stream::new(named[1].spec.clone()).unwrap();
    assert_eq!(lines[1][6], table::hex(&stream.template()[..55]));
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let refused = |named: &[Named], format, frames| {
        let error = write(&out, format, named, frames).unwrap_err().to_string();
        assert!(!out.exists(), "{error}");
        error
    };
    assert_eq!(refused(&[], Format::Pcap, 1), "no stream to export");
    assert!(refused(&three(1e5), Format::Pcap, 0).contains("allowed are 1 to 2000000"));
    let mut uneven = three(1e5);
    uneven[2].spec.rate_fps = 0.1;
    assert!(
        refused(&uneven, Format::Trafgen, 1).contains("2000001 frames for trafgen"),
        "the slowest decides"
    );
    let mut twice = three(1e5);
    twice[1].spec.id = 1;
    assert!(refused(&twice, Format::Trex, 1).contains("stream 1 is there twice"));
    assert_eq!(
        "ixia".parse::<Format>().unwrap_err().to_string(),
        "no format \"ixia\"; there are pcap, trafgen, scapy and trex"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = write(&file, Format::Scapy, &three(1e5), 1).unwrap_err();
    let named = format!("cannot make the folder {}: ", file.display());
    assert!(error.to_string().starts_with(&named), "{error}");
}

#[test]
fn a_file_that_fails_halfway_leaves_nothing_and_the_old_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "old").unwrap();
    let error = beside::write(
        dir.path(),
        &[
            ("a", &|out| std::io::Write::write_all(out, b"new")),
            ("b", &|_| Err(std::io::Error::other("full"))),
        ],
    )
    .unwrap_err();
    assert!(error.to_string().ends_with("full"), "{error}");
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["a"]);
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"old");
}

#[test]
fn names_cannot_break_out_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut named = three(1e5);
    named[0].name = "}\n\"\\ü,".into();
    for format in Format::ALL {
        for path in write(dir.path(), format, &named, 1).unwrap() {
            let text = fs::read(&path).unwrap();
            let lines = String::from_utf8_lossy(&text);
            assert!(
                !lines.lines().any(|l| l == "}\"" || l.starts_with("\"\\")),
                "{format}"
            );
        }
    }
    assert_eq!(python::text("}\n\"\\ü"), r#""}\U0000000a\"\\\U000000fc""#);
}
