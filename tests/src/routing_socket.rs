//! The kernel's routing table, asked for the routes of addresses over a netlink socket (rtnetlink(7)): which prefix
//! the kernel matches, many questions a system call.
//!
//! Must never change a table.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with, sockopt,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::namespace::Namespace;

/// Octets of a question: header, rtmsg, one attribute with the address.
const QUESTION: usize = 16 + 12 + 20;
/// RTM_GETROUTE of linux/rtnetlink.h.
const GET_ROUTE: u16 = 26;
/// RTM_NEWROUTE: the answer.
const ROUTE: u16 = 24;
/// NLMSG_ERROR of linux/netlink.h.
const ERROR: u16 = 2;
/// NLM_F_REQUEST.
const REQUEST: u16 = 1;
/// RTM_F_FIB_MATCH: the answer is the table's entry, not a copy for this address.
const FIB_MATCH: u32 = 0x2000;
/// RTA_DST.
const DESTINATION: u16 = 1;
/// Receive buffer, octets: the answers to a batch, at what the kernel reckons for each.
const RECEIVE_BUFFER: usize = 16 << 20;
const AF_INET6: u8 = 10;

/// Questions that are sent at once.
pub const BATCH: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct RoutingSocket {
    fd: OwnedFd,
    sequence: u32,
}

impl RoutingSocket {
    /// A socket to the tables of a namespace.
    ///
    /// # Errors
    /// The namespace or the socket cannot be opened.
    pub fn open(namespace: &Namespace) -> Result<Self> {
        let path = format!("/run/netns/{}", namespace.name());
        let there = File::open(&path).with_context(|| format!("open {path}"))?;
        // A thread of its own enters the namespace and ends; the socket stays in it.
        let fd = thread::spawn(move || -> Result<OwnedFd> {
            move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))
                .context("enter the namespace")?;
            socket_with(
                AddressFamily::NETLINK,
                SocketType::RAW,
                SocketFlags::CLOEXEC,
                None, // NETLINK_ROUTE
            )
            .context("no netlink socket")
        })
        .join()
        .map_err(|_| anyhow!("the thread that opens the socket panicked"))??;
        sockopt::set_socket_recv_buffer_size_force(&fd, RECEIVE_BUFFER)
            .context("receive buffer of the netlink socket")?;
        Ok(Self { fd, sequence: 0 })
    }

    /// The prefix that each address matches, as first address and length; none: no route. [`BATCH`] addresses at most.
    ///
    /// # Errors
    /// The kernel refuses a question, or answers out of order.
    pub fn routes(&mut self, addresses: &[u128]) -> Result<Vec<Option<(u128, u8)>>> {
        ensure!(addresses.len() <= BATCH, "{} addresses", addresses.len());
        let first = self.sequence;
        let mut questions = Vec::with_capacity(addresses.len() * QUESTION);
        for address in addresses {
            self.sequence = self.sequence.wrapping_add(1);
            questions.extend((QUESTION as u32).to_ne_bytes());
            questions.extend(GET_ROUTE.to_ne_bytes());
            questions.extend(REQUEST.to_ne_bytes());
            questions.extend(self.sequence.to_ne_bytes());
            questions.extend(0_u32.to_ne_bytes());
            // Family, lengths of destination and source, and what is left open: class, table, origin, scope, kind.
            questions.extend([AF_INET6, 128, 0, 0, 0, 0, 0, 0]);
            questions.extend(FIB_MATCH.to_ne_bytes());
            questions.extend(20_u16.to_ne_bytes());
            questions.extend(DESTINATION.to_ne_bytes());
            questions.extend(address.to_be_bytes());
        }
        let sent = send(&self.fd, &questions, SendFlags::empty()).context("ask for routes")?;
        ensure!(sent == questions.len(), "{sent} octets of questions sent");
        let mut routes = Vec::with_capacity(addresses.len());
        let mut buffer = [MaybeUninit::uninit(); 16384];
        while routes.len() < addresses.len() {
            let ((received, _), _) =
                recv(&self.fd, &mut buffer[..], RecvFlags::empty()).context("answers")?;
            let mut messages = &*received;
            while !messages.is_empty() {
                let length = u32_at(messages, 0)? as usize;
                let message = messages.get(..length).context("a message is cut short")?;
                let expected = first.wrapping_add(routes.len() as u32 + 1);
                let sequence = u32_at(message, 8)?;
                ensure!(sequence == expected, "answer {sequence}, not {expected}");
                routes.push(route(message)?);
                messages = messages
                    .get(length.next_multiple_of(4)..)
                    .unwrap_or_default();
            }
        }
        Ok(routes)
    }
}

/// The prefix in an answer.
fn route(message: &[u8]) -> Result<Option<(u128, u8)>> {
    match u16_at(message, 4)? {
        ROUTE => {}
        ERROR => {
            let code = u32_at(message, 16)?.cast_signed();
            let error = Errno::from_raw_os_error(-code);
            ensure!(error == Errno::NETUNREACH, "the kernel says {error}");
            return Ok(None);
        }
        kind => bail!("a message of kind {kind}"),
    }
    let length = *message.get(17).context("no destination length")?;
    let mut attributes = message.get(28..).context("no attributes")?;
    while attributes.len() >= 4 {
        let octets = usize::from(u16_at(attributes, 0)?);
        if u16_at(attributes, 2)? == DESTINATION {
            let address = attributes.get(4..20).context("a short destination")?;
            return Ok(Some((u128::from_be_bytes(address.try_into()?), length)));
        }
        attributes = attributes
            .get(octets.max(4).next_multiple_of(4)..)
            .unwrap_or_default();
    }
    // The default route is told without a destination.
    ensure!(
        length == 0,
        "a route of length {length} without destination"
    );
    Ok(Some((0, 0)))
}

fn u16_at(octets: &[u8], at: usize) -> Result<u16> {
    let two = octets.get(at..at + 2).context("a message is cut short")?;
    Ok(u16::from_ne_bytes(two.try_into()?))
}

fn u32_at(octets: &[u8], at: usize) -> Result<u32> {
    let four = octets.get(at..at + 4).context("a message is cut short")?;
    Ok(u32::from_ne_bytes(four.try_into()?))
}
