//! `pinode check` and `pinode status`.

use super::args::{Check, Status as StatusArgs};
use super::client::Client;
use super::failure::Failure;
use super::{load, print, print_json};
use crate::check::{Report, report_table};
use crate::status::{Status, status_table, violations};

pub(super) fn check(args: &Check) -> Result<(), Failure> {
    let report = match load(&args.config) {
        Ok(config) => Report::of(&config),
        Err(error) if args.format.json => Report::refused(error.problems),
        Err(error) => return Err(error.into()),
    };
    if args.format.json {
        print_json(&report)?;
    } else if report.ok {
        print(&report_table(&report))?;
        print(&format!("{}: ok\n", args.config.display()))?;
    } else {
        for problem in &report.problems {
            eprintln!(
                "{}: {}: {}",
                args.config.display(),
                problem.at,
                problem.what
            );
        }
    }
    if report.ok {
        Ok(())
    } else {
        Err(Failure::Said(2))
    }
}

pub(super) fn status(args: &StatusArgs) -> Result<(), Failure> {
    let status: Status = Client::new(args.node.socket.as_deref())?.get("/v1/status")?;
    let violations = violations(&status);
    if args.format.json {
        print_json(&status)?;
        for violation in &violations {
            eprintln!("pinode: conservation: {violation}");
        }
    } else {
        print(&status_table(&status))?;
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Failure::Said(1))
    }
}
