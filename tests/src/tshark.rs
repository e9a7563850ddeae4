//! tshark as the judge of captures: what it shows of frames, and whether anything in them is malformed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, ensure};

use crate::program::{repository, system};

/// Frames that are malformed, have a wrong checksum, or of which a dissector says that they are in error
/// (`PI_ERROR` of Wireshark's epan/proto.h is 0x800000; warnings, as of a retransmission, are less). The packet inside of
/// an ICMPv6 error is cut short (RFC 4443 2.4 c), so its own checksum cannot hold.
const FAULTY: &str = "_ws.malformed || _ws.short || _ws.lua.error || icmpv6.checksum.status == 0 || \
                      (_ws.expert.severity >= 0x800000 && !(icmpv6.type < 128))";

/// Dissectors that guess by its octets what a TCP or UDP payload is: in random ones they see what is not there.
fn guesses() -> Result<&'static [String]> {
    static GUESSES: OnceLock<Vec<String>> = OnceLock::new();
    if let Some(guesses) = GUESSES.get() {
        return Ok(guesses);
    }
    let listed = system("tshark", &["-G", "heuristic-decodes"])?;
    let guesses: Vec<String> = listed
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|columns| ["tcp", "udp"].contains(&columns[0]))
        .filter_map(|columns| columns.get(1).map(|&name| name.to_owned()))
        .filter(|name| !["dns", "http"].contains(&&**name))
        .collect();
    ensure!(!guesses.is_empty(), "tshark -G heuristic-decodes: {listed}");
    Ok(GUESSES.get_or_init(|| guesses))
}

/// Fields of the frames of a trace that `filter` shows, one line a frame. The PIH is dissected, every checksum checked.
///
/// # Errors
/// tshark failed.
pub fn fields(trace: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let script = format!(
        "lua_script:{}",
        repository().join("docs/wireshark/pinode.lua").display()
    );
    let trace = trace.to_string_lossy();
    let mut arguments = vec!["-X", &script, "-n", "-r", &trace, "-Y", filter];
    for guess in guesses()? {
        arguments.extend(["--disable-protocol", guess]);
    }
    for preference in ["tcp.check_checksum:TRUE", "udp.check_checksum:TRUE"] {
        arguments.extend(["-o", preference]);
    }
    arguments.extend(["-T", "fields"]);
    for field in fields {
        arguments.extend(["-e", field]);
    }
    Ok(system("tshark", &arguments)?
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect())
}

/// Fails if tshark finds anything wrong with a frame of these traces, or one of them has no frames.
///
/// # Errors
/// The first of the faulty frames, and what is wrong with each.
pub fn nothing_malformed(traces: &[PathBuf]) -> Result<()> {
    let names: Vec<&str> = traces.iter().filter_map(|trace| trace.to_str()).collect();
    let counts = system("capinfos", &[&["-M", "-c"], &*names].concat())?;
    let empty = counts
        .lines()
        .filter_map(|line| line.strip_prefix("Number of packets:"))
        .any(|count| count.trim() == "0");
    ensure!(!empty, "a trace has no frames\n{counts}");
    // One behind the other in one file: starting tshark takes longer than reading.
    let folder = tempfile::tempdir()?;
    let all = folder.path().join("all.pcapng");
    let into = all.to_string_lossy();
    system("mergecap", &[&["-a", "-w", &into], &*names].concat())?;
    let shown = [
        "frame.number",
        "frame.protocols",
        "_ws.expert.message",
        "_ws.col.Info",
    ];
    let faulty = fields(&all, FAULTY, &shown)?;
    let first: Vec<String> = faulty.iter().take(10).map(|f| f.join(" | ")).collect();
    ensure!(
        faulty.is_empty(),
        "tshark finds {} frames malformed, such as\n{}\n{counts}",
        faulty.len(),
        first.join("\n")
    );
    Ok(())
}
