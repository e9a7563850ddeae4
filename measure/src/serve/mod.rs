//! One end of a measurement whose other end is another tester: a source alone, or a sink alone.
//!
//! The sink needs no plan: it learns streams from the frames that come ([`Listener`]). Clocks are injected; a
//! latency is right only if both ends read one clock. Loss, order, duplicates and changes need none.

mod listener;

use std::time::Duration;

use pinode_ports::{BURST, Port, RxBurst, Wake};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::burst;
use crate::pause::Pauses;
use crate::plan::Plan;
use crate::source::Sent;
use crate::stats::Summary;
use crate::stream::Stream;
use crate::trial::Glimpse;

pub use listener::{Heard, Listener, MOST_STREAMS};

/// How often the one who watches is told, nanoseconds.
const WATCH_NS: u64 = 100_000_000;
/// Longest rest, nanoseconds: the watch is looked at as often.
const LONGEST_REST_NS: u64 = 1_000_000;
/// A rest ends so long before the next frame is due, nanoseconds: timers are late by 50 us and more.
const WAKE_EARLY_NS: u64 = 120_000;
/// Polled in vain for so long before a rest, nanoseconds.
const POLL_NS: u64 = 200_000;

/// What a source sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// Of each stream, in their order.
    pub sent: Vec<Sent>,
    /// How long after it was due each frame was handed over, nanoseconds.
    pub pacing_ns: Summary,
    /// Time in which frames were due, seconds, without its pauses.
    pub duration_s: f64,
    /// How late it was, and paused for it.
    pub pauses: Pauses,
    /// Frames that the port took and the system refused later.
    pub tx_lost: u64,
}

/// Sends `streams` into `port` for `duration`, or until `watch`, called about ten times a second, says no.
///
/// `clock` reads nanoseconds: the send times of frames. `epoch` is the number of the trial.
pub fn send(
    port: &mut dyn Port,
    streams: &[Stream],
    epoch: u8,
    duration: Duration,
    clock: impl Fn() -> u64,
    watch: &mut dyn FnMut(Glimpse) -> bool,
) -> Served {
    let mut plan = Plan::new(streams, &[], epoch);
    let lost_before = port.tx_lost();
    let began_ns = clock();
    let mut end_ns = began_ns.saturating_add(nanoseconds(duration));
    plan.source.pause_when_late(nanoseconds(duration));
    plan.source.start(began_ns);
    plan.source.stop(end_ns);
    let mut watched_ns = began_ns;
    loop {
        let now = clock();
        if now.saturating_sub(watched_ns) >= WATCH_NS {
            watched_ns = now;
            let glimpse = Glimpse {
                elapsed_s: now.saturating_sub(began_ns) as f64 / 1e9,
                sent: plan.sent(),
                ..Glimpse::default()
            };
            if !watch(glimpse) && plan.source.due_ns() < u64::MAX {
                // Pauses are within it.
                end_ns = now.saturating_sub(plan.source.pauses().shift_ns());
                plan.source.stop(now);
            }
        }
        let sent = burst::send(port, &mut plan, now, &clock);
        let due_ns = plan.source.due_ns();
        if due_ns == u64::MAX {
            break;
        }
        if sent == 0 {
            discard(port, now);
            wait(port, now, due_ns.saturating_sub(now), now);
        }
    }
    plan.source.give_up_rest();
    // Frames that the port still holds go out with the next looks at it.
    discard(port, clock());
    Served {
        pauses: plan.source.pauses(),
        sent: plan.source.sent().collect(),
        pacing_ns: Summary::of(&plan.pacing),
        duration_s: end_ns.saturating_sub(began_ns) as f64 / 1e9,
        tx_lost: port.tx_lost().saturating_sub(lost_before),
    }
}

/// Counts what comes out of `port` until `watch`, called about ten times a second, says no.
pub fn listen(
    port: &mut dyn Port,
    listener: &mut Listener,
    clock: impl Fn() -> u64,
    watch: &mut dyn FnMut(&Listener) -> bool,
) {
    let missed_before = port.missed();
    let (mut watched_ns, mut active_ns) = (clock(), clock());
    loop {
        let now = clock();
        if now.saturating_sub(watched_ns) >= WATCH_NS {
            watched_ns = now;
            listener.missed(port.missed().saturating_sub(missed_before));
            if !watch(listener) {
                return;
            }
        }
        let mut frames = RxBurst::new();
        port.rx_burst(now, &mut frames);
        if frames.is_empty() {
            drop(frames);
            wait(port, now, LONGEST_REST_NS, active_ns);
            continue;
        }
        let received_ns = clock();
        active_ns = received_ns;
        for frame in &frames {
            listener.absorb(received_ns, frame);
        }
    }
}

/// A source expects nothing: what comes must not fill the port.
fn discard(port: &mut dyn Port, now_ns: u64) {
    for _ in 0..BURST {
        let mut frames = RxBurst::new();
        port.rx_burst(now_ns, &mut frames);
        if frames.is_empty() {
            return;
        }
    }
}

/// Gives the core away for at most `for_ns`, or until a frame comes.
fn wait(port: &mut dyn Port, now_ns: u64, for_ns: u64, active_ns: u64) {
    let rest_ns = for_ns.min(LONGEST_REST_NS).saturating_sub(WAKE_EARLY_NS);
    if rest_ns == 0 || (active_ns != now_ns && now_ns.saturating_sub(active_ns) < POLL_NS) {
        std::thread::yield_now();
        return;
    }
    match port.rest(now_ns) {
        Wake::Frames => {}
        Wake::At(at_ns) => sleep_ns(rest_ns.min(at_ns.saturating_sub(now_ns))),
        Wake::Nothing => sleep_ns(rest_ns),
        Wake::Readable(frames) => {
            let timeout = Timespec {
                tv_sec: 0,
                // Below a second.
                tv_nsec: rest_ns as i64,
            };
            // Whatever ends the rest, the port is looked at next.
            let _ = poll(&mut [PollFd::new(&frames, PollFlags::IN)], Some(&timeout));
        }
    }
    port.resume();
}

fn sleep_ns(time_ns: u64) {
    std::thread::sleep(Duration::from_nanos(time_ns));
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
