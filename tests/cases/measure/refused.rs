//! What `pinode measure` refuses: the exit code, the place, what is allowed, and nothing left behind.

use std::fs;

use anyhow::{Result, ensure};
use pinode_tests::program;

use super::said;

/// The command ended with `code` and said all of `words` in one line; nothing is in `out`.
fn expect(arguments: &[&str], code: i32, words: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let out_text = out.to_string_lossy().into_owned();
    let mut all = vec!["measure"];
    all.extend(arguments);
    all.extend(["--out", &out_text]);
    let output = program::run(&all)?;
    let stderr = said(&output);
    ensure!(
        output.status.code() == Some(code),
        "{arguments:?} ended with {}, not {code}: {stderr}",
        output.status
    );
    let has = |line: &str| words.iter().all(|word| line.contains(word));
    // clap tells what is allowed on a line of its own.
    ensure!(
        stderr.lines().any(has) || has(&stderr.replace('\n', " ")),
        "{arguments:?}: nothing says {words:?}:\n{stderr}"
    );
    ensure!(
        output.stdout.is_empty() && !stderr.contains("panicked"),
        "{stderr}"
    );
    ensure!(!out.exists(), "{arguments:?} left {} behind", out.display());
    Ok(())
}

pub fn refused() -> Result<()> {
    let tests = ["throughput", "back_to_back", "saturation"];
    expect(&["--test", "speed"], 2, &[&["speed"][..], &tests].concat())?;
    expect(
        &["--profile", "fast"],
        2,
        &["fast", "quick", "rfc2544", "seed"],
    )?;
    expect(&["--sizes", "40"], 2, &["--sizes", "40", "octets with FCS"])?;
    expect(&["--sizes", "78"], 2, &["78", "79 to 9018"])?;
    expect(&["--sizes", "1519"], 2, &["1519", "up to 1518"])?;
    expect(&["--sizes", "imix:"], 2, &["imix:", "allowed"])?;
    expect(&["--rate", "2Gbps"], 2, &["--rate", "1Gbps"])?;
    expect(&["--rate", "fast"], 2, &["fast", "allowed", "100Mbps"])?;
    expect(&["--duration", "0s"], 2, &["--duration", "1ms to 2592000s"])?;
    expect(&["--loss-ratio", "1"], 2, &["--loss-ratio", "below 1"])?;
    expect(&["--resolution", "0"], 2, &["--resolution", "above 0"])?;
    expect(&["--repeat", "0"], 2, &["--repeat", "1..=1000"])?;
    expect(&["--stream", "pi=atm"], 2, &["pi=atm", "ipv6qos, can, dss"])?;
    expect(
        &["--stream", "colour=red"],
        2,
        &["colour", "allowed", "rate="],
    )?;
    expect(&["--tx", "a"], 2, &["--rx"])?;
    expect(&["--capacity", "1Gbps"], 2, &["--tx"])?;
    expect(
        &["-c", "node.toml", "--tx", "a", "--rx", "b"],
        2,
        &["--config", "cannot be used with"],
    )
}

pub fn configuration() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("node.toml");
    let text = file.to_string_lossy().into_owned();
    expect(&["-c", &text], 2, &["node.toml", "cannot be read"])?;
    fs::write(&file, "[node]\nname = \"n\"\ncolour = 1\n")?;
    expect(&["-c", &text], 2, &["node.colour"])
}

pub fn no_results() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (other, cut, good) = (path("other.json"), path("cut.json"), path("good.json"));
    let right = r#"{"schema":"pinode-results/1","host":{"cpu":"","cores":1,"kvm":"","kernel":""},"profile":"quick","path":"memory","trials":[],"throughput":[],"cpu_fit":[]}"#;
    fs::write(&good, right)?;
    fs::write(&other, right.replace("results/1", "results/9"))?;
    fs::write(&cut, &right[..right.len() / 2])?;
    for (arguments, words) in [
        (
            vec!["compare", &good, &other],
            vec!["other.json", "pinode-results/9", "pinode-results/1"],
        ),
        (vec!["compare", &good, &cut], vec!["cut.json", "cut off"]),
        (
            vec!["compare", &good, "/nowhere.json"],
            vec!["/nowhere.json", "cannot be read"],
        ),
    ] {
        let mut all = vec!["measure"];
        all.extend(arguments);
        let output = program::run(&all)?;
        let stderr = said(&output);
        ensure!(
            matches!(output.status.code(), Some(1 | 2)),
            "{all:?}: {}",
            output.status
        );
        ensure!(
            words.iter().all(|word| stderr.contains(word)),
            "{all:?}: {stderr}"
        );
        ensure!(
            output.stdout.is_empty() && !stderr.contains("panicked"),
            "{stderr}"
        );
    }
    Ok(())
}

/// A table of another tester that was cut off gives no results, and leaves none.
pub fn truncated_table() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("theirs.csv");
    let whole = "frame_size,pi,throughput_fps\n79,can,420000\n128,can,280000\n";
    fs::write(&file, &whole[..whole.len() - 12])?;
    let out = folder.path().join("out");
    let (file, out_text) = (file.to_string_lossy(), out.to_string_lossy());
    let output = program::run(&["measure", "import", &file, "--out", &out_text])?;
    let stderr = said(&output);
    ensure!(
        output.status.code() == Some(2),
        "{}: {stderr}",
        output.status
    );
    ensure!(
        stderr.contains("theirs.csv") && stderr.contains("line 3"),
        "{stderr}"
    );
    ensure!(!out.exists() && output.stdout.is_empty(), "{stderr}");
    Ok(())
}

pub fn unwritable() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "kept")?;
    // Not even root writes below a file.
    let out = file.join("out").to_string_lossy().into_owned();
    let output = program::run(&["measure", "--isolation", "thread", "--out", &out])?;
    let stderr = said(&output);
    ensure!(
        output.status.code() == Some(1),
        "{}: {stderr}",
        output.status
    );
    ensure!(
        stderr.contains(&out) && stderr.contains("--out"),
        "{stderr}"
    );
    ensure!(fs::read_to_string(&file)? == "kept");
    Ok(())
}
