//! Connections of PIs with `discipline = "streams"`, set up and taken down at run time.
//!
//! Admission is the worker's, which alone knows what there is. What it reckons with follows from the
//! schedules: the one in force and those that are to follow, of which each has to hold what is
//! promised. Must never let a connection in while a schedule is being changed.

mod answers;
mod terms;

use std::sync::PoisonError;

use pinode_classifier::Vn;
use pinode_scheduler::LinkRate;
use pinode_scheduler::level2::ClassCounters;
use pinode_scheduler::level2::streams::{
    Block, ConnectError, Connection, LABEL_LEAST, LABEL_MOST, Service, Tolerance,
};

use super::{Operator, worker_gone};
use crate::config::{BUFFER, Held, Level2Config, StreamConfig};
use crate::control::{
    ControlError, STREAMS_MOST, StreamBuffers, StreamCause, StreamClass, StreamGranted, StreamName,
    StreamPage, StreamRefused, StreamReleased, StreamRequest, StreamStatus, Streams,
};
use crate::dataplane::clock::{Clock as _, Monotonic};
use crate::dataplane::streams::{ORDER_MOST, StreamOrder, StreamSum};
use crate::operator::schedules::Schedules;
use answers::{configured, counters, no_such, refused};
use terms::InForce;

/// Connections that are listed by one order: as many as a worker may look at between two bursts.
const LISTED: usize = 256;
/// Octets of the shortest frame, with FCS.
const FRAME_LEAST: u32 = 64;

/// A PI at a port whose connections are asked about.
#[derive(Clone, Copy)]
struct Place {
    port: usize,
    slot: usize,
}

type Answers<T> = Vec<Result<T, StreamRefused>>;

impl Operator {
    fn place(&self, port: &str, pi: &str) -> Result<Place, ControlError> {
        let (port, slot) = (self.port(port)?, self.slot("pi", pi)?);
        match &self.config.pis[slot].level2 {
            Level2Config::Streams(_) => Ok(Place { port, slot }),
            other => Err(ControlError::Refused {
                at: format!("pi.{pi}.level2"),
                what: format!(
                    "has no connections: its discipline is {:?}; needed: \"streams\"",
                    other.name()
                ),
            }),
        }
    }

    pub(super) fn connect(
        &self,
        port: &str,
        pi: &str,
        items: &[StreamRequest],
    ) -> Result<Answers<StreamGranted>, ControlError> {
        let at = self.place(port, pi)?;
        within(items.len())?;
        let mut all = self
            .schedules
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let schedules = &mut all[at.port];
        schedules.settle(Monotonic.now_ns());
        let in_force = self.in_force(at, schedules);
        let mut answers: Vec<Result<Connection, StreamRefused>> = items
            .iter()
            .map(|item| self.contract(at, &in_force, item))
            .collect();
        let mut sum = None;
        let mut asked: Vec<&mut Result<Connection, StreamRefused>> =
            answers.iter_mut().filter(|answer| answer.is_ok()).collect();
        for some in asked.chunks_mut(ORDER_MOST) {
            let contracts = some
                .iter()
                .filter_map(|answer| answer.as_ref().ok().copied());
            let connect: Vec<_> = contracts.map(|contract| (contract, None)).collect();
            let order = self.order(
                at,
                StreamOrder {
                    terms: Some(in_force.terms()),
                    blocks: blocks(&connect),
                    connect,
                    ..StreamOrder::default()
                },
            )?;
            sum = order.sum;
            for (answer, (contract, outcome)) in some.iter_mut().zip(order.connect) {
                if let Some(Err(error)) = outcome {
                    **answer = Err(refused(contract.vn, contract.label, error));
                }
            }
        }
        let Some(sum) = sum else {
            return Ok(answers
                .into_iter()
                .map(|answer| answer.map(|c| in_force.granted(&c, None)))
                .collect());
        };
        let in_force = self.grow(at, schedules, in_force, &sum)?;
        let granted = |answer: Result<Connection, StreamRefused>| {
            answer.map(|contract| in_force.granted(&contract, Some(&sum)))
        };
        Ok(answers.into_iter().map(granted).collect())
    }

    pub(super) fn disconnect(
        &self,
        port: &str,
        pi: &str,
        items: &[StreamName],
    ) -> Result<Answers<StreamReleased>, ControlError> {
        let at = self.place(port, pi)?;
        within(items.len())?;
        // One that is being set up is there or not.
        let _all = self
            .schedules
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut answers: Answers<StreamReleased> = Vec::with_capacity(items.len());
        for some in items.chunks(ORDER_MOST) {
            let may = |name: &&StreamName| !self.is_configured(at, name.vn, name.label);
            let disconnect: Vec<_> = some
                .iter()
                .filter(may)
                .map(|name| (name.vn, name.label, None))
                .collect();
            let order = self.order(
                at,
                StreamOrder {
                    blocks: Vec::with_capacity(disconnect.len()),
                    disconnect,
                    ..StreamOrder::default()
                },
            )?;
            let mut done = order.disconnect.into_iter();
            for name in some {
                let StreamName { vn, label } = *name;
                let answer = match may(&name) {
                    true => done.next().and_then(|(_, _, released)| released),
                    false => {
                        answers.push(Err(configured(vn, label)));
                        continue;
                    }
                };
                answers.push(match answer {
                    Some(released) => Ok(StreamReleased {
                        vn,
                        label,
                        counters: counters(&released.counters),
                    }),
                    None => Err(no_such(vn, label)),
                });
            }
        }
        Ok(answers)
    }

    pub(super) fn connections(
        &self,
        port: &str,
        pi: &str,
        page: StreamPage,
    ) -> Result<Streams, ControlError> {
        let at = self.place(port, pi)?;
        let mut all = self
            .schedules
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let schedules = &mut all[at.port];
        schedules.settle(Monotonic.now_ns());
        let in_force = self.in_force(at, schedules);
        let from = page.from as usize;
        let most = page.most.min(STREAMS_MOST);
        let (list, sum) = self.list(at, from, most, Some(&in_force))?;
        let listed = |(contract, counted): &(Connection, ClassCounters)| StreamStatus {
            granted: in_force.granted(contract, Some(&sum)),
            configured: self.is_configured(at, contract.vn, contract.label),
            counters: counters(counted),
        };
        let next = from.saturating_add(list.len());
        Ok(Streams {
            guaranteed_bps: in_force.guaranteed_bps,
            reserved_bps: sum.reserved.rate_bps,
            signalling_bps: sum.signalling_bps,
            spare_bps: sum.spare.0,
            buffer: StreamBuffers {
                frames: sum.spare.1.saturating_add(sum.reserved.frames),
                reserved: sum.reserved.frames,
            },
            count: sum.count,
            most: sum.most,
            signalling: counters(&sum.signalling),
            connections: list.iter().map(listed).collect(),
            next: u32::try_from(next).ok().filter(|next| *next < sum.count),
        })
    }

    /// Connections of constant rate of all PIs at a port, by slot, with what is in force.
    pub(super) fn held(
        &self,
        port: usize,
        schedules: &Schedules,
    ) -> Result<Vec<Held>, ControlError> {
        let one = |slot: usize| {
            let at = Place { port, slot };
            if !matches!(self.config.pis[slot].level2, Level2Config::Streams(_)) {
                return Ok(Held::default());
            }
            let (list, _) = self.list(at, 0, usize::MAX, None)?;
            let cbr = list.into_iter().filter(|(c, _)| c.service == Service::Cbr);
            let stream = |(contract, _): (Connection, ClassCounters)| StreamConfig {
                port: self.config.ports[port].name.clone(),
                vn: Vn::new(contract.vn).unwrap_or(Vn::DEFAULT),
                label: contract.label,
                rate_bps: contract.peak.map_or(0, LinkRate::bits_per_s),
                tolerance_ns: match contract.tolerance {
                    Tolerance::Own(own_ns) => Some(own_ns),
                    Tolerance::Shared(_) => None,
                },
                buffer: contract.buffer,
                max_frame: Some(contract.largest),
            };
            Ok(Held {
                streams: cbr.map(stream).collect(),
                filled_ns: schedules.tolerances_ns.get(slot).copied(),
            })
        };
        (0..self.config.pis.len()).map(one).collect()
    }

    /// Up to `most` connections from the one at `from` on. `in_force`: terms that have changed.
    fn list(
        &self,
        at: Place,
        from: usize,
        most: usize,
        in_force: Option<&InForce>,
    ) -> Result<(Vec<(Connection, ClassCounters)>, StreamSum), ControlError> {
        let mut all = Vec::new();
        loop {
            let room = LISTED.min(most - all.len());
            let order = self.order(
                at,
                StreamOrder {
                    terms: in_force.map(InForce::terms),
                    from: from.saturating_add(all.len()),
                    list: Vec::with_capacity(room),
                    ..StreamOrder::default()
                },
            )?;
            let Some(sum) = order.sum else {
                return Err(lost(at));
            };
            let ended = order.list.len() < room;
            all.extend(order.list);
            if ended || all.len() >= most {
                all.truncate(most);
                return Ok((all, sum));
            }
        }
    }

    fn order(&self, at: Place, order: StreamOrder) -> Result<StreamOrder, ControlError> {
        let Place { port, slot } = at;
        let done = self.workers.streams(slot, port, Box::new(order));
        let done = *done.map_err(worker_gone)?;
        match done.sum {
            Some(_) => Ok(done),
            None => Err(lost(at)),
        }
    }

    fn is_configured(&self, at: Place, vn: u8, label: u32) -> bool {
        let port = &self.config.ports[at.port].name;
        let mut all = self.config.pis[at.slot].level2.streams(port);
        all.any(|stream| (stream.vn.get(), stream.label) == (vn, label))
    }

    /// What is asked of the worker, with all that was left out.
    fn contract(
        &self,
        at: Place,
        in_force: &InForce,
        item: &StreamRequest,
    ) -> Result<Connection, StreamRefused> {
        let StreamRequest { vn, label, .. } = *item;
        let no = |cause, what: String| StreamRefused {
            vn,
            label,
            cause,
            what,
        };
        let pi = &self.config.pis[at.slot];
        if !Vn::new(vn).is_ok_and(|known| pi.vns.contains(known)) {
            let what = format!("virtual network {vn} is not one that the PI carries");
            return Err(no(StreamCause::Network, what));
        }
        if !(LABEL_LEAST..=LABEL_MOST).contains(&label) {
            let error = ConnectError::Label { label };
            return Err(refused(vn, label, error));
        }
        let largest = self.config.ports[at.port].largest_frame_of(pi.needs);
        let max_frame = item.max_frame.unwrap_or(largest);
        if !(FRAME_LEAST..=largest).contains(&max_frame) {
            let what = format!(
                "a largest frame of {max_frame} octets; allowed: {FRAME_LEAST} to {largest}"
            );
            return Err(no(StreamCause::MaxFrame, what));
        }
        let peak = item.rate_bps.map(LinkRate::new).transpose();
        let peak = peak.map_err(|error| no(StreamCause::Rate, error.to_string()))?;
        let (service, buffer, tolerance) = match (item.class, peak) {
            (StreamClass::Cbr, None) => {
                return Err(refused(vn, label, ConnectError::NoRate));
            }
            (StreamClass::Cbr, Some(peak)) => {
                if let Some(tolerance_ns) = item.tolerance_ns
                    && tolerance_ns < in_force.least_tolerance_ns
                {
                    let what = format!(
                        "a tolerance of {tolerance_ns} ns is less than the {least} ns that it may have \
                         to wait for its phase; needed: {least} ns at least",
                        least = in_force.least_tolerance_ns
                    );
                    return Err(no(StreamCause::Tolerance, what));
                }
                // What was held up on the way comes late, and behind it what is early: it may catch up.
                let tolerance = match item.tolerance_ns {
                    Some(own_ns) => Tolerance::Own(own_ns),
                    None => Tolerance::Shared(item.early_ns),
                };
                let buffer = in_force.buffer(peak, tolerance, item.early_ns, max_frame);
                (Service::Cbr, buffer, tolerance)
            }
            (StreamClass::Ubr, _) => (Service::Ubr, BUFFER, Tolerance::Shared(0)),
        };
        Ok(Connection {
            vn,
            label,
            service,
            peak,
            tolerance,
            buffer: item.buffer.unwrap_or(buffer),
            largest: max_frame,
        })
    }
}

/// A block for each that labels fall in: more are never needed.
fn blocks(connect: &[(Connection, Option<Result<(), ConnectError>>)]) -> Vec<Block> {
    let mut blocks: Vec<_> = connect
        .iter()
        .map(|(c, _)| Block::of(c.vn, c.label))
        .collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks.iter().map(|_| Block::default()).collect()
}

fn within(items: usize) -> Result<(), ControlError> {
    if items <= STREAMS_MOST {
        return Ok(());
    }
    Err(ControlError::Refused {
        at: "items".to_owned(),
        what: format!("{items} items; allowed: {STREAMS_MOST}"),
    })
}

/// The configuration and the worker do not agree on the discipline.
fn lost(at: Place) -> ControlError {
    ControlError::Failed {
        at: format!("worker.port.{}", at.port),
        what: "the data plane has no connections there".to_owned(),
    }
}
