//! What a running node does with its CPUs, between two readings.
//!
//! Both sides of a point of "CPU use over load", the time spent on frames and the frames, are of the same two
//! readings. Must never be read while a trial runs: guests are woken to be asked.

use std::time::Duration;

use pinode_measure::results::{CpuCheck, CpuPoint, SizeLabel};
use thiserror::Error;

use crate::control::{Control, ControlError};
use crate::dataplane::clock::{Clock as _, Monotonic};
use crate::status::{GuestUsage, Status, WorkerStatus};

/// What the points and checks of the data-plane workers are called.
pub const HOST: &str = "host";
/// A machine that is busy elsewhere may keep a guest from answering in time; it is asked so often.
const ATTEMPTS: u32 = 5;
/// Pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Why there is no figure.
#[derive(Debug, Error)]
pub enum CpuError {
    /// The node does not answer.
    #[error(transparent)]
    Node(#[from] ControlError),
    /// A guest does not say what it does with its time.
    #[error(
        "guest {pi} does not say what it does with its time: it does not forward, hangs, or does not speak the \
         control protocol; CPU use can be measured of built-in guests"
    )]
    Silent {
        /// The guest.
        pi: String,
    },
    /// A guest is another one than before.
    #[error("guest {pi} was started again in the middle of a trial")]
    Restarted {
        /// The guest.
        pi: String,
    },
}

/// All guests and workers at one instant.
#[derive(Debug, Clone)]
pub struct CpuReading {
    guests: Vec<(String, u64, GuestUsage)>,
    workers: Vec<WorkerStatus>,
    /// Frames that ports have received.
    received: u64,
    at_ns: u64,
}

impl CpuReading {
    /// Asks `node` now. It takes a millisecond or so, and wakes its guests.
    ///
    /// # Errors
    ///
    /// The node or a guest does not answer.
    pub fn take(node: &dyn Control) -> Result<Self, CpuError> {
        let mut attempt = 1;
        loop {
            let asked_ns = Monotonic.now_ns();
            match Self::of(&node.status()?, asked_ns) {
                Err(CpuError::Silent { .. }) if attempt < ATTEMPTS => {
                    attempt += 1;
                    std::thread::sleep(PAUSE);
                }
                answer => return answer,
            }
        }
    }

    /// The reading in `status`, of which no part may be older than `asked_ns` of CLOCK_MONOTONIC.
    ///
    /// # Errors
    ///
    /// [`CpuError::Silent`].
    pub fn of(status: &Status, asked_ns: u64) -> Result<Self, CpuError> {
        let guests = status.guests.iter().map(|guest| {
            let fresh = guest.usage.clone().filter(|usage| usage.at_ns >= asked_ns);
            let silent = || CpuError::Silent {
                pi: guest.pi.clone(),
            };
            Ok((guest.pi.clone(), guest.restarts, fresh.ok_or_else(silent)?))
        });
        Ok(Self {
            guests: guests.collect::<Result<_, CpuError>>()?,
            workers: status.workers.clone(),
            received: status.ports.iter().map(|port| port.rx_frames).sum(),
            at_ns: asked_ns,
        })
    }

    /// What was done since `before`. `own_ns`: time that the tester took inside the workers' bursts since then, in
    /// nanoseconds.
    ///
    /// # Errors
    ///
    /// [`CpuError::Restarted`].
    pub fn since(&self, before: &Self, own_ns: u64) -> Result<Vec<Spent>, CpuError> {
        let guests = self.guests.iter().zip(&before.guests);
        let mut all = guests
            .map(|((pi, restarts, now), (_, restarts_then, then))| {
                if restarts != restarts_then || now.up_ns < then.up_ns {
                    return Err(CpuError::Restarted { pi: pi.clone() });
                }
                Ok(Spent::of_guest(pi, then, now))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let wall_ns = self.at_ns.saturating_sub(before.at_ns);
        let frames = self.received.saturating_sub(before.received);
        let mut host = Spent {
            frames,
            wall_ns,
            ..Spent::named(HOST)
        };
        let spent: Vec<Spent> = (self.workers.iter().zip(&before.workers))
            .map(|(now, then)| Spent::of_worker(then, now))
            .collect();
        // With several workers nobody knows whose bursts the tester's ports were in: of each its part by work.
        let busy_ns: u64 = spent.iter().map(|worker| worker.busy_ns).sum();
        for worker in spent {
            let part = if busy_ns == 0 {
                0.0
            } else {
                worker.busy_ns as f64 / busy_ns as f64
            };
            host.on_frames_ns +=
                worker.on_cpu() * (worker.busy_ns as f64 - part * own_ns as f64).max(0.0);
            host.busy_ns += worker.busy_ns;
            host.poll_ns += worker.poll_ns;
            host.cpu_ns += worker.cpu_ns;
            host.wakeups += worker.wakeups;
        }
        all.push(host);
        Ok(all)
    }
}

/// What a guest, or the workers together, did between two readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// A PI's name, or [`HOST`].
    pub name: String,
    /// Frames that were taken.
    pub frames: u64,
    /// CPU time spent on frames, nanoseconds; of the workers without the tester's own and without what others had of
    /// their CPUs.
    pub on_frames_ns: f64,
    /// Time on frames as it was accounted, nanoseconds.
    pub busy_ns: u64,
    /// Time looking for frames in vain as it was accounted, nanoseconds.
    pub poll_ns: u64,
    /// Time in which others had its CPU, in neither, nanoseconds; of the workers it is not known apart.
    pub away_ns: u64,
    /// The threads' CPU time as the kernel has it, nanoseconds; of a guest that of its first vCPU.
    pub cpu_ns: u64,
    /// Times that it woke up.
    pub wakeups: u64,
    /// Time passed, nanoseconds.
    pub wall_ns: u64,
}

impl Spent {
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            frames: 0,
            on_frames_ns: 0.0,
            busy_ns: 0,
            poll_ns: 0,
            away_ns: 0,
            cpu_ns: 0,
            wakeups: 0,
            wall_ns: 0,
        }
    }

    /// A guest's word may go backwards.
    fn of_guest(pi: &str, then: &GuestUsage, now: &GuestUsage) -> Self {
        let first = |usage: &GuestUsage| usage.cpu_ns.first().copied().unwrap_or(0);
        let busy_ns = now.busy_ns.saturating_sub(then.busy_ns);
        Self {
            frames: now.frames.saturating_sub(then.frames),
            on_frames_ns: busy_ns as f64,
            busy_ns,
            poll_ns: now.poll_ns.saturating_sub(then.poll_ns),
            away_ns: now.away_ns.saturating_sub(then.away_ns),
            cpu_ns: first(now).saturating_sub(first(then)),
            wakeups: now.wakeups.saturating_sub(then.wakeups),
            wall_ns: now.up_ns.saturating_sub(then.up_ns),
            ..Self::named(pi)
        }
    }

    fn of_worker(then: &WorkerStatus, now: &WorkerStatus) -> Self {
        Self {
            busy_ns: now.busy_ns.saturating_sub(then.busy_ns),
            poll_ns: now.idle_ns.saturating_sub(then.idle_ns),
            cpu_ns: now.cpu_ns.saturating_sub(then.cpu_ns),
            wakeups: now.sleeps.saturating_sub(then.sleeps),
            ..Self::named(HOST)
        }
    }

    /// Of the time in which it was awake, the part in which it had its CPU. Whatever takes a worker's CPU away takes
    /// it from work and from looking alike, as it looks all the time that it does not work.
    fn on_cpu(&self) -> f64 {
        let awake_ns = (self.busy_ns + self.poll_ns) as f64;
        if awake_ns > 0.0 {
            (self.cpu_ns as f64 / awake_ns).min(1.0)
        } else {
            1.0
        }
    }

    /// The point of a trial in which frames were due for `trial_s` seconds. Outside of them no frame was under way
    /// but the last, so that is the time that both sides are divided by.
    #[must_use]
    pub fn point(&self, of: &PointOf<'_>, trial_s: f64) -> CpuPoint {
        CpuPoint {
            pi: self.name.clone(),
            isolation: of.isolation.to_owned(),
            size: of.size.clone(),
            offered_l2_bps: of.offered_l2_bps,
            kfps: self.frames as f64 / trial_s / 1e3,
            percent: self.on_frames_ns / trial_s / 1e9 * 100.0,
            lossless: of.lossless,
        }
    }

    /// Its accounting beside the kernel's.
    #[must_use]
    pub fn check(&self, of: &PointOf<'_>) -> CpuCheck {
        let seconds = self.wall_ns as f64 / 1e9;
        CpuCheck {
            pi: self.name.clone(),
            isolation: of.isolation.to_owned(),
            size: Some(of.size.clone()),
            fps: if seconds > 0.0 {
                self.frames as f64 / seconds
            } else {
                0.0
            },
            busy_ns: self.busy_ns,
            poll_ns: self.poll_ns,
            away_ns: self.away_ns,
            thread_cpu_ns: self.cpu_ns,
            wakeups: self.wakeups,
            wall_ns: self.wall_ns,
        }
    }
}

/// What a point is of.
#[derive(Debug, Clone, Copy)]
pub struct PointOf<'a> {
    /// `kvm` or `thread`.
    pub isolation: &'a str,
    /// Frames.
    pub size: &'a SizeLabel,
    /// Offered to each PI, bits per second with FCS.
    pub offered_l2_bps: f64,
    /// No frame was lost.
    pub lossless: bool,
}

#[cfg(test)]
#[path = "cpu_tests.rs"]
mod tests;
