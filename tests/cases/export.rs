//! `pinode measure export`: what is written for other testers, run by these testers themselves, is what our own source
//! sends, octet for octet.

mod trex;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_measure::export::{self, Format, Named};
use pinode_measure::source::Source;
use pinode_measure::stream::{Encapsulation, Pattern, Sizes, Stream, StreamSpec, Transport};
use pinode_tests::namespace::Namespace;
use pinode_tests::need::Need;
use pinode_tests::pcap;
use pinode_tests::program::{repository, system};

use crate::Case;

/// Frames of the slowest stream.
const FRAMES: u32 = 60;

pub fn cases() -> Vec<Case> {
    let root = [Need::Root, Need::Command("ip", "iproute2")];
    let with = |need: Need| [&[need][..], &root].concat();
    let scapy = Need::Command("scapy", "python3-scapy");
    vec![
        Case::new(
            "export::tshark_shows_every_field_of_the_trace",
            &[Need::Command("tshark", "tshark")],
            trace,
        ),
        Case::new(
            "export::trafgen_sends_our_frames",
            &with(Need::Command("trafgen", "netsniff-ng")),
            trafgen,
        ),
        Case::new("export::scapy_writes_our_trace", &[scapy], scapy_trace),
        Case::new(
            "export::scapy_sends_our_frames",
            &with(scapy),
            scapy_traffic,
        ),
        Case::new(
            "export::trex_profile_has_our_frames_and_rates",
            &[Need::Command("python3", "python3")],
            trex::profile,
        ),
    ]
}

/// Streams of every kind: sizes, spacing, encapsulation, transport, class.
fn streams() -> Vec<Named> {
    let stream = |id, pi_code, name: &str, rate_fps| {
        let spec = StreamSpec::new(id, pi_code, 79, rate_fps);
        (name.to_owned(), spec)
    };
    let mut streams = [
        stream(1, 1, "ipv6qos", 1000.0),
        stream(2, 2, "can", 3000.0),
        stream(3, 3, "dss", 1000.0 / 0.7),
        stream(4, 1, "router", 1000.0),
        stream(5, 1, "udp \"echo\"", 2000.0),
    ];
    let [_, (_, can), (_, dss), (_, router), (_, udp)] = &mut streams;
    can.sizes = Sizes::Sequence(vec![79, 590, 1518, 79]);
    can.pattern = Pattern::Bursts(3);
    dss.vn = 5;
    dss.sizes = Sizes::Uniform {
        from: 79,
        to: 1518,
        seed: 11,
    };
    router.encapsulation = Encapsulation::Plain;
    router.traffic_class = 46 << 2;
    router.sizes = Sizes::Fixed(128);
    udp.transport = Transport::Udp { from: 49152, to: 7 };
    udp.sizes = Sizes::Uniform {
        from: 87,
        to: 1280,
        seed: 3,
    };
    streams.map(|(name, spec)| Named { name, spec }).into()
}

/// What our own source sends, with the instants at which it is due.
fn source_frames(named: &[Named]) -> Result<Vec<(u64, Vec<u8>)>> {
    let streams = Stream::all(named.iter().map(|named| named.spec.clone()))?;
    let mut source = Source::new(&streams, u32::MAX);
    source.start(0);
    // The slowest stream: FRAMES at 1000 frames/s.
    source.stop(u64::from(FRAMES) * 1_000_000);
    let mut frames = Vec::new();
    while let Some(pending) = source.next(u64::MAX - 1) {
        let due_ns = pending.due_ns();
        let mut frame = vec![0; pending.octets()];
        pending.write(&mut frame);
        frames.push((due_ns, frame));
    }
    ensure!(frames.len() > 400, "only {} frames", frames.len());
    Ok(frames)
}

/// Files of a format in a new folder.
fn exported(format: Format) -> Result<(tempfile::TempDir, Vec<PathBuf>)> {
    let folder = tempfile::tempdir()?;
    let paths = export::write(folder.path(), format, &streams(), FRAMES)?;
    ensure!(paths.iter().all(|path| path.is_file()), "{paths:?}");
    Ok((folder, paths))
}

/// tshark finds nothing malformed, and with the dissector shows PI, VN, stream, sequence and send time of each frame.
fn trace() -> Result<()> {
    let (_folder, paths) = exported(Format::Pcap)?;
    let expected = source_frames(&streams())?;
    ensure!(
        pcap::read(&paths[0])? == expected.iter().map(|(_, f)| f.clone()).collect::<Vec<_>>(),
        "the trace has other frames than the source"
    );
    let script = format!(
        "lua_script:{}",
        repository().join("docs/wireshark/pinode.lua").display()
    );
    let trace = paths[0].to_string_lossy();
    let fields = [
        "frame.time_epoch",
        "pinode.pi",
        "pinode.vn",
        "pinode_sig.stream",
        "pinode_sig.version",
        "pinode_sig.epoch",
        "pinode_sig.sequence",
        "pinode_sig.time",
        "udp.checksum.status",
    ];
    let mut arguments = vec![
        "-X",
        &script,
        "-r",
        &trace,
        "-o",
        "udp.check_checksum:TRUE",
        "-o",
        "udp.try_heuristic_first:TRUE",
        "-T",
        "fields",
        "-E",
        "occurrence=f",
    ];
    arguments.extend(fields.iter().flat_map(|field| ["-e", *field]));
    let printed = system("tshark", &arguments)?;
    let mut next = [0u64; 6];
    for ((due_ns, frame), line) in expected.iter().zip(printed.lines()) {
        // The wire format by the documents: with PIH behind EtherType 0x88B5, plain behind 0x86DD.
        let has_pih = frame[12..14] == [0x88, 0xb5];
        let ip = if has_pih { 15 } else { 14 };
        let is_udp = frame[ip + 6] == 17;
        let stream = usize::from(frame[ip + 3]);
        let pih = |value: u8| {
            if has_pih {
                value.to_string()
            } else {
                String::new()
            }
        };
        let wanted = [
            format!("{}.{:09}", due_ns / 1_000_000_000, due_ns % 1_000_000_000),
            pih(frame[14] >> 5),
            pih(frame[14] & 0x1f),
            stream.to_string(),
            "1".into(),
            "0".into(),
            next[stream].to_string(),
            due_ns.to_string(),
            // tshark: 1 is good.
            if is_udp { "1".into() } else { String::new() },
        ];
        let shown: Vec<&str> = line.split('\t').collect();
        ensure!(
            shown == wanted,
            "tshark shows {shown:?}\nthe frame has {wanted:?}"
        );
        next[stream] += 1;
    }
    ensure!(printed.lines().count() == expected.len(), "{printed}");
    let malformed = system(
        "tshark",
        &[
            "-X",
            &script,
            "-r",
            &trace,
            "-Y",
            "_ws.malformed || _ws.expert.severity >= \"Warning\"",
        ],
    )?;
    ensure!(malformed.is_empty(), "{malformed}");
    Ok(())
}

/// A cable whose far end sees what is sent.
fn cable() -> Result<Namespace> {
    let namespace = Namespace::new()?;
    namespace.veth("near", "far", 1600)?;
    Ok(namespace)
}

/// What comes out of the cable while `command` runs must be what our source sends.
fn sends_our_frames(namespace: &Namespace, mut command: Command) -> Result<()> {
    let expected = source_frames(&streams())?;
    let socket = namespace.packet_socket("far")?;
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let mut buffer = [0; 2048];
    let mut came = Vec::new();
    while let Some(frame) = socket.receive(&mut buffer, Duration::from_millis(500))? {
        came.push(frame.to_vec());
    }
    ensure!(
        came.len() == expected.len(),
        "{} frames came of {}",
        came.len(),
        expected.len()
    );
    for (number, (came, (_, expected))) in came.iter().zip(&expected).enumerate() {
        ensure!(
            came == expected,
            "frame {number} is {came:02x?}\nnot {expected:02x?}"
        );
    }
    Ok(())
}

/// By the command line that the configuration itself gives.
fn trafgen() -> Result<()> {
    let (_folder, paths) = exported(Format::Trafgen)?;
    let text = fs::read_to_string(&paths[0])?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("#   trafgen "))
        .context("the configuration does not say how to send it")?;
    let namespace = cable()?;
    let mut command = namespace.command("trafgen")?;
    command.args(line.split(' ').map(|word| match word {
        "IF" => "near",
        "streams.cfg" => paths[0].to_str().unwrap_or_default(),
        word => word,
    }));
    sends_our_frames(&namespace, command)
}

/// The interpreter of the system: the one that Debian's Scapy is for.
const PYTHON: &str = "/usr/bin/python3";

fn scapy_trace() -> Result<()> {
    let (folder, paths) = exported(Format::Scapy)?;
    let trace = folder.path().join("scapy.pcap");
    run(PYTHON, &[&paths[0], Path::new("--pcap"), &trace])?;
    let (_ours, ours) = exported(Format::Pcap)?;
    let (ours, theirs) = (fs::read(&ours[0])?, fs::read(&trace)?);
    // Behind the file's header: times, lengths, frames.
    ensure!(
        ours[..4] == theirs[..4],
        "the trace of Scapy is not in nanoseconds"
    );
    ensure!(
        ours[24..] == theirs[24..],
        "the trace of Scapy has other frames or times; octet {:?} differs",
        ours.iter().zip(&theirs).skip(24).position(|(a, b)| a != b)
    );
    Ok(())
}

fn scapy_traffic() -> Result<()> {
    let (_folder, paths) = exported(Format::Scapy)?;
    let namespace = cable()?;
    let mut command = namespace.command(PYTHON)?;
    command.arg(&paths[0]).args(["--interface", "near"]);
    sends_our_frames(&namespace, command)
}

/// Runs a program to a successful end and gives what it printed.
fn run(program: &str, arguments: &[&Path]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        // No compiled copies beside the files.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .with_context(|| format!("start {program}"))?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
