//! Two interfaces of this machine, opened as the ends of a path. Whoever is between them is not known here.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use pinode_measure::path::{Interfaces, Options};
use pinode_measure::trial::{Path, PathKind};
use pinode_ports::{BackendSpec, Cables, InterfaceName, Port, PortError, PortSpec};

use super::asked::Backend;
use super::plan::Links;

/// A link that was brought up has its carrier by then: autonegotiation takes up to some seconds.
const CARRIER_LIMIT: Duration = Duration::from_secs(5);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Opens both, by AF_XDP or, where that cannot be had and nothing else was asked for, by AF_PACKET. The second
/// is what should be known of it.
///
/// # Errors
///
/// An interface that cannot be opened.
pub fn open(links: &Links) -> anyhow::Result<(Interfaces, Vec<String>)> {
    let mut notes = Vec::new();
    let (backend, ports) = by_best(links, both, &mut notes)?;
    carriers(&links.names, CARRIER_LIMIT)?;
    let kind = match backend {
        Backend::AfXdp => PathKind::AfXdp,
        Backend::AfPacket => PathKind::AfPacket,
    };
    notes.push(format!(
        "Frames pass {} and {}: what the kernel takes for them is in these figures.",
        ports[0].describe(),
        ports[1].describe()
    ));
    let path = Path {
        kind,
        capacity_bps: links.capacity_bps,
        largest: u16::try_from(links.largest()).unwrap_or(u16::MAX),
        description: links.describe(),
    };
    Ok((Interfaces::new(ports, path, Options::default())?, notes))
}

/// Waits until all of `names` have a carrier: without one every trial would be refused, and nobody told why.
pub(super) fn carriers(names: &[InterfaceName], limit: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + limit;
    loop {
        let down = names.iter().find(|name| !pinode_ports::has_carrier(name));
        let Some(name) = down else { return Ok(()) };
        if Instant::now() >= until {
            bail!(
                "{name}: the link is down: no such interface any more, no cable, or its other end is not up; needed: a carrier within {} s",
                limit.as_secs()
            );
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Opens the one interface of `links`.
///
/// # Errors
///
/// It cannot be opened.
pub fn open_one(links: &Links) -> Result<Box<dyn Port>, PortError> {
    let first = |links: &Links, backend| one(&links.names[0], links, backend);
    by_best(links, first, &mut Vec::new()).map(|(_, port)| port)
}

/// Opens by the backend that was asked for, or by the best that can be had, and notes if that is not the first.
fn by_best<T>(
    links: &Links,
    open: impl Fn(&Links, Backend) -> Result<T, PortError>,
    notes: &mut Vec<String>,
) -> Result<(Backend, T), PortError> {
    if let Some(backend) = links.backend {
        return Ok((backend, open(links, backend)?));
    }
    match open(links, Backend::AfXdp) {
        Ok(opened) => Ok((Backend::AfXdp, opened)),
        Err(error) => {
            notes.push(format!(
                "AF_PACKET is used, since AF_XDP cannot be had: {error}"
            ));
            Ok((Backend::AfPacket, open(links, Backend::AfPacket)?))
        }
    }
}

fn both(links: &Links, backend: Backend) -> Result<[Box<dyn Port>; 2], PortError> {
    let [tx, rx] = &links.names;
    Ok([one(tx, links, backend)?, one(rx, links, backend)?])
}

fn one(
    interface: &InterfaceName,
    links: &Links,
    backend: Backend,
) -> Result<Box<dyn Port>, PortError> {
    let interface = interface.clone();
    let backend = match backend {
        Backend::AfXdp => BackendSpec::AfXdp { interface },
        Backend::AfPacket => BackendSpec::AfPacket { interface },
    };
    let spec = PortSpec {
        backend,
        mtu: links.mtu,
        queues: 1,
    };
    // One queue was asked for, so there is one.
    pinode_ports::open(&spec, &mut Cables::default()).map(|mut ports| ports.swap_remove(0))
}
