//! Which queueing discipline an interface sends through (rtnetlink(7), RTM_GETQDISC), and whether that one
//! holds a frame until its time.
//!
//! Read when a port opens. Must never trust a length in an answer beyond the octets received.

use std::io;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// A queueing discipline that holds frames until their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// tc-fq(8): its clock is CLOCK_MONOTONIC, and what comes late leaves at once.
    Fq,
    /// tc-etf(8) in strict mode: its clock is CLOCK_TAI, it wakes `delta_ns` ahead of a frame's time, and
    /// drops a frame whose time has passed. `offload`: the interface then holds the frame until its time.
    Etf { delta_ns: u32, offload: bool },
}

/// Parent of the discipline that all frames of an interface come to, and of the one for frames received.
const ROOT: u32 = 0xffff_ffff;
const INGRESS: u32 = 0xffff_fff1;

const NEW_QDISC: u16 = 36;
const GET_QDISC: u16 = 38;
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// NLM_F_REQUEST, NLM_F_DUMP; the answer's NLM_F_DUMP_INTR: something changed while it was written.
const DUMP: u16 = 0x301;
const INTERRUPTED: u16 = 0x10;

/// Octets of `struct nlmsghdr`, of `struct tcmsg` and of `struct nlattr`.
const HEADER: usize = 16;
const TC: usize = 20;
const ATTRIBUTE: usize = 4;

/// TCA_KIND, TCA_OPTIONS; TCA_ETF_PARMS in the options of etf.
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
const ETF_PARMS: u16 = 1;
/// Without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
const TYPE_MASK: u16 = 0x3fff;

/// What holds the frames of an interface until their time, if anything does.
///
/// # Errors
/// The kernel does not say what disciplines there are.
pub(super) fn holder(interface: u32) -> io::Result<Option<Holder>> {
    /// Tries where disciplines of any interface change meanwhile.
    const TRIES: usize = 10;
    for _ in 0..TRIES {
        if let Some(listing) = list(interface)? {
            return Ok(listing.holder());
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// The disciplines of an interface. `None`: they changed meanwhile.
fn list(interface: u32) -> io::Result<Option<Listing>> {
    // More than the kernel writes at once.
    let mut answer = vec![0; 64 << 10];
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None, // NETLINK_ROUTE
    )?;
    send(&socket, &request(interface), SendFlags::empty())?;
    let mut listing = Listing::default();
    loop {
        let (octets, _) = recv(&socket, &mut *answer, RecvFlags::empty())?;
        match listing.read(answer.get(..octets).unwrap_or(&[]), interface)? {
            More::Expected => {}
            More::Done => return Ok(Some(listing)),
            More::Interrupted => return Ok(None),
        }
    }
}

/// Asks for the disciplines of an interface; a kernel that knows no such filter lists those of all.
fn request(interface: u32) -> [u8; HEADER + TC] {
    let mut octets = [0; HEADER + TC];
    let mut put = |at: usize, value: &[u8]| {
        if let Some(place) = octets.get_mut(at..at + value.len()) {
            place.copy_from_slice(value);
        }
    };
    put(0, &(HEADER as u32 + TC as u32).to_ne_bytes());
    put(4, &GET_QDISC.to_ne_bytes());
    put(6, &DUMP.to_ne_bytes());
    put(HEADER + 4, &interface.to_ne_bytes());
    octets
}

/// Whether more of a listing is to come.
#[derive(Debug, PartialEq, Eq)]
enum More {
    Expected,
    Done,
    Interrupted,
}

/// What was read of an interface's disciplines.
#[derive(Debug, Default)]
struct Listing {
    root: Option<Kind>,
    below: Vec<Kind>,
}

/// What a discipline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Holds(Holder),
    /// A discipline for each transmit queue below it.
    PerQueue,
    Other,
}

impl Listing {
    /// All frames must be held: by the root, or by what is below it for each transmit queue alike.
    fn holder(&self) -> Option<Holder> {
        let kind = match self.root? {
            Kind::PerQueue => {
                let (first, others) = self.below.split_first()?;
                others
                    .iter()
                    .all(|other| other == first)
                    .then_some(*first)?
            }
            kind => kind,
        };
        match kind {
            Kind::Holds(holder) => Some(holder),
            Kind::PerQueue | Kind::Other => None,
        }
    }

    /// Reads the messages of an answer.
    fn read(&mut self, mut octets: &[u8], interface: u32) -> io::Result<More> {
        while let Some((message, rest)) = split(octets, u32_at(octets, 0)? as usize, HEADER) {
            octets = rest;
            if u16_at(message, 6)? & INTERRUPTED != 0 {
                return Ok(More::Interrupted);
            }
            match u16_at(message, 4)? {
                DONE => return Ok(More::Done),
                ERROR => {
                    let code = u32_at(message, HEADER)?.cast_signed();
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                }
                NEW_QDISC if u32_at(message, HEADER + 4)? == interface => {
                    let parent = u32_at(message, HEADER + 12)?;
                    let kind = kind(message.get(HEADER + TC..).unwrap_or(&[]));
                    match parent {
                        ROOT => self.root = Some(kind),
                        INGRESS => {}
                        _ => self.below.push(kind),
                    }
                }
                _ => {}
            }
            if octets.is_empty() {
                return Ok(More::Expected);
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// What a discipline with these attributes is.
fn kind(attributes: &[u8]) -> Kind {
    let options = attribute(attributes, OPTIONS).unwrap_or(&[]);
    match attribute(attributes, KIND).unwrap_or(&[]) {
        b"fq\0" => Kind::Holds(Holder::Fq),
        b"etf\0" => etf(attribute(options, ETF_PARMS).unwrap_or(&[])).unwrap_or(Kind::Other),
        b"mq\0" | b"mqprio\0" => Kind::PerQueue,
        _ => Kind::Other,
    }
}

/// Reads `struct tc_etf_qopt`: delta, clock, flags.
fn etf(parameters: &[u8]) -> Option<Kind> {
    const DEADLINE_MODE: u32 = 1;
    const OFFLOAD: u32 = 2;
    let delta = u32_at(parameters, 0).ok()?.cast_signed();
    let clock = u32_at(parameters, 4).ok()?.cast_signed();
    let flags = u32_at(parameters, 8).ok()?;
    // In deadline mode frames leave ahead of their time; without a delta all are late.
    let holds = flags & DEADLINE_MODE == 0 && clock == libc::CLOCK_TAI && delta > 0;
    holds.then_some(Kind::Holds(Holder::Etf {
        delta_ns: delta.unsigned_abs(),
        offload: flags & OFFLOAD != 0,
    }))
}

/// The payload of the first attribute of a type.
fn attribute(mut octets: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let len = usize::from(u16_at(octets, 0).ok()?);
        let (attribute, rest) = split(octets, len, ATTRIBUTE)?;
        if u16_at(attribute, 2).ok()? & TYPE_MASK == wanted {
            return attribute.get(ATTRIBUTE..);
        }
        octets = rest;
    }
}

/// The first `len` octets, at least a `header`, and what is behind them and their padding to four.
fn split(octets: &[u8], len: usize, header: usize) -> Option<(&[u8], &[u8])> {
    let item = octets.get(..len).filter(|_| len >= header)?;
    Some((item, octets.get(len.next_multiple_of(4)..).unwrap_or(&[])))
}

fn u16_at(octets: &[u8], at: usize) -> io::Result<u16> {
    let value = octets.get(at..).and_then(<[u8]>::first_chunk);
    value
        .map(|value| u16::from_ne_bytes(*value))
        .ok_or(io::ErrorKind::InvalidData.into())
}

fn u32_at(octets: &[u8], at: usize) -> io::Result<u32> {
    let value = octets.get(at..).and_then(<[u8]>::first_chunk);
    value
        .map(|value| u32::from_ne_bytes(*value))
        .ok_or(io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
#[path = "qdisc_tests.rs"]
mod tests;
