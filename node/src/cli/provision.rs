//! `pinode provision`.
//!
//! Demands that cannot be met exit with 2, as a configuration does that `check` refuses: what was asked cannot be
//! right, and asking again does not help.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use pinode_measure::results::json;

use super::args::Provision;
use super::failure::Failure;
use super::{print, print_json};
use crate::provision::{Refusal, load, plan_table, provision, refusal_lines};

pub(super) fn run(args: &Provision) -> Result<(), Failure> {
    let demands = load(&args.demands)?;
    let measured = match &args.fits {
        Some(path) => {
            let results = json::read(path).map_err(|error| Failure::Usage(error.to_string()))?;
            Some((path.display().to_string(), results))
        }
        None => None,
    };
    let measured = measured
        .as_ref()
        .map(|(file, results)| (file.as_str(), results));
    match provision(&demands, measured) {
        Ok(plan) => {
            if let Some(path) = &args.output {
                write_whole(path, &plan.node_toml).map_err(Failure::Failed)?;
            }
            if args.format.json {
                print_json(&plan)
            } else if let Some(path) = &args.output {
                print(&plan_table(&plan))?;
                print(&format!("{}: written\n", path.display()))
            } else {
                print(&plan.node_toml)
            }
        }
        Err(refusal) => refused(args, &refusal),
    }
}

fn refused(args: &Provision, refusal: &Refusal) -> Result<(), Failure> {
    if args.format.json {
        print_json(refusal)?;
    } else {
        eprint!(
            "{}",
            refusal_lines(&args.demands.display().to_string(), refusal)
        );
    }
    Err(Failure::Said(2))
}

/// Beside the file, then in its place: nobody sees half of it.
fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let written = std::fs::File::create_new(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}
