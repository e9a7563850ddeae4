//! `pinode measure compare`, `export`, `import`, `serve`: what is done with or for another measurement.

use std::time::Duration;

use pinode_measure::compare::{self, CompareError};
use pinode_measure::export::{self, ExportError};
use pinode_measure::import::{self, ImportError};

use super::super::failure::Failure;
use super::super::{print, print_json};
use super::args::{CompareArgs, ExportArgs, ImportArgs, ServeArgs};
use crate::config::Nanoseconds;
use crate::measure;
use crate::measure::serve::{self, ServeAsked};

/// Student's t.
pub(super) fn compare(args: CompareArgs) -> Result<(), Failure> {
    let options = compare::Options {
        metrics: args.metrics,
    };
    let comparison = compare::run(&args.sets, &options).map_err(|error| match error {
        CompareError::Unread { .. } => Failure::Failed(error.into()),
        error => Failure::Usage(error.to_string()),
    })?;
    if args.format.json {
        return print_json(&comparison);
    }
    print(&comparison.to_string())
}

/// One end alone.
pub(super) fn serve(args: ServeArgs) -> Result<(), Failure> {
    let passed = serve::serve(&ServeAsked {
        tx: args.tx,
        rx: args.rx,
        backend: args.backend.map(Into::into),
        capacity_bps: args.capacity.map(|rate| rate.0),
        size: args.size,
        rate: args.rate,
        streams: args.streams,
        duration: args
            .duration
            .map(|Nanoseconds(ns)| Duration::from_nanos(ns)),
        json: args.format.json,
    })?;
    if args.format.json {
        return print_json(&passed);
    }
    print(&passed.to_string())
}

/// Streams for others.
pub(super) fn export(args: ExportArgs) -> Result<(), Failure> {
    let (streams, notes) =
        measure::streams(args.config.as_deref(), &args.size, args.rate, args.streams)?;
    let files =
        export::write(&args.out, args.format, &streams, args.frames).map_err(
            |error| match error {
                ExportError::File { .. } => Failure::Failed(error.into()),
                error => Failure::Usage(error.to_string()),
            },
        )?;
    for note in notes {
        eprintln!("pinode: {note}");
    }
    for file in files {
        print(&format!("{}\n", file.display()))?;
    }
    Ok(())
}

/// Results of others.
pub(super) fn import(args: ImportArgs) -> Result<(), Failure> {
    let options = import::Options {
        pi: args.pi,
        link_bps: args.capacity.map(|rate| rate.0),
        test: args.test.map(Into::into),
    };
    let imported = import::read(&args.file, &options).map_err(|error| match error {
        ImportError::Unread { .. } => Failure::Failed(error.into()),
        error => Failure::Usage(error.to_string()),
    })?;
    if !imported.ignored.is_empty() {
        eprintln!(
            "pinode: columns that were not looked at: {}",
            imported.ignored.join(", ")
        );
    }
    print(
        &measure::deliver(&args.out, imported.results, args.format.json)
            .map_err(Failure::Failed)?,
    )
}
