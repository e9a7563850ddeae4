//! The vhost-user path with a host that paces frames and measures latency: `bench/pvp-latency/latency.c`.

use std::path::Path;
use std::time::Duration;

use crate::latency::{Arm, Cells, Load, Trial};

use super::process::{Launch, Process, ProcessError};
use super::pvp::{self, FCS, Place, Socket};
use super::testpmd::Testpmd;
use super::variant::Variant;

/// A running pair: our host, a `testpmd` as guest.
pub struct Pacer {
    // In this order: the guest lets go of the socket first.
    _guest: Testpmd,
    host: Process,
    _socket: Socket,
}

impl Pacer {
    /// Starts both; frames have `size` octets, with FCS. `program` is the built `latency.c`.
    ///
    /// # Errors
    /// One of them cannot be run or ended.
    pub fn start(
        place: &Place,
        variant: Variant,
        size: u16,
        program: &Path,
    ) -> Result<Self, ProcessError> {
        let socket = Socket::at(&place.run_dir);
        let vhost = format!("net_vhost0,iface={},queues=1", socket.path().display());
        let octets = size.saturating_sub(FCS).to_string();
        let mut host = Process::start(&Launch {
            name: "pacer",
            program,
            lcores: format!("0@{}", place.host_cpu),
            vdevs: &[vhost],
            eal: variant.eal(),
            own: &[&octets],
            huge_dir: &place.huge_dir,
            farewell: &[],
        })?;
        host.hear("start", Duration::ZERO, |line| {
            line.text.contains("listening").then_some(())
        })?;
        let guest = pvp::guest(place, &socket, variant)?;
        Ok(Self {
            _guest: guest,
            host,
            _socket: socket,
        })
    }
}

impl Arm for Pacer {
    fn trial(&mut self, load: Load) -> anyhow::Result<Trial> {
        let command = format!(
            "{} {} {}",
            load.fps,
            load.warm_up.as_secs_f64(),
            load.span.as_secs_f64()
        );
        self.host.tell(&command)?;
        let answer = self.host.hear(&command, load.warm_up + load.span, |line| {
            line.text.strip_prefix("trial ").map(str::to_owned)
        })?;
        parse(&answer).ok_or_else(|| self.host.garbled(&command, &answer).into())
    }
}

/// `HZ DUE LATE LOST RECEIVED CELL:COUNT,...`
fn parse(answer: &str) -> Option<Trial> {
    let mut words = answer.split_whitespace();
    let hz: u64 = words.next()?.parse().ok()?;
    let mut count = || words.next()?.parse::<u64>().ok();
    let (due, late, lost, received) = (count()?, count()?, count()?, count()?);
    let mut cells = Cells::new(hz);
    for pair in words
        .next()
        .unwrap_or("")
        .split(',')
        .filter(|p| !p.is_empty())
    {
        let (cell, frames) = pair.split_once(':')?;
        cells.add(cell.parse().ok()?, frames.parse().ok()?)?;
    }
    Some(Trial {
        due,
        late,
        lost,
        received,
        cells,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let trial = parse("1000000000 110 4 6 100 10:60,20:40,").unwrap();
        assert_eq!(
            (trial.due, trial.late, trial.lost, trial.received),
            (110, 4, 6, 100)
        );
        assert_eq!(trial.cells.frames(), 100);
        assert_eq!(trial.cells.quantile_ns(0.5), 10.0);
        assert_eq!(trial.cells.quantile_ns(0.99), 20.0);
        assert!(parse("1000 0 0 0 0").is_some_and(|t| t.cells.frames() == 0));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for text in [
            "",
            "1 2 3",
            "1 2 3 4 5 6",
            "1 2 3 4 5 6:x",
            "1 2 3 4 5 999999:1",
        ] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }
}
