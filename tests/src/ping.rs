//! `ping` beside the test, and which of its requests were answered.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::background::Background;
use crate::namespace::Namespace;

/// Deadline for answers, far above any: the machine may be busy.
const ANSWERS: Duration = Duration::from_secs(20);

/// A ping that runs until [`Self::finish`].
#[derive(Debug)]
pub struct Ping(Background);

/// What became of the requests of a ping up to the last that was answered: those behind it may be on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Sequence number of the last request that was answered.
    pub last: u32,
    /// Requests before that one that were not.
    pub missing: Vec<u32>,
    /// Answers that came twice.
    pub doubled: usize,
}

impl Answered {
    fn read(printed: &str) -> Self {
        let mut seen = BTreeSet::new();
        let mut doubled = 0;
        for line in printed.lines().filter(|line| line.contains(" bytes from ")) {
            let sequence = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix("icmp_seq="));
            if let Some(sequence) = sequence.and_then(|number| number.parse::<u32>().ok())
                && !seen.insert(sequence)
            {
                doubled += 1;
            }
        }
        let last = seen.last().copied().unwrap_or(0);
        let missing = (1..=last).filter(|n| !seen.contains(n)).collect();
        Self {
            last,
            missing,
            doubled,
        }
    }

    /// Fails unless every request was answered, once.
    ///
    /// # Errors
    /// Which were not.
    pub fn whole(&self) -> Result<()> {
        ensure!(
            self.missing.is_empty() && self.doubled == 0,
            "of {} pings {} were not answered: {:?}; {} answers came twice",
            self.last,
            self.missing.len(),
            self.missing,
            self.doubled
        );
        Ok(())
    }
}

impl Ping {
    /// Pings `target` from inside `namespace`, with `interval` seconds between two requests of `size` octets.
    ///
    /// # Errors
    /// There is no answer at all.
    pub fn start(namespace: &Namespace, target: &str, interval: &str, size: u32) -> Result<Self> {
        let mut command = namespace.command("ping")?;
        command.args(["-6", "-n", "-i", interval, "-s", &size.to_string(), target]);
        let ping = Background::start(format!("ping {target}"), command)?;
        let mut ping = Self(ping);
        ping.answers(1)?;
        Ok(ping)
    }

    /// Waits until `more` further requests have been answered.
    ///
    /// # Errors
    /// Not within 20 s.
    pub fn answers(&mut self, more: u32) -> Result<()> {
        let goal = Answered::read(&self.0.stdout()).last + more;
        self.0
            .wait_for(&format!("{more} more answers"), ANSWERS, |ping| {
                (Answered::read(&ping.stdout()).last >= goal).then_some(())
            })
    }

    /// What has been answered so far.
    #[must_use]
    pub fn so_far(&self) -> Answered {
        Answered::read(&self.0.stdout())
    }

    /// Ends it, after the answer to one more request.
    ///
    /// # Errors
    /// None came.
    pub fn finish(mut self) -> Result<Answered> {
        self.answers(1)?;
        Ok(Answered::read(&self.0.interrupt()?))
    }
}
