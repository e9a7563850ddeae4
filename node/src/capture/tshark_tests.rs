//! Wireshark's own reader as judge: of the stream's form, and of the dissector in docs/wireshark.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pinode_measure::source::Source;
use pinode_measure::stream::{Stream, StreamSpec};

use super::{Direction, LinkType, channel};

/// Runs `test` where tshark is; elsewhere says so, and fails where nothing may be missing.
fn with_tshark(name: &str, test: impl FnOnce()) {
    let version = Command::new("tshark")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if version.is_ok_and(|v| v.success()) {
        return test();
    }
    let needed = std::env::var("CI").is_ok_and(|v| v == "true")
        || std::env::var("PINODE_REQUIRE").is_ok_and(|v| v == "all");
    let why = format!("skipped: {name}: no tshark; get it by `apt-get install tshark`");
    assert!(!needed, "{why}");
    // Not by eprintln!: the harness would keep the line of a test that passes.
    // A line of its own, whatever the harness is about to finish.
    let _ = writeln!(std::io::stderr(), "\n{why}");
}

/// What tshark prints about `stream`: one line a frame, the fields by tabs.
fn tshark(stream: &[u8], options: &[&str], fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command
        .args(["-n", "-r", "-"])
        .args(options)
        .args(["-T", "fields"]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    // The reader's local time must not show in what is compared.
    command
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        !errors.contains("Lua") && !errors.contains("cut short"),
        "{errors}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

fn lua() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wireshark/pinode.lua");
    assert!(path.exists(), "{}", path.display());
    format!("lua_script:{}", path.display())
}

/// A capture of `frames`, one each millisecond, every other one outbound.
fn capture(frames: &[Vec<u8>], snaplen: u32) -> Vec<u8> {
    let (mut taps, reader) = channel("can/west", LinkType::Ethernet, snaplen, 1);
    let mut tap = taps.remove(0);
    for (i, frame) in (0u64..).zip(frames) {
        let way = if i % 2 == 0 {
            Direction::Inbound
        } else {
            Direction::Outbound
        };
        let (head, body) = frame.split_at(frame.len().min(15));
        tap.record(way, i * 1_000_000 + 7, head, body);
    }
    drop(tap);
    reader.flatten().collect()
}

/// The first frames of a tester's streams, one of each PI, on VNs 0, 5 and 31.
fn tester_frames() -> Vec<Vec<u8>> {
    let spec = |(pi, vn)| StreamSpec {
        vn,
        ..StreamSpec::new(100 + u16::from(pi), pi, 79, 1e6)
    };
    let streams = Stream::all([(1, 0), (2, 5), (3, 31)].map(spec)).unwrap();
    let mut source = Source::new(&streams, 64);
    source.start(1_000);
    let mut frames = Vec::new();
    while let Some(pending) = source.next(1_999) {
        let mut frame = vec![0; pending.octets()];
        pending.write(&mut frame);
        frames.push(frame);
    }
    frames
}

#[test]
fn tshark_reads_a_capture() {
    with_tshark("capture::tshark_reads_a_capture", || {
        let stream = capture(&[vec![0x11; 60], vec![0x22; 61], vec![0x33; 1514]], 100);
        let fields = [
            "frame.interface_name",
            "frame.packet_flags_direction",
            "frame.len",
            "frame.cap_len",
            "frame.time_delta",
        ];
        let got = tshark(&stream, &[], &fields);
        let expected = [
            ["can/west", "0x00000001", "60", "60", "0.000000000"],
            ["can/west", "0x00000002", "61", "61", "0.001000000"],
            ["can/west", "0x00000001", "1514", "100", "0.001000000"],
        ];
        assert_eq!(got, expected);
    });
}

#[test]
fn tshark_sees_nanoseconds_and_missing_frames() {
    with_tshark(
        "capture::tshark_sees_nanoseconds_and_missing_frames",
        || {
            let mut stream = Vec::new();
            super::pcapng::section_header(&mut stream, "pinode");
            for name in ["west", "east"] {
                super::pcapng::interface_description(
                    &mut stream,
                    name,
                    "port",
                    LinkType::Ethernet,
                    0,
                );
            }
            for (interface, time_ns, dropped_before) in [
                (0, 1_790_000_000_123_456_789, 0),
                (1, 1_790_000_000_123_456_790, 42),
            ] {
                super::pcapng::enhanced_packet(
                    &mut stream,
                    &super::pcapng::Packet {
                        interface,
                        time_ns,
                        direction: Direction::Inbound,
                        original: 60,
                        octets: [&[0; 60], &[]],
                        dropped_before,
                    },
                );
            }
            let got = tshark(
                &stream,
                &[],
                &[
                    "frame.time_epoch",
                    "frame.interface_name",
                    "frame.drop_count",
                ],
            );
            let expected = [
                ["1790000000.123456789", "west", ""],
                ["1790000000.123456790", "east", "42"],
            ];
            assert_eq!(got, expected);
        },
    );
}

#[test]
fn the_dissector_shows_pih_payload_and_signature() {
    with_tshark(
        "capture::the_dissector_shows_pih_payload_and_signature",
        || {
            let fields = [
                "pinode.pi",
                "pinode.vn",
                "frame.protocols",
                "pinode_sig.stream",
                "pinode_sig.sequence",
                "pinode_sig.time",
            ];
            let got = tshark(&capture(&tester_frames(), 0), &["-X", &lua()], &fields);
            let way = "eth:ethertype:pinode:ipv6:pinode_sig";
            let expected = [
                ["1", "0", way, "101", "0", "1000"],
                ["2", "5", way, "102", "0", "1333"],
                ["3", "31", way, "103", "0", "1666"],
            ];
            assert_eq!(got, expected);
        },
    );
}

#[test]
fn the_dissector_hands_each_pi_to_its_own_and_says_what_is_wrong() {
    with_tshark(
        "capture::the_dissector_hands_each_pi_to_its_own_and_says_what_is_wrong",
        || {
            let frame = |pdu: &[u8]| {
                let mut frame = [&[0; 12][..], &[0x88, 0xb5], pdu].concat();
                frame.resize(60, 0);
                frame
            };
            let frames = [
                frame(&[3 << 5 | 1, 0, 0x01, 0x01, 0x40, 1, 2, 3]),
                frame(&[2 << 5, 5, 3, 1, 2, 3]),
                frame(&[7 << 5 | 2, 1]),
                frame(&[0, 1]),
                frame(&[])[..14].to_vec(),
            ];
            let fields = ["pinode.pi", "pinode.vn", "mpls.label", "_ws.expert.message"];
            let got = tshark(&capture(&frames, 0), &["-X", &lua()], &fields);
            let expected = [
                ["3", "1", "16", ""],
                ["2", "0", "", ""],
                ["7", "2", "", ""],
                [
                    "0",
                    "0",
                    "",
                    "PI code 0 is invalid: a node drops this frame",
                ],
                ["", "", "", "The frame ends before the PIH"],
            ];
            assert_eq!(got, expected);
        },
    );
}

#[test]
fn the_dissector_follows_the_ethertype_preference() {
    with_tshark(
        "capture::the_dissector_follows_the_ethertype_preference",
        || {
            let mut frames = tester_frames();
            frames[1][12..14].copy_from_slice(&0x9999u16.to_be_bytes());
            let options = ["-X", &lua(), "-o", "pinode.ethertype:39321"];
            let got = tshark(&capture(&frames, 0), &options, &["pinode.pi"]);
            assert_eq!(got, [[""], ["2"], [""]]);
        },
    );
}

#[test]
fn a_damaged_signature_is_not_shown_as_one() {
    with_tshark("capture::a_damaged_signature_is_not_shown_as_one", || {
        let mut frames = tester_frames();
        frames[0][60] ^= 1;
        let got = tshark(
            &capture(&frames, 0),
            &["-X", &lua()],
            &["pinode_sig.stream"],
        );
        assert_eq!(got, [[""], ["102"], ["103"]]);
    });
}
