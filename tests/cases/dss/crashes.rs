//! Whatever dies, daemon or guest, of a node or a host: nothing of a call is left, and calls are set up again.

use anyhow::{Context as _, Result, anyhow, ensure};
use pinode_tests::poll::until;
use rustix::process::{Pid, Signal, kill_process};

use super::bed::{Bed, Plan, SOON, address, succeeded};
use super::needs;
use super::streams::{events, film};
use crate::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "dss::crashes::daemons_of_nodes_and_hosts_die_and_leave_nothing",
            &needs(),
            daemons_die,
        ),
        Case::new(
            "dss::crashes::connections_outlive_a_guest",
            &needs(),
            guests_die,
        ),
    ]
}

/// A connection is set up and released.
fn works(bed: &Bed, to: &str) -> Result<()> {
    until("a call to be set up again", SOON, || {
        let connect = ["connect", to, "--rate", "30Mbps", "--times", "1"];
        let output = bed.hosts[0].dss(&connect, b"");
        let output = output.map_err(|error| format!("{error:#}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(said)
        }
    })
}

fn daemons_die() -> Result<()> {
    let mut bed = Bed::start(&Plan::default())?;
    let to = address(2, 1);
    let mut listener = bed.hosts[1].start(&["listen", &to, "--json"])?;
    events(&mut listener, "listening", 1)?;
    for dead in 0..3 {
        let mut callers = Vec::new();
        for _ in 0..5 {
            let mut caller = bed.hosts[0].start(&["connect", &to, "--rate", "5Mbps", "--json"])?;
            events(&mut caller, "connected", 1)?;
            callers.push(caller);
        }
        match bed.nodes.get(dead) {
            Some(node) => {
                let before = bed.shown(node)?;
                ensure!(before["reserved"] == 5, "{before}");
                let process = before["process"].as_i64().context("no process")?;
                let process = Pid::from_raw(i32::try_from(process)?).context("no process")?;
                kill_process(process, Signal::KILL)?;
                until("another daemon", SOON, || {
                    let shown = bed.shown(node).map_err(|error| format!("{error:#}"))?;
                    let other = shown["process"] != before["process"];
                    other.then_some(()).ok_or(shown.to_string())
                })?;
            }
            None => bed.hosts[0].kill_daemon()?,
        }
        for mut caller in callers {
            until("callers to be told", SOON, || match caller.ended() {
                Ok(true) => Ok(()),
                Ok(false) => Err(caller.stderr()),
                Err(error) => Err(error.to_string()),
            })?;
        }
        events(&mut listener, "closed", 6 * dead + 5)?;
        bed.wait_up()?;
        bed.wait_nothing_left()?;
        works(&bed, &to)?;
        events(&mut listener, "closed", 6 * dead + 6)?;
    }
    bed.wait_nothing_left()
}

fn guests_die() -> Result<()> {
    let bed = Bed::start(&Plan::default())?;
    let [first, second] = &bed.hosts;
    let to = address(2, 1);
    let mut listener = second.start(&["pipe", "--listen", &to])?;
    let film = film(1_000_000);
    // Four seconds of it.
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            until("the film to be sent", SOON, || {
                let output = first
                    .dss(&["pipe", &to, "--rate", "2Mbps"], &film)
                    .map_err(|error| format!("{error:#}"))?;
                succeeded(&output).map_err(|error| format!("{error:#}"))
            })
        });
        listener.wait_for("a call", SOON, |listener| {
            listener.stderr().contains("accepted").then_some(())
        })?;
        for node in &bed.nodes {
            node.succeed(&["guest", "restart", "dss"])?;
            node.wait_guest("dss", "running", 1)?;
            let shown = bed.shown(node)?;
            ensure!(shown["daemon"]["call_count"] == 1, "{shown}");
            ensure!(shown["switched"] == 1 && shown["reserved"] == 1, "{shown}");
        }
        sender.join().map_err(|_| anyhow!("the sender panicked"))?
    });
    sent?;
    until("the film to end", SOON, || match listener.ended() {
        Ok(true) => Ok(()),
        Ok(false) => Err("it goes on".to_owned()),
        Err(error) => Err(error.to_string()),
    })?;
    let received = std::fs::read(listener.folder().join("stdout"))?;
    ensure!(
        received.len() > film.len() / 2 && received.ends_with(&film[film.len() - 5_000..]),
        "{} octets, and not the end: {}",
        received.len(),
        listener.stderr()
    );
    bed.wait_up()?;
    bed.wait_nothing_left()?;
    let mut listener = second.start(&["listen", &to, "--json"])?;
    events(&mut listener, "listening", 1)?;
    works(&bed, &to)?;
    bed.wait_nothing_left()
}
