//! `pinode measure -c` of a node with the default guest: a figure with one command, without an address by hand.

use std::fs;

use anyhow::{Context, Result, ensure};
use pinode_tests::program;

use super::{array, delivered, number, said, sums_hold};

/// As the beginning of docs/ipv6.md has it: two links, an address on each, maybe a default route.
fn node(mode: &str, route: &str) -> String {
    let port = |name| {
        format!(
            "[[port]]\nname = \"{name}\"\nbackend = \"memory:{name}\"\n{mode}\ncapacity = \"1Gbps\"\n\
             [port.cycle]\nphases = [{{ pi = \"ipv6qos\", for = \"100us\" }}]\n"
        )
    };
    let (west, east) = (port("west"), port("east"));
    format!(
        "[node]\nname = \"n\"\n{west}{east}[pi.ipv6qos]\ncode = 1\nethertype = 0x86DD\n\
         [pi.ipv6qos.config.interface]\n\
         west = {{ address = [\"2001:db8:1::1/64\"] }}\neast = {{ address = [\"2001:db8:2::1/64\"] }}\n{route}"
    )
}

const TRUNK: &str = "mode = \"trunk\"";
const ACCESS: &str = "mode = \"access\"\npi = \"ipv6qos\"\nvn = 0";
const DEFAULT_ROUTE: &str =
    "[[pi.ipv6qos.config.route]]\nprefix = \"default\"\nvia = \"2001:db8:2::9\"\n";

/// At a low rate every frame comes out of the other port, both ways: to hosts of a link, and to networks behind it.
pub fn nothing_lost(isolation: &str) -> Result<()> {
    for (mode, route, sizes) in [
        (TRUNK, "", "79,512"),
        (TRUNK, DEFAULT_ROUTE, "79,87"),
        (ACCESS, DEFAULT_ROUTE, "128"),
    ] {
        let folder = tempfile::tempdir()?;
        let (file, out) = (folder.path().join("node.toml"), folder.path().join("out"));
        fs::write(&file, node(mode, route))?;
        let (file, out_text) = (file.to_string_lossy(), out.to_string_lossy());
        let line =
            "--test latency --duration 300ms --repeat 1 --quick --bidirectional --rate 5kfps";
        let mut words = vec!["measure", "-c", &file, "--isolation", isolation];
        words.extend(line.split(' '));
        words.extend(["--sizes", sizes, "--out", &out_text]);
        let output = program::run(&words)?;
        ensure!(
            output.status.success(),
            "{mode}, {route:?}: {}: {}",
            output.status,
            said(&output)
        );
        let results = delivered(&out)?;
        sums_hold(&results)?;
        let valid = array(&results, "trials")?
            .iter()
            .filter(|trial| trial["refused"] == false);
        let mut streams = 0;
        for trial in valid {
            for stream in array(trial, "streams")? {
                let found = |key| number(stream, key);
                ensure!(
                    found("received")? > 500 && found("lost")? == 0 && found("corrupted")? == 0,
                    "{mode}, {route:?}: {stream}"
                );
                ensure!(
                    found("duplicated")? == 0 && found("reordered")? == 0,
                    "{mode}, {route:?}: {stream}"
                );
                streams += 1;
            }
        }
        ensure!(streams >= 2, "{mode}, {route:?}: every trial was refused");
        // Whom the router was told of is in the results.
        let notes = array(&results, "notes")?;
        let notes: Vec<_> = notes.iter().filter_map(|note| note.as_str()).collect();
        let neighbour = if route.is_empty() {
            "2001:db8:2::2"
        } else {
            "2001:db8:2::9"
        };
        notes
            .iter()
            .find(|note| note.contains(neighbour) && note.contains("ipv6 neigh"))
            .with_context(|| format!("no note names {neighbour}: {notes:?}"))?;
    }
    Ok(())
}

/// Nothing leads to the other port: said before anything is booted, with what to do.
pub fn unrouted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (file, out) = (folder.path().join("node.toml"), folder.path().join("out"));
    let text = node(TRUNK, "").replace("east = { address = [\"2001:db8:2::1/64\"] }", "");
    fs::write(&file, text)?;
    let (file, out_text) = (file.to_string_lossy(), out.to_string_lossy());
    let output = program::run(&["measure", "-c", &file, "--out", &out_text])?;
    let stderr = said(&output);
    ensure!(
        output.status.code() == Some(2),
        "{}: {stderr}",
        output.status
    );
    for words in [
        "sends nothing that comes in at west out of east",
        "allowed: an address on east",
    ] {
        ensure!(stderr.contains(words), "{stderr}");
    }
    ensure!(!out.exists() && output.stdout.is_empty(), "{stderr}");
    Ok(())
}
