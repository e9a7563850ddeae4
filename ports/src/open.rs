//! From a port's specification to the port.

use std::collections::HashMap;

use rustix::time::{ClockId, clock_gettime};

use crate::af_packet::AfPacketPort;
use crate::af_xdp::AfXdpPort;
use crate::error::PortError;
use crate::memif::MemifPort;
use crate::memory::{self, MemoryPort};
use crate::pcap::PcapPort;
use crate::port::{Port, slot_octets_for};
use crate::spec::{BackendSpec, PortSpec};
use crate::tap::TapPort;

/// The memory cables of a node: remembers the end that waits for its other port.
#[derive(Default)]
pub struct Cables(HashMap<String, Option<MemoryPort>>);

impl Cables {
    fn plug(&mut self, name: &str, slot_octets: usize) -> Result<MemoryPort, PortError> {
        if let Some(waiting) = self.0.get_mut(name) {
            return waiting.take().ok_or_else(|| PortError::CableTaken {
                name: name.to_owned(),
            });
        }
        let (near, far) = memory::cable(memory::DEFAULT_SLOTS, slot_octets);
        self.0.insert(name.to_owned(), Some(far.named(name)));
        Ok(near.named(name))
    }
}

/// Opens a port: `spec.queues` ports that share its frames, or one where the backend has no queues. Each
/// receives what is in its own queue and may send. Keep `cables` until every port of the node is open: a memory port whose name nobody else
/// took by then has no far end, and what it sends vanishes.
///
/// # Errors
/// Whatever stands against it, with what to do.
pub fn open(spec: &PortSpec, cables: &mut Cables) -> Result<Vec<Box<dyn Port>>, PortError> {
    let queues = spec.queues;
    Ok(match &spec.backend {
        BackendSpec::Memory { name } => boxed([cables.plug(name, slot_octets_for(spec.mtu))?]),
        BackendSpec::AfXdp { interface } => boxed(AfXdpPort::open(interface, spec.mtu, queues)?),
        BackendSpec::AfPacket { interface } => {
            boxed(AfPacketPort::open(interface, spec.mtu, queues)?)
        }
        BackendSpec::Tap { interface } => boxed(TapPort::open(interface, spec.mtu, queues)?),
        BackendSpec::Memif(memif) => boxed(MemifPort::open(memif, spec.mtu, queues)?),
        BackendSpec::Pcap { input, output } => boxed([PcapPort::open(
            input.as_deref(),
            output.as_deref(),
            spec.mtu,
            wall_at_zero_ns(),
        )?]),
    })
}

fn boxed<P: Port + 'static>(ports: impl IntoIterator<Item = P>) -> Vec<Box<dyn Port>> {
    let boxed = |port| -> Box<dyn Port> { Box::new(port) };
    ports.into_iter().map(boxed).collect()
}

/// UTC in nanoseconds since 1970 at which CLOCK_MONOTONIC was zero.
fn wall_at_zero_ns() -> u64 {
    let nanoseconds = |id| {
        let at = clock_gettime(id);
        u64::try_from(at.tv_sec).unwrap_or(0) * 1_000_000_000
            + u64::try_from(at.tv_nsec).unwrap_or(0)
    };
    nanoseconds(ClockId::Realtime).saturating_sub(nanoseconds(ClockId::Monotonic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{RxBurst, TxMeta, TxSlots};

    fn spec(backend: &str) -> PortSpec {
        PortSpec {
            backend: backend.parse().expect("a backend"),
            mtu: 1500,
            queues: 1,
        }
    }

    fn only(spec: &PortSpec, cables: &mut Cables) -> Box<dyn Port> {
        let mut ports = open(spec, cables).expect("opens");
        assert_eq!(ports.len(), 1);
        ports.remove(0)
    }

    fn send(port: &mut dyn Port) -> usize {
        let mut slots = TxSlots::new();
        port.tx_slots(1, &mut slots);
        drop(slots);
        port.tx_commit(&[TxMeta {
            len: 60,
            start_ns: 0,
        }])
    }

    fn received(port: &mut dyn Port) -> usize {
        let mut burst = RxBurst::new();
        port.rx_burst(0, &mut burst);
        burst.len()
    }

    #[test]
    fn two_ports_of_one_name_are_joined_a_third_is_refused() {
        let mut cables = Cables::default();
        let mut a = only(&spec("memory:left"), &mut cables);
        let mut other = only(&spec("memory:right"), &mut cables);
        let mut b = only(&spec("memory:left"), &mut cables);
        let error = open(&spec("memory:left"), &mut cables)
            .err()
            .expect("refused")
            .to_string();
        assert!(
            error.contains("memory:left") && error.contains("two ends"),
            "{error}"
        );
        drop(cables);
        assert_eq!(
            (send(&mut a), received(&mut b), received(&mut other)),
            (1, 1, 0)
        );
        assert!(a.describe().contains("left") && a.describe().contains("cable"));
        assert!(
            other.describe().contains("no far end"),
            "{}",
            other.describe()
        );
        assert_eq!(send(&mut other), 1);
    }

    #[test]
    fn traces_open_by_their_form() {
        let dir = tempfile::tempdir().expect("a directory");
        let form = format!("pcap:,{}", dir.path().join("out.pcap").display());
        let mut port = only(&spec(&form), &mut Cables::default());
        assert_eq!((send(&mut port), received(&mut port)), (1, 0));
    }
}
