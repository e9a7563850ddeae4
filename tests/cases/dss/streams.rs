//! Connections carry what they are given, are refused with a cause, and leave nothing.

use anyhow::{Context as _, Result, ensure};
use pinode_tests::background::Background;
use serde_json::Value;

use super::bed::{Bed, Plan, SOON, address, failed, succeeded};
use super::needs;
use crate::Case;

/// Set up and released one after the other.
const CALLS: u64 = 500;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "dss::streams::a_file_crosses_two_nodes",
            &needs(),
            file_crosses,
        ),
        Case::new(
            "dss::streams::five_connections_are_released_from_either_side",
            &needs(),
            five_connections,
        ),
        Case::new(
            "dss::streams::calls_are_refused_with_their_cause",
            &needs(),
            refusals,
        ),
        Case::new(
            "dss::streams::hundreds_of_calls_leak_nothing",
            &needs(),
            many_calls,
        ),
    ]
}

/// Octets that no part of which is like another.
pub fn film(octets: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(octets).collect()
}

/// The documents that a command has printed so far.
pub fn documents(command: &Background) -> Vec<Value> {
    let stdout = command.stdout();
    let whole = stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    whole.collect()
}

/// Waits until so many events of this kind were printed; all of them.
pub fn events(command: &mut Background, event: &str, count: usize) -> Result<Vec<Value>> {
    command.wait_for(event, SOON, |command| {
        let all = documents(command);
        let of_kind: Vec<Value> = all
            .into_iter()
            .filter(|one| one["event"] == event)
            .collect();
        (of_kind.len() >= count).then_some(of_kind)
    })
}

fn file_crosses() -> Result<()> {
    let bed = Bed::start(&Plan::default())?;
    let [first, second] = &bed.hosts;
    let film = film(2_000_000);
    let to = address(2, 7);
    let mut listener = second.start(&["pipe", "--listen", &to])?;
    // It listens when a call to it is not refused any more; that call is the film's.
    let sent = pinode_tests::poll::until("the film to be sent", SOON, || {
        let output = first
            .dss(&["pipe", &to, "--rate", "12Mbps"], &film)
            .map_err(|error| format!("{error:#}"))?;
        succeeded(&output).map_err(|error| format!("{error:#}"))
    });
    sent?;
    listener.wait_for("the listener", SOON, |listener| {
        listener.stderr().contains("accepted").then_some(())
    })?;
    let folder = listener.folder().join("stdout");
    let received = pinode_tests::poll::until("the film to be received", SOON, || {
        let received = std::fs::read(&folder).map_err(|error| error.to_string())?;
        if received.len() >= film.len() {
            Ok(received)
        } else {
            Err(received.len().to_string())
        }
    })
    .with_context(|| listener.stderr())?;
    ensure!(received == film, "other octets were received");
    listener.finish(SOON)?;
    bed.wait_nothing_left()?;

    // One that is ended in mid-stream does not say that all came.
    let mut listener = second.start(&["pipe", "--listen", &to])?;
    let sender = std::thread::scope(|scope| -> Result<()> {
        let sent = scope.spawn(|| {
            pinode_tests::poll::until("the call to be accepted", SOON, || {
                let output = first.dss(&["pipe", &to, "--rate", "500kbps"], &film);
                let output = output.map_err(|error| format!("{error:#}"))?;
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                said.contains("connected").then_some(()).ok_or(said)
            })
        });
        let folder = listener.folder().join("stdout");
        listener.wait_for("a part of the film", SOON, |_| {
            let came = std::fs::metadata(&folder).is_ok_and(|stdout| stdout.len() > 0);
            came.then_some(())
        })?;
        let (code, said) = listener.terminate()?;
        ensure!(code == 143 && said.contains("signal 15"), "{code}: {said}");
        sent.join().map_err(|_| anyhow::anyhow!("the sender"))?
    });
    sender?;
    bed.wait_nothing_left()
}

fn five_connections() -> Result<()> {
    let bed = Bed::start(&Plan::default())?;
    let [first, second] = &bed.hosts;
    let to = address(2, 1);
    let mut listener = second.start(&["listen", &to, "--json"])?;
    events(&mut listener, "listening", 1)?;
    let mut callers = Vec::new();
    for _ in 0..5 {
        let mut caller = first.start(&[
            "connect", &to, "--rate", "5Mbps", "--back", "1Mbps", "--json",
        ])?;
        events(&mut caller, "connected", 1)?;
        callers.push(caller);
    }
    let accepted = events(&mut listener, "accepted", 5)?;
    for one in &accepted {
        ensure!(
            one["peer"]
                .as_str()
                .is_some_and(|peer| peer.replace('.', "") == first.address),
            "{one}"
        );
        ensure!(one["qos"]["receive"]["peak"]["bits"] == 5_000_000, "{one}");
        ensure!(one["qos"]["transmit"]["peak"]["bits"] == 1_000_000, "{one}");
    }
    for node in &bed.nodes {
        let shown = bed.shown(node)?;
        ensure!(shown["daemon"]["call_count"] == 5, "{shown}");
        ensure!(
            shown["switched"] == 10 && shown["reserved"] == 10,
            "{shown}"
        );
    }
    // Two by who called, one by an operator of a node, two by who was called.
    for caller in callers.drain(..2) {
        caller.interrupt()?;
    }
    events(&mut listener, "closed", 2)?;
    let shown = bed.shown(&bed.nodes[1])?;
    let call = shown["daemon"]["calls"][0]["id"].to_string();
    bed.nodes[1].succeed(&["dss", "close", &call])?;
    events(&mut listener, "closed", 3)?;
    listener.interrupt()?;
    for mut caller in callers {
        pinode_tests::poll::until("callers to end", SOON, || match caller.ended() {
            Ok(true) => Ok(()),
            Ok(false) => Err("still there".to_owned()),
            Err(error) => Err(error.to_string()),
        })?;
    }
    bed.wait_nothing_left()
}

fn refusals() -> Result<()> {
    let bed = Bed::start(&Plan::default())?;
    let [first, second] = &bed.hosts;
    let to = address(2, 1);
    let refused = |to: &str, rate: &str| -> Result<String> {
        failed(&first.dss(&["connect", to, "--rate", rate], b"")?)
    };
    let says = |said: String, cause: &str| {
        ensure!(said.contains(cause), "{said}, and not {cause}");
        Ok(())
    };
    says(refused(&to, "1Mbps")?, "cause 18")?;
    says(refused(&"49".repeat(20), "1Mbps")?, "cause 3")?;
    says(refused(&address(1, 9), "1Mbps")?, "cause 18")?;
    let mut listener = second.start(&["listen", &to, "--json"])?;
    events(&mut listener, "listening", 1)?;
    says(refused(&to, "99Mbps")?, "cause 37")?;
    let words = "(port east: peak rate 99000000 bit/s is ";
    says(refused(&to, "99Mbps")?, words)?;
    // As much as there is, and one too many.
    let mut holder = first.start(&["connect", &to, "--rate", "30Mbps", "--json"])?;
    events(&mut holder, "connected", 1)?;
    says(refused(&to, "10Mbps")?, "cause 37")?;
    let mut best_effort = first.start(&["connect", &to, "--ubr", "--rate", "10Mbps", "--json"])?;
    events(&mut best_effort, "connected", 1)?;
    holder.interrupt()?;
    best_effort.interrupt()?;
    bed.wait_nothing_left()?;
    let mut again = first.start(&["connect", &to, "--rate", "30Mbps", "--json"])?;
    events(&mut again, "connected", 1)?;
    again.interrupt()?;
    bed.wait_nothing_left()
}

fn many_calls() -> Result<()> {
    let bed = Bed::start(&Plan::default())?;
    let [first, second] = &bed.hosts;
    let to = address(2, 1);
    let mut listener = second.start(&["listen", &to])?;
    listener.wait_for("the listener", SOON, |listener| {
        listener.stdout().contains("listening").then_some(())
    })?;
    let count = CALLS.to_string();
    let connect = [
        "connect",
        &to,
        "--rate",
        "3Mbps",
        "--json",
        "--at-once",
        "8",
        "--times",
    ];
    succeeded(&first.dss(&[&connect[..], &["10"]].concat(), b"")?)?;
    bed.wait_nothing_left()?;
    let before = [
        bed.descriptors(&bed.nodes[0])?,
        bed.descriptors(&bed.nodes[1])?,
    ];
    let said = succeeded(&first.dss(&[&connect[..], &[&count]].concat(), b"")?)?;
    let said: Value = serde_json::from_str(&said)?;
    ensure!(said["calls"] == CALLS, "{said}");
    bed.wait_nothing_left()?;
    for (node, before) in bed.nodes.iter().zip(before) {
        pinode_tests::poll::until("descriptors to be closed", SOON, || {
            let after = bed
                .descriptors(node)
                .map_err(|error| format!("{error:#}"))?;
            (after == before)
                .then_some(())
                .ok_or(format!("{before} before, {after} after"))
        })?;
    }
    Ok(())
}
