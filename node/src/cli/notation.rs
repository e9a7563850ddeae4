//! `pinode phases export` and `import`: schedules as taprio and IEEE 802.1Q write them, out of and
//! into a running node or a configuration.
//!
//! A file is read whole and judged before anything is asked of a node: nothing is ever half done.

use std::io::Read as _;
use std::path::Path;

use super::args::{Export, Import, Notation};
use super::change::{set, show, show_all, tai_ns};
use super::client::Client;
use super::failure::Failure;
use super::{load, print, print_json};
use crate::assemble;
use crate::config::{
    Held, NodeConfig, PhaseConfig, PortConfig, schedule_problems, stream_problems,
};
use crate::control::SetPhases;
use crate::dataplane::clock;
use crate::notation::{
    Imported, NotationError, read_ieee, read_taprio, waiting, write_ieee, write_part, write_taprio,
};
use crate::status::{GateStatus, PortPhases};

pub(super) fn export(args: &Export) -> Result<(), Failure> {
    let ports = match (&args.config, &args.port) {
        (Some(file), None) => {
            let config = load(file)?;
            let ports = config.ports.iter();
            ports.map(|port| config.port_phases(port)).collect()
        }
        (Some(file), Some(port)) => {
            let config = load(file)?;
            vec![config.port_phases(port_of(file, &config, port)?)]
        }
        (None, None) => show_all(&Client::new(args.node.socket.as_deref())?)?,
        (None, Some(port)) => vec![show(&Client::new(args.node.socket.as_deref())?, port)?],
    };
    let wrong = |error: NotationError| Failure::Usage(error.to_string());
    match args.format {
        Notation::Ieee => {
            // JSON has no comments.
            for port in &ports {
                if let Some(note) = waiting(port) {
                    eprintln!("port {}: note: {note}", port.port);
                }
            }
            print_json(&write_ieee(&ports).map_err(wrong)?)
        }
        Notation::Taprio => {
            let texts = ports.iter().map(write_taprio);
            let texts: Vec<String> = texts.collect::<Result<_, _>>().map_err(wrong)?;
            print(&texts.join("\n"))
        }
    }
}

pub(super) fn import(args: &Import) -> Result<(), Failure> {
    let text = read(&args.file)?;
    match &args.config {
        Some(file) => {
            let config = load(file)?;
            let port = port_of(file, &config, &args.port)?;
            let mut imported = parse(args, &text, &config.gates(port))?;
            if let Some(base) = args.base_time {
                imported.base_tai_ns = tai_ns(base);
            }
            let planned = plan(&config, port, &imported).map_err(|what| {
                let at = format!("port.{}.cycle", port.name);
                Failure::Usage(format!("{}: {at}: {what}", args.file.display()))
            })?;
            if args.json.json {
                return print_json(&config.port_phases(&planned));
            }
            print(&write_part(&planned, &imported.phases))
        }
        None => {
            let client = Client::new(args.node.socket.as_deref())?;
            let PortPhases { gates, .. } = show(&client, &args.port)?;
            let imported = parse(args, &text, &gates)?;
            let request = SetPhases {
                phases: imported.phases,
                base_tai_ns: Some(args.base_time.map_or(imported.base_tai_ns, tai_ns)),
                extension_ns: imported.extension_ns,
            };
            set(&client, &args.port, &request, args.json)
        }
    }
}

fn port_of<'c>(file: &Path, config: &'c NodeConfig, name: &str) -> Result<&'c PortConfig, Failure> {
    let found = config.ports.iter().find(|port| port.name == name);
    found.ok_or_else(|| {
        let there: Vec<&str> = config.ports.iter().map(|port| port.name.as_str()).collect();
        Failure::Usage(format!(
            "{}: there is no port {name:?}; there are: {}",
            file.display(),
            there.join(", ")
        ))
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let outcome = match file.as_os_str() == "-" {
        true => std::io::stdin().read_to_string(&mut text).map(|_| ()),
        false => std::fs::read_to_string(file).map(|read| text = read),
    };
    outcome.map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    Ok(text)
}

/// What the text says, with what was done to it on stderr.
fn parse(args: &Import, text: &str, gates: &[GateStatus]) -> Result<Imported, Failure> {
    let format = args
        .format
        .unwrap_or(match text.trim_start().starts_with('{') {
            true => Notation::Ieee,
            false => Notation::Taprio,
        });
    let list = match format {
        Notation::Taprio => read_taprio(text),
        Notation::Ieee => read_ieee(text, &args.port),
    };
    let imported = list.and_then(|list| list.into_phases(gates));
    let imported =
        imported.map_err(|error| Failure::Usage(format!("{}: {error}", args.file.display())))?;
    for note in &imported.notes {
        eprintln!("{}: note: {note}", args.file.display());
    }
    Ok(imported)
}

/// The port with this schedule, if it holds.
fn plan(config: &NodeConfig, port: &PortConfig, imported: &Imported) -> Result<PortConfig, String> {
    let slot = |name: &str| config.pis.iter().position(|pi| pi.name == name);
    let phases = imported.phases.iter().map(|phase| PhaseConfig {
        owner: slot(&phase.pi).and_then(|slot| u8::try_from(slot).ok()),
        duration_ns: phase.duration_ns,
    });
    let mut planned = PortConfig {
        phases: phases.collect(),
        base_tai_ns: imported.base_tai_ns,
        ..port.clone()
    };
    planned.extension_ns = match imported.extension_ns {
        Some(said) => said,
        None => port.extension_ns.min(planned.cycle_ns()),
    };
    let mut problems = schedule_problems(&planned, &config.named_needs());
    let streams = stream_problems(
        &planned,
        &config.pis,
        &Held::configured(&planned, &config.pis),
    );
    problems.extend(streams.into_iter().map(|(_, what)| what));
    if !problems.is_empty() {
        return Err(problems.join("; "));
    }
    planned
        .schedule(&config.needs())
        .map_err(|error| error.to_string())?;
    assemble::check_base_time(planned.base_tai_ns, clock::tai_ns())
        .map_err(|far| format!("base time: {far}"))?;
    Ok(planned)
}
