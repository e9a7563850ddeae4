//! What can be wrong with a port: its configured form, its interface, the permission to use it.

use std::io;
use std::path::PathBuf;

use crate::memif::MemifError;

/// A backend's string form that says nothing a port can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The part in front of the colon names no backend.
    #[error(
        "unknown backend \"{given}\"; allowed: memory:NAME, af_xdp:IF, af_packet:IF, tap:IF, pcap:IN.pcap,OUT.pcap, memif:SOCKET"
    )]
    UnknownBackend {
        /// What was written.
        given: String,
    },
    /// Nothing behind the colon, or no colon.
    #[error("backend \"{given}\" lacks its {what}; the form is {form}")]
    Incomplete {
        /// What was written.
        given: String,
        /// What is missing.
        what: &'static str,
        /// The full form.
        form: &'static str,
    },
    /// What stands behind `memif:`.
    #[error("backend memif: {0}; the form is memif:SOCKET,role=master,id=0,ring=1024")]
    Memif(#[from] MemifError),
    /// The kernel accepts no interface of this name.
    #[error(
        "\"{given}\" cannot be an interface name: 1 to 15 octets without '/', ':' or white space are allowed"
    )]
    InterfaceName {
        /// The name.
        given: String,
    },
}

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The interface does not exist.
    #[error(
        "there is no network interface \"{interface}\" in this network namespace; `ip -brief link` lists those there are"
    )]
    NoInterface {
        /// Its name.
        interface: String,
    },
    /// The process may not do what the backend needs.
    #[error(
        "not permitted to {action} for {backend}; run as root, or give the program {capability} (setcap {capability}+ep)"
    )]
    Permission {
        /// The backend in its string form.
        backend: String,
        /// What was refused.
        action: &'static str,
        /// The capabilities that allow it.
        capability: &'static str,
    },
    /// The interface carries smaller frames than the port is configured for.
    #[error(
        "interface \"{interface}\" has an MTU of {has}, the port is configured for {wants}: `ip link set dev {interface} mtu {wants}`, or mtu = {has} in the port's configuration"
    )]
    InterfaceMtu {
        /// Its name.
        interface: String,
        /// MTU of the interface, octets.
        has: u32,
        /// MTU of the port, octets.
        wants: u16,
    },
    /// The backend cannot carry frames of the configured MTU.
    #[error(
        "{backend} carries an MTU of at most {limit}, the port is configured for {wants}{instead}"
    )]
    MtuTooLarge {
        /// The backend in its string form.
        backend: String,
        /// Largest MTU it carries, octets.
        limit: u16,
        /// MTU of the port, octets.
        wants: u16,
        /// What to use instead.
        instead: &'static str,
    },
    /// The interface has fewer receive queues than the node has workers for them.
    #[error(
        "interface \"{interface}\" has {has} receive queue(s), {wants} workers want one each: `ethtool -L {interface} combined {wants}` (on a veth `ethtool -L {interface} rx {wants} tx {wants}`, made with `numrxqueues {wants} numtxqueues {wants}`), or workers = {has}"
    )]
    TooFewQueues {
        /// Its name.
        interface: String,
        /// Receive queues it has.
        has: u32,
        /// Ports asked for.
        wants: usize,
    },
    /// Another XDP program holds the interface.
    #[error(
        "interface \"{interface}\" already runs an XDP program; `ip -details link show dev {interface}` shows it, `ip link set dev {interface} xdp off` removes it unless a running process holds it"
    )]
    ProgramAttached {
        /// Its name.
        interface: String,
    },
    /// Another socket holds a queue of the interface, or another process holds the TAP.
    #[error("{backend} is in use by another process or another port of this node")]
    InUse {
        /// The backend in its string form.
        backend: String,
    },
    /// The frame memory of AF_XDP does not fit into what may be locked.
    #[error(
        "{backend} needs {needs_kib} KiB of locked memory, the limit is {limit_kib} KiB; raise it (`ulimit -l`, LimitMEMLOCK=) or give the program cap_ipc_lock"
    )]
    LockedMemory {
        /// The backend in its string form.
        backend: String,
        /// KiB that have to be locked for this port.
        needs_kib: u64,
        /// RLIMIT_MEMLOCK in KiB.
        limit_kib: u64,
    },
    /// The kernel lacks what the backend is built on.
    #[error("this kernel does not offer {what}, which {backend} needs; {instead}")]
    Unsupported {
        /// The backend in its string form.
        backend: String,
        /// What is missing.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// A third port on a cable.
    #[error("memory:{name} already joins two ports; a cable has two ends")]
    CableTaken {
        /// The cable's name.
        name: String,
    },
    /// A trace file cannot be opened, created or read.
    #[error("cannot {action} trace {path:?}: {source}")]
    File {
        /// Its path.
        path: PathBuf,
        /// `open`, `create`, `read`.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A trace file is no pcap or pcapng file, or not one of Ethernet frames.
    #[error(
        "trace {path:?} {what}; pcap and pcapng files of Ethernet frames (link type 1) are allowed"
    )]
    Trace {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// More queues than the backend has.
    #[error("{backend} has 1 to {limit} queues, {queues} are wanted; workers = {limit} at most")]
    Queues {
        /// The backend in its string form.
        backend: String,
        /// Queues wanted.
        queues: usize,
        /// Most queues.
        limit: usize,
    },
    /// Rings that offsets of 32 bits cannot reach.
    #[error(
        "{backend} needs {needs_mib} MiB of shared memory, memif has {limit_mib} MiB at most; take a smaller ring=, MTU or number of workers"
    )]
    SharedMemory {
        /// The backend in its string form.
        backend: String,
        /// MiB of all rings and buffers.
        needs_mib: u64,
        /// Most MiB.
        limit_mib: u64,
    },
    /// Any other refusal of the system.
    #[error("{backend}: {action} failed: {source}")]
    System {
        /// The backend in its string form.
        backend: String,
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// Turns refusals of the system into port errors for one backend.
#[derive(Clone)]
pub(crate) struct Blame(pub(crate) String);

impl Blame {
    /// The error for a refused `action`, which `capability` would allow.
    pub(crate) fn refused(
        &self,
        action: &'static str,
        capability: &'static str,
        source: impl Into<io::Error>,
    ) -> PortError {
        let (backend, source) = (self.0.clone(), source.into());
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => PortError::Permission {
                backend,
                action,
                capability,
            },
            Some(libc::EBUSY) => PortError::InUse { backend },
            _ => PortError::System {
                backend,
                action,
                source,
            },
        }
    }
}
