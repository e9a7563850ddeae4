//! Traces in and out: recorded times kept, both formats read, broken files survived.

use super::*;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use proptest::prelude::*;
use std::path::PathBuf;

const WALL_NS: u64 = 1_700_000_000_000_000_000;

fn receive(port: &mut PcapPort, now_ns: u64) -> Vec<Vec<u8>> {
    let mut burst = RxBurst::new();
    port.rx_burst(now_ns, &mut burst);
    burst.iter().map(|f| f.to_vec()).collect()
}

fn send(port: &mut PcapPort, frames: &[(u64, Vec<u8>)]) {
    for (start_ns, frame) in frames {
        let mut slots = TxSlots::new();
        port.tx_slots(1, &mut slots);
        slots[0][..frame.len()].copy_from_slice(frame);
        drop(slots);
        let meta = TxMeta {
            len: frame.len() as u16,
            start_ns: *start_ns,
        };
        assert_eq!(port.tx_commit(&[meta]), 1);
    }
}

fn read(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let mut reader = PcapReader::new(File::open(path).expect("opens")).expect("a trace");
    assert_eq!(reader.header().ts_resolution, PcapTsResolution::NanoSecond);
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("whole");
        frames.push((
            packet.timestamp().as_nanos() as u64 - WALL_NS,
            packet.data().to_vec(),
        ));
    }
    frames
}

/// A trace of frames at these offsets from a start, written by the crate's writer.
fn trace(path: &Path, resolution: PcapTsResolution, endianness: Endianness, times_ns: &[u64]) {
    let header = PcapHeader {
        ts_resolution: resolution,
        endianness,
        ..PcapHeader::default()
    };
    let mut writer =
        PcapWriter::with_header(File::create(path).expect("creates"), header).expect("writes");
    for (i, time) in times_ns.iter().enumerate() {
        let at = Duration::from_nanos(WALL_NS + time);
        let packet = PcapPacket::new(at, 60, vec![i as u8; 60]).expect("a packet");
        writer.write_packet(&packet).expect("writes");
    }
}

fn dir() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("in.pcap");
    (dir, path)
}

#[test]
fn frames_come_at_the_recorded_distances() {
    use PcapTsResolution::{MicroSecond, NanoSecond};
    for (resolution, endianness) in [
        (MicroSecond, Endianness::Little),
        (NanoSecond, Endianness::Little),
        (MicroSecond, Endianness::Big),
        (NanoSecond, Endianness::Big),
    ] {
        let (_dir, path) = dir();
        trace(&path, resolution, endianness, &[0, 1000, 1000, 500_000]);
        let mut port = PcapPort::open(Some(&path), None, 1500, 0).expect("opens");
        assert_eq!(receive(&mut port, 7_000_000), [[0; 60]]);
        assert!(receive(&mut port, 7_000_999).is_empty());
        assert_eq!(receive(&mut port, 7_001_000), [[1; 60], [2; 60]]);
        assert!(!port.is_replayed());
        assert_eq!(receive(&mut port, 99_000_000), [[3; 60]]);
        assert!(port.is_replayed() && receive(&mut port, u64::MAX).is_empty());
    }
}

#[test]
fn a_clock_that_ran_backwards_while_recording_keeps_the_order() {
    let (_dir, path) = dir();
    trace(
        &path,
        PcapTsResolution::NanoSecond,
        Endianness::Little,
        &[5000, 0, 6000],
    );
    let mut port = PcapPort::open(Some(&path), None, 1500, 0).expect("opens");
    assert_eq!(receive(&mut port, 0), [[0; 60], [1; 60]]);
    assert_eq!(receive(&mut port, 1000), [[2; 60]]);
}

#[test]
fn pcapng_is_read_too() {
    let (_dir, path) = dir();
    let mut writer = PcapNgWriter::new(File::create(&path).expect("creates")).expect("writes");
    let interface = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0);
    writer.write_pcapng_block(interface).expect("writes");
    for (i, us) in [0u64, 1000].into_iter().enumerate() {
        let packet = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(WALL_NS) + Duration::from_micros(us),
            original_len: 60,
            data: vec![i as u8; 60].into(),
            options: vec![],
        };
        writer.write_pcapng_block(packet).expect("writes");
    }
    drop(writer);
    let mut port = PcapPort::open(Some(&path), None, 1500, 0).expect("opens");
    assert_eq!(receive(&mut port, 0), [[0; 60]]);
    assert!(receive(&mut port, 999_999).is_empty());
    assert_eq!(receive(&mut port, 1_000_000), [[1; 60]]);
}

#[test]
fn sent_frames_are_written_with_their_start() {
    let (dir, _) = dir();
    let path = dir.path().join("out.pcap");
    let mut port = PcapPort::open(None, Some(&path), 1500, WALL_NS).expect("opens");
    assert!(read(&path).is_empty());
    let frames = vec![(1, vec![1; 60]), (1_000_000_007, vec![2; 1514])];
    send(&mut port, &frames);
    drop(port);
    assert_eq!(read(&path), frames);
}

#[test]
fn written_frames_reach_the_file_in_time() {
    let (dir, _) = dir();
    let path = dir.path().join("out.pcap");
    let mut port = PcapPort::open(None, Some(&path), 1500, WALL_NS).expect("opens");
    receive(&mut port, FLUSH_NS);
    send(&mut port, &[(1, vec![1; 60])]);
    receive(&mut port, FLUSH_NS + 1);
    assert_eq!(read(&path).len(), 1);
    send(&mut port, &[(2, vec![1; 60])]);
    receive(&mut port, 2 * FLUSH_NS);
    assert_eq!(read(&path).len(), 1);
    receive(&mut port, 2 * FLUSH_NS + 1);
    assert_eq!(read(&path).len(), 2);
}

#[test]
fn a_frame_above_the_slot_stays_above_the_mtu() {
    let (_dir, path) = dir();
    let file = File::create(&path).expect("creates");
    let mut writer = PcapWriter::new(file).expect("writes");
    let packet = PcapPacket::new(Duration::ZERO, 9000, vec![1; 9000]).expect("a packet");
    writer.write_packet(&packet).expect("writes");
    drop(writer);
    let mut port = PcapPort::open(Some(&path), None, 1500, 0).expect("opens");
    assert_eq!(receive(&mut port, 0), [[1; 2048]]);
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_reason() {
    let (dir, path) = dir();
    let message = |path: &Path| {
        PcapPort::open(Some(path), None, 1500, 0)
            .err()
            .expect("refused")
            .to_string()
    };
    assert!(message(&path).contains("cannot open trace") && message(&path).contains("in.pcap"));
    std::fs::write(&path, "abc").expect("writes");
    assert!(message(&path).contains("shorter than any trace"));
    std::fs::write(&path, "this is not a trace of anything at all").expect("writes");
    assert!(message(&path).contains("is no trace"), "{}", message(&path));
    let header = PcapHeader {
        datalink: DataLink::IEEE802_11,
        ..PcapHeader::default()
    };
    drop(PcapWriter::with_header(File::create(&path).expect("creates"), header).expect("writes"));
    assert!(
        message(&path).contains("link type 105"),
        "{}",
        message(&path)
    );
    let nowhere = dir.path().join("absent/out.pcap");
    let error = PcapPort::open(None, Some(&nowhere), 1500, 0)
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("cannot create trace"), "{error}");
}

#[test]
fn a_trace_that_breaks_off_ends_there_and_says_so() {
    let (_dir, path) = dir();
    trace(
        &path,
        PcapTsResolution::NanoSecond,
        Endianness::Little,
        &[0, 1, 2],
    );
    let whole = std::fs::read(&path).expect("reads");
    std::fs::write(&path, &whole[..whole.len() - 10]).expect("writes");
    let mut port = PcapPort::open(Some(&path), None, 1500, 0).expect("opens");
    assert_eq!(receive(&mut port, 0), [[0; 60]]);
    assert_eq!(receive(&mut port, 9), [[1; 60]]);
    assert!(
        port.describe().contains("breaks off behind frame 2"),
        "{}",
        port.describe()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_octets_behind_a_magic_are_survived(
        ng: bool, octets in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let (_dir, path) = dir();
        let magic = if ng { PCAPNG_MAGIC_OCTETS } else { [0x4d, 0x3c, 0xb2, 0xa1] };
        std::fs::write(&path, [&magic[..], &octets].concat()).expect("writes");
        if let Ok(mut port) = PcapPort::open(Some(&path), None, 1500, 0) {
            for now_ns in [0, u64::MAX] {
                receive(&mut port, now_ns);
            }
        }
    }
}

const PCAPNG_MAGIC_OCTETS: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
