//! `pinode phases` and `pinode guest`: what an operator changes.

use super::args::{BaseTime, Format, Guest, OneGuest, PhaseArg, Phases};
use super::client::{Client, ClientError};
use super::failure::Failure;
use super::{notation, print, print_json, watch};
use crate::config::Nanoseconds;
use crate::control::{GuestAction, PhasesSet, SetPhases};
use crate::dataplane::clock;
use crate::status::{GuestStatus, PhaseEntry, PortPhases, Status, guests_table, phases_table};

pub(super) fn phases(args: Phases) -> Result<(), Failure> {
    match args {
        Phases::Export(args) => notation::export(&args),
        Phases::Import(args) => notation::import(&args),
        Phases::Show { port, node, format } => {
            let client = Client::new(node.socket.as_deref())?;
            let Some(port) = port else {
                let ports = show_all(&client)?;
                return if format.json {
                    print_json(&ports)
                } else {
                    print(&phases_table(&ports))
                };
            };
            let phases = show(&client, &port)?;
            if format.json {
                print_json(&phases)
            } else {
                print(&phases_table(&[phases]))
            }
        }
        Phases::Set {
            port,
            phases,
            base_time,
            extension,
            node,
            format,
        } => {
            let entry = |PhaseArg {
                             pi,
                             duration: Nanoseconds(duration_ns),
                         }| PhaseEntry { pi, duration_ns };
            let request = SetPhases {
                phases: phases.into_iter().map(entry).collect(),
                base_tai_ns: base_time.map(tai_ns),
                extension_ns: extension.map(|extension| extension.0),
            };
            let client = Client::new(node.socket.as_deref())?;
            set(&client, &port, &request, format)
        }
    }
}

/// Installs a schedule and says what came of it.
pub(super) fn set(
    client: &Client,
    port: &str,
    request: &SetPhases,
    format: Format,
) -> Result<(), Failure> {
    let set: PhasesSet = client.put(&phases_path(port)?, request)?;
    if format.json {
        return print_json(&set);
    }
    let at = set.takes_effect_tai_ns;
    let instead = set.replaced_tai_ns.map_or_else(String::new, |waited| {
        format!(", in place of the one that waited for TAI {waited} ns")
    });
    print(&format!(
        "port {port}: the new schedule takes effect at TAI {at} ns{instead}\n"
    ))
}

/// The schedules of all ports.
pub(super) fn show_all(client: &Client) -> Result<Vec<PortPhases>, Failure> {
    let status: Status = client.get("/v1/status")?;
    let ports = status.ports.iter().map(|port| show(client, &port.name));
    ports.collect()
}

/// The schedule of a port.
pub(super) fn show(client: &Client, port: &str) -> Result<PortPhases, Failure> {
    Ok(client.get(&phases_path(port)?)?)
}

fn phases_path(port: &str) -> Result<String, Failure> {
    Ok(format!("/v1/ports/{}/phases", segment("port", port)?))
}

/// A name as a segment of a path. What could not be a name is refused here, as it would be there.
pub(super) fn segment<'n>(kind: &str, name: &'n str) -> Result<&'n str, Failure> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !name.is_empty() && name.bytes().all(plain) {
        return Ok(name);
    }
    Err(Failure::Usage(format!(
        "there is no {kind} {name:?}; allowed: letters, digits and -"
    )))
}

/// The instant that is meant.
pub(super) fn tai_ns(base: BaseTime) -> u64 {
    match base {
        BaseTime::At(tai_ns) => tai_ns,
        BaseTime::In(Nanoseconds(later)) => clock::tai_ns().saturating_add(later),
    }
}

pub(super) fn guest(args: Guest) -> Result<(), Failure> {
    match args {
        Guest::List { node, format } => {
            let guests: Vec<GuestStatus> =
                Client::new(node.socket.as_deref())?.get("/v1/guests")?;
            if format.json {
                print_json(&guests)
            } else {
                print(&guests_table(&guests))
            }
        }
        Guest::Start(args) => act(&args, GuestAction::Start),
        Guest::Stop(args) => act(&args, GuestAction::Stop),
        Guest::Restart(args) => act(&args, GuestAction::Restart),
        Guest::Console { name, follow, node } => {
            watch::console(&name, follow, node.socket.as_deref())
        }
    }
}

fn act(args: &OneGuest, action: GuestAction) -> Result<(), Failure> {
    let client = Client::new(args.node.socket.as_deref())?;
    let path = format!(
        "/v1/guests/{}/{}",
        segment("guest", &args.name)?,
        action.as_str()
    );
    let guest: Result<GuestStatus, ClientError> = client.post(&path);
    let guest = guest?;
    if args.format.json {
        return print_json(&guest);
    }
    print(&format!("guest {}: {}\n", guest.pi, guest.state.as_str()))
}
