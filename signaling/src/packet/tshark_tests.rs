//! Wireshark's own reader as judge of frames.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::{format, string::String, vec::Vec};

use super::frame::{self, Header};

/// What tshark prints of a frame: the fields, by commas. None, and said so: it is not here.
fn tshark(test: &str, frame: &[u8], fields: &[&str]) -> Option<String> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r", "-", "-d", "mpls.label==74565,pwmcw"]);
    command.args(["-T", "fields", "-E", "separator=,"]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
        let why = format!("skipped: {test}: no tshark; get it by `apt-get install tshark`");
        assert!(!is("CI", "true") && !is("PINODE_REQUIRE", "all"), "{why}");
        // Past the harness, which would keep the line of a test that passes.
        let _ = writeln!(std::io::stderr(), "\n{why}");
        return None;
    };
    // A file of libpcap: version 2.4, Ethernet, one frame.
    let length = u32::try_from(frame.len()).expect("a short frame");
    let numbers = [
        0xa1b2_c3d4,
        0x0004_0002,
        0,
        0,
        65_535,
        1,
        0,
        0,
        length,
        length,
    ];
    let mut file: Vec<u8> = numbers.iter().flat_map(|n: &u32| n.to_le_bytes()).collect();
    file.extend(frame);
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&file).expect("tshark reads");
    drop(stdin);
    let output = child.wait_with_output().expect("tshark ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8_lossy(&output.stdout).trim().into())
}

#[test]
fn tshark_reads_labels_and_control_word() {
    let header = Header {
        label: 0x12345,
        class: 5,
        ttl: 64,
        sequence: 0x4321,
    };
    let mut octets = Vec::new();
    frame::write([2, 0, 0, 0, 1, 9], header, b"payload", &mut octets);
    octets.resize(60, 0);
    let fields = [
        "eth.dst",
        "mpls.label",
        "mpls.exp",
        "mpls.bottom",
        "mpls.ttl",
        "pwmcw.length",
        "pwmcw.sequence_number",
    ];
    if let Some(read) = tshark("tshark_reads_labels_and_control_word", &octets, &fields) {
        assert_eq!(read, "ff:ff:ff:ff:ff:ff,74565,5,1,64,11,17185");
    }
}
