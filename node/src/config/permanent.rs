//! `[[pi.NAME.signaling.permanent]]`: permanent ends of connections, for devices that do not signal, as they are written;
//! and where they are in the switch.

use pinode_signaling::daemon::CDVT_NS;
use pinode_signaling::daemon::switch::Span;
use pinode_signaling::{Address, Class, Peak, Qos, Traffic};

use super::node::{NodeConfig, PortMode};
use super::reader::{Item, Section};
use super::signaling::carries;
use super::unit::{BitRate, Nanoseconds};
use crate::dss::{End, Permanent};

/// Octets of the largest payload: what an Ethernet frame has room for.
const MAX_SDU: u16 = 1_491;
/// As `pinode dss connect` has it.
const SIZE: u16 = 1_400;
const EARLY_NS: u64 = 2_000_000;

/// All of them.
pub(super) fn read(item: &Item<'_, '_>) -> Option<Vec<Permanent>> {
    // Each one's mistakes are told.
    let all: Vec<_> = item.elements()?.into_iter().map(one).collect();
    all.into_iter().collect()
}

fn one(element: Item<'_, '_>) -> Option<Permanent> {
    let mut section = element.section()?;
    let name = section.required("name", "a name, such as \"camera\"");
    let name = name.and_then(|item| item.name());
    let port = section.required("port", "the name of a port");
    let port = port.and_then(|item| item.str().map(str::to_owned));
    let vn = match section.optional("vn") {
        Some(item) => item.integer(0..=31).map(|vn| u8::try_from(vn).ok()),
        None => Some(None),
    };
    let label = section.required("label", "the label that the device uses, 16 to 1048575");
    let label = label.and_then(|item| item.integer(16..=(1 << 20) - 1));
    let label = label.and_then(|label| u32::try_from(label).ok());
    let called = section.optional("called");
    let listen = section.optional("listen");
    let end = match (called, listen) {
        (Some(called), None) => call(&mut section, &called),
        (None, Some(address)) => listener(&mut section, &address),
        _ => {
            section.problem("needs either called or listen, an address of 40 hexadecimal digits");
            None
        }
    };
    if end.is_some() {
        section.finish();
    }
    Some(Permanent {
        name: name?,
        port: port?,
        vn: vn?,
        label: label?,
        end: end?,
    })
}

fn call(section: &mut Section<'_, '_>, called: &Item<'_, '_>) -> Option<End> {
    let called = called.parsed::<Address>();
    let address = match section.optional("address") {
        Some(item) => item.parsed::<Address>().map(Some),
        None => Some(None),
    };
    let mut rate = |key| match section.optional(key) {
        Some(item) => item.parsed::<BitRate>().map(Some),
        None => Some(None),
    };
    let (rate, back) = (rate("rate"), rate("back"));
    let ubr = match section.optional("ubr") {
        Some(item) => item.boolean(),
        None => Some(false),
    };
    let size = size(section, SIZE);
    let cdvt = match section.optional("cdvt") {
        Some(item) => item.parsed::<Nanoseconds>().map(|cdvt| cdvt.0),
        None => Some(EARLY_NS),
    };
    let (rate, back, ubr, size, cdvt_ns) = (rate?, back?, ubr?, size?, cdvt?);
    let traffic = |rate: Option<BitRate>| Traffic {
        class: if ubr { Class::Ubr } else { Class::Cbr },
        peak: rate.map(|rate| Peak::Bits(rate.0)),
        cdvt_ns,
        max_sdu: size,
    };
    let qos = Qos {
        transmit: (rate.is_some() || ubr).then(|| traffic(rate)),
        receive: back.map(|rate| traffic(Some(rate))),
    };
    Some(End::Call {
        called: called?,
        address: address?,
        qos,
    })
}

fn listener(section: &mut Section<'_, '_>, address: &Item<'_, '_>) -> Option<End> {
    let address = address.parsed::<Address>();
    let labels = match section.optional("labels") {
        Some(item) => item.integer(1..=u64::from(Span::MOST)),
        None => Some(1),
    };
    let max_sdu = size(section, MAX_SDU);
    Some(End::Listen {
        address: address?,
        labels: labels.and_then(|labels| u16::try_from(labels).ok())?,
        max_sdu: max_sdu?,
    })
}

fn size(section: &mut Section<'_, '_>, unless: u16) -> Option<u16> {
    match section.optional("size") {
        Some(item) => {
            let size = item.integer(1..=u64::from(MAX_SDU));
            size.and_then(|size| u16::try_from(size).ok())
        }
        None => Some(unless),
    }
}

/// Where a permanent end of the PI in `slot` is.
///
/// # Errors
///
/// What it has that cannot be, and what is allowed: the key, and the words.
pub fn place_of(
    config: &NodeConfig,
    slot: usize,
    permanent: &Permanent,
) -> Result<Span, (&'static str, String)> {
    let ports = config.ports.iter();
    let carrying = ports.filter(|port| carries(config, slot, port));
    let names: Vec<&str> = carrying.map(|port| port.name.as_str()).collect();
    let number = config
        .ports
        .iter()
        .position(|port| port.name == permanent.port);
    let port = number.and_then(|number| Some((number, config.ports.get(number)?)));
    let Some((number, port)) = port.filter(|(_, port)| names.contains(&&*port.name)) else {
        let what = format!(
            "no connection of this PI leaves by port {:?}; allowed: {}",
            permanent.port,
            names.join(", ")
        );
        return Err(("port", what));
    };
    let vns = config.pis.get(slot).map(|pi| pi.vns);
    let carried: Vec<u8> = match port.mode {
        PortMode::Access { vn, .. } => vec![vn.get()],
        PortMode::Trunk => vns
            .into_iter()
            .flat_map(|vns| vns.iter())
            .map(|vn| vn.get())
            .collect(),
    };
    let vn = permanent.vn.or(carried.first().copied()).unwrap_or(0);
    if !carried.contains(&vn) {
        let carried: Vec<String> = carried.iter().map(u8::to_string).collect();
        let what = format!(
            "port {:?} does not carry virtual network {vn}; allowed: {}",
            permanent.port,
            carried.join(", ")
        );
        return Err(("vn", what));
    }
    let at = Span {
        // A node has 32 ports at most.
        port: u16::try_from(number).unwrap_or(u16::MAX),
        vn,
        label: permanent.label,
        labels: permanent.labels(),
    };
    if at.places().is_none() {
        let what = format!(
            "{} labels from {} on; allowed: 1 to {}, of 16 to 1048575",
            at.labels,
            at.label,
            Span::MOST
        );
        return Err(("label", what));
    }
    // The daemon gives those to nobody: the end would be asked for without end.
    let pi = config.pis.get(slot);
    let streams = pi.into_iter().flat_map(|pi| pi.level2.streams(&port.name));
    let place = |vn, label| Span {
        port: at.port,
        vn,
        label,
        labels: 1,
    };
    let taken = streams
        .filter(|stream| at.meets(place(stream.vn.get(), stream.label)))
        .map(|stream| stream.label)
        .min();
    if let Some(label) = taken {
        let what = format!(
            "{label} in virtual network {vn} at port {:?} is a connection's of level2.connections; \
             allowed: 16 to 1048575 but for those",
            permanent.port
        );
        return Err(("label", what));
    }
    can_be(&permanent.end)?;
    Ok(at)
}

/// Whether anything could ever grant it.
fn can_be(end: &End) -> Result<(), (&'static str, String)> {
    let sizes = |max_sdu: u16| {
        let fits = (1..=MAX_SDU).contains(&max_sdu);
        let what = || format!("payloads of {max_sdu} octets; allowed: 1 to {MAX_SDU}");
        fits.then_some(()).ok_or_else(|| ("size", what()))
    };
    match *end {
        End::Listen {
            address, max_sdu, ..
        } => {
            if address.is_null() {
                return Err(("listen", "nobody can call the null address".into()));
            }
            sizes(max_sdu)
        }
        End::Call { called, qos, .. } => {
            if called.is_null() {
                let what = "the null address is nobody's; allowed: the address of who listens";
                return Err(("called", what.into()));
            }
            let ways = [("rate", qos.transmit), ("back", qos.receive)];
            if qos == Qos::default() {
                let what = "nothing is asked for; needed: rate, back or ubr";
                return Err(("rate", what.into()));
            }
            for (key, traffic) in ways {
                let Some(traffic) = traffic else {
                    continue;
                };
                sizes(traffic.max_sdu)?;
                if traffic.wire_bps() == Some(0)
                    || (traffic.class, traffic.peak) == (Class::Cbr, None)
                {
                    return Err((key, "a constant rate is more than 0".into()));
                }
                if traffic.cdvt_ns > CDVT_NS {
                    let what = format!(
                        "{} ns; allowed: up to {CDVT_NS}, as buffers hold what comes early",
                        traffic.cdvt_ns
                    );
                    return Err(("cdvt", what));
                }
            }
            Ok(())
        }
    }
}
