//! What connections have reserved in level 2 of ports.

use std::collections::{BTreeMap, BTreeSet};

use pinode_signaling::Class;
use pinode_signaling::daemon::switch::{Place, Refusal, Way};

use crate::control::{
    Control, STREAMS_MOST, StreamCause, StreamClass, StreamName, StreamRefused, StreamRequest,
};

/// What is reserved for connections that were signalled.
pub(super) struct Reserved {
    pi: String,
    /// Names of ports, by their number.
    ports: Vec<String>,
    has: BTreeSet<Place>,
    /// By how much frames may be held up before they come here.
    jitter_ns: u64,
}

impl Reserved {
    pub fn new(pi: &str, ports: Vec<String>, jitter_ns: u64) -> Self {
        Self {
            pi: pi.to_owned(),
            ports,
            has: BTreeSet::new(),
            jitter_ns,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.has.len()
    }

    fn port(&self, number: u16) -> &str {
        self.ports
            .get(usize::from(number))
            .map_or("", String::as_str)
    }

    /// Reserves for ways of connections; what became of each.
    pub fn reserve(&mut self, control: &dyn Control, ways: &[Way]) -> Vec<Result<(), Refusal>> {
        let mut by_port: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (index, way) in ways.iter().enumerate() {
            by_port.entry(way.to.port).or_default().push(index);
        }
        let mut done: Vec<Result<(), Refusal>> = ways.iter().map(|_| Ok(())).collect();
        for (port, indices) in by_port {
            for indices in indices.chunks(STREAMS_MOST) {
                let items = indices.iter().filter_map(|index| ways.get(*index));
                let items = items.map(|way| request(way, self.jitter_ns)).collect();
                let name = self.port(port);
                let answers = control.connect_streams(name, &self.pi, items);
                let answers = match answers {
                    Ok(answers) => answers
                        .into_iter()
                        .map(|answer| answer.map(|_| ()).map_err(|error| refusal(name, error)))
                        .collect(),
                    Err(error) => {
                        let failed = || Err(Refusal::Failed(error.to_string()));
                        indices.iter().map(|_| failed()).collect::<Vec<_>>()
                    }
                };
                for (index, answer) in indices.iter().zip(answers) {
                    if answer.is_ok() {
                        self.has.insert(ways[*index].to);
                    }
                    done[*index] = answer;
                }
            }
        }
        done
    }

    /// Frees what ways of connections have reserved.
    pub fn free(&mut self, control: &dyn Control, places: impl IntoIterator<Item = Place>) {
        let mut by_port: BTreeMap<u16, Vec<StreamName>> = BTreeMap::new();
        for place in places {
            if self.has.remove(&place) {
                let Place { port, vn, label } = place;
                let name = StreamName { vn, label };
                by_port.entry(port).or_default().push(name);
            }
        }
        for (port, names) in by_port {
            for items in names.chunks(STREAMS_MOST) {
                let freed = control.disconnect_streams(self.port(port), &self.pi, items.to_vec());
                if let Err(error) = freed {
                    // The worker is gone, and all that was reserved with it.
                    tracing::warn!(pi = %self.pi, %error, "what connections had reserved is not freed");
                }
            }
        }
    }

    /// Frees all of it.
    pub fn clear(&mut self, control: &dyn Control) {
        let all = self.has.clone();
        self.free(control, all);
    }
}

fn request(way: &Way, jitter_ns: u64) -> StreamRequest {
    let traffic = way.traffic;
    StreamRequest {
        vn: way.to.vn,
        label: way.to.label,
        class: match traffic.class {
            Class::Cbr => StreamClass::Cbr,
            Class::Ubr => StreamClass::Ubr,
        },
        rate_bps: traffic.wire_bps(),
        tolerance_ns: None,
        buffer: None,
        early_ns: traffic.cdvt_ns.saturating_add(jitter_ns),
        max_frame: Some(max_frame(traffic.max_sdu)),
    }
}

/// Octets of a frame with this payload, FCS among them.
fn max_frame(max_sdu: u16) -> u32 {
    const HEADERS: u32 = 14 + 1 + 8 + 4;
    // The shortest frame of Ethernet (IEEE 802.3-2018 3.2.8).
    (u32::from(max_sdu) + HEADERS).max(64)
}

fn refusal(port: &str, refused: StreamRefused) -> Refusal {
    let what = format!("port {port}: {}", refused.what);
    match refused.cause {
        StreamCause::Rate => Refusal::Rate(what),
        StreamCause::Buffer | StreamCause::Most => Refusal::Full(what),
        StreamCause::Network
        | StreamCause::Label
        | StreamCause::Taken
        | StreamCause::Tolerance
        | StreamCause::MaxFrame
        | StreamCause::NoSuch
        | StreamCause::Configured => Refusal::Failed(what),
    }
}
