//! `pinode measure`: from what is written to what is measured, and to an exit code.

pub mod args;
mod files;

use std::ops::RangeInclusive;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use self::args::{Measure, MeasureCommand, MeasureRun};
use super::failure::Failure;
use super::{log, print};
use crate::config::Nanoseconds;
use crate::measure::asked::{Asked, Under};
use crate::measure::{self, Ended, MeasureError, PlanError};
use crate::words::quoted;

/// A shell's for a command that ended by SIGINT.
const INTERRUPTED: u8 = 130;

/// How long a trial may be: of a shorter one no rate can be said, and a longer one than 30 days is a slip of the pen.
const TRIAL_NS: RangeInclusive<u64> = 1_000_000..=2_592_000_000_000_000;

/// Does what is asked.
pub(super) fn measure(args: Measure) -> Result<(), Failure> {
    match args.command {
        Some(MeasureCommand::Compare(args)) => files::compare(args),
        Some(MeasureCommand::Serve(args)) => files::serve(args),
        Some(MeasureCommand::Export(args)) => files::export(args),
        Some(MeasureCommand::Import(args)) => files::import(args),
        None => run(args.run),
    }
}

fn run(args: MeasureRun) -> Result<(), Failure> {
    log(LevelFilter::WARN)?;
    let Ended { text, is_partial } = match measure::run(&asked(args)?) {
        Err(error @ MeasureError::Interrupted) => {
            eprintln!("pinode: {error}");
            return Err(Failure::Said(INTERRUPTED));
        }
        ended => ended?,
    };
    print(&text)?;
    if is_partial {
        return Err(Failure::Said(INTERRUPTED));
    }
    Ok(())
}

impl From<MeasureError> for Failure {
    fn from(error: MeasureError) -> Self {
        match error {
            MeasureError::Plan(PlanError::Config(error)) => Self::Config(error),
            // What is not there may be there tomorrow; what is asked stays right.
            MeasureError::Plan(error) if error.is_of_the_machine() => Self::Failed(error.into()),
            MeasureError::Plan(error) => Self::Usage(error.to_string()),
            MeasureError::Interrupted => Self::Said(INTERRUPTED),
            MeasureError::Failed(error) => Self::Failed(error),
        }
    }
}

fn asked(args: MeasureRun) -> Result<Asked, Failure> {
    if let Some(asked @ Nanoseconds(ns)) = args.duration
        && !TRIAL_NS.contains(&ns)
    {
        return Err(Failure::Usage(format!(
            "--duration {asked}: allowed: 1ms to 2592000s"
        )));
    }
    if args.resolution.is_some_and(|share| share.0 <= 0.0) {
        return Err(Failure::Usage(
            "--resolution 0: allowed: above 0 and below 1, such as 0.5%".to_owned(),
        ));
    }
    let under = match (args.tx, args.rx) {
        (Some(tx), Some(rx)) => Under::Interfaces {
            tx,
            rx,
            backend: args.backend.map(Into::into),
            capacity_bps: args.capacity.map(|rate| rate.0),
        },
        _ => Under::Node {
            config: args.config,
            isolation: args.isolation.map(Into::into),
        },
    };
    Ok(Asked {
        under,
        profile: args.profile.map(Into::into),
        tests: args.tests.into_iter().map(Into::into).collect(),
        sizes: args.sizes,
        duration: args
            .duration
            .map(|Nanoseconds(ns)| Duration::from_nanos(ns)),
        quick: args.quick,
        search: args.search.map(Into::into),
        loss_ratio: args.loss_ratio.0,
        resolution: args.resolution.map(|share| share.0),
        repeat: args.repeat,
        rate: args.rate,
        streams: args.streams,
        bidirectional: args.bidirectional,
        reset_command: args.reset_command,
        out: args.out,
        json: args.format.json,
        command: command_line(std::env::args()),
    })
}

/// The command line as a shell takes it.
fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = arguments.map(|argument| quoted(&argument)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_can_be_repeated() {
        let words = ["target/release/pinode", "measure", "--out", "my results"];
        let line = command_line(words.into_iter().map(str::to_owned));
        assert_eq!(line, "target/release/pinode measure --out 'my results'");
    }
}
