//! One side of [`Interfaces`](super::Interfaces): a thread that sends and absorbs over one port, in bursts.
//!
//! Between trials it waits without polling. In a trial nothing on the way of a frame allocates, locks or asks
//! the kernel for more than the port does; when nothing is due and nothing comes, the thread gives its core
//! away: first to whoever wants it, then, for longer waits, altogether.
//!
//! What is sent, what is not, and what the times mean: [`burst`](crate::burst).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pinode_ports::{Port, RxBurst, TxMeta, TxSlots, Wake};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::clock::now_ns;
use crate::burst;
use crate::plan::Plan;

/// Time between two reports to the one who offers the trial, nanoseconds.
const REPORT_NS: u64 = 250_000;
/// Longest rest in a trial, nanoseconds: orders are looked for as often.
const LONGEST_REST_NS: u64 = 1_000_000;
/// A rest ends so long before the next frame is due, nanoseconds: the system's timers are late by 50 us and more.
const WAKE_EARLY_NS: u64 = 120_000;
/// Bursts read before a trial to be rid of what came before it; those behind that are counted as what they are.
const MOST_FLUSHED: usize = 4096;
/// A port is empty when so many bursts in a row were.
const EMPTY_BURSTS: usize = 3;
/// Times that each learning frame is sent.
const LEARNING_ROUNDS: usize = 3;

const NEVER: u64 = u64::MAX;

/// What a station is to do in a trial.
pub(super) struct Job {
    pub(super) plan: Box<Plan>,
    /// Sent before the trial, counted nowhere.
    pub(super) learning: Vec<Box<[u8]>>,
}

/// What both threads see of a trial.
#[derive(Default)]
struct Shared {
    stop_ns: AtomicU64,
    finish: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
    last_ns: AtomicU64,
    is_sent: AtomicBool,
    moved_ns: AtomicU64,
    /// Stored last: all others are at least of this instant.
    at_ns: AtomicU64,
}

/// What a station reported last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    pub(super) at_ns: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) last_ns: u64,
    pub(super) is_sent: bool,
    /// [`Pauses::shift_ns`](crate::pause::Pauses::shift_ns) so far.
    pub(super) moved_ns: u64,
}

/// The other threads' hold on a station.
pub(super) struct Station {
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Box<Plan>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Station {
    /// A thread for `port`, on `cpu` where one is given, which gives its core away altogether after polling for
    /// `poll_for` in vain.
    ///
    /// # Errors
    ///
    /// The thread cannot be made, or not put on that CPU.
    pub(super) fn new(
        name: &str,
        port: Box<dyn Port>,
        cpu: Option<usize>,
        poll_for: Duration,
    ) -> std::io::Result<Self> {
        let (jobs, orders) = sync_channel::<Job>(1);
        let (done_tx, done) = sync_channel(1);
        let (placed_tx, placed) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let mut course = Course {
            port,
            shared: Arc::clone(&shared),
            poll_for_ns: super::nanoseconds(poll_for),
        };
        let serve = move || {
            let place = cpu.map_or(Ok(()), pin);
            let is_placed = place.is_ok();
            if placed_tx.send(place).is_err() || !is_placed {
                return;
            }
            while let Ok(mut job) = orders.recv() {
                course.run(&mut job);
                if done_tx.send(job.plan).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("tester-{name}"))
            .spawn(serve)?;
        let gone = || std::io::Error::other("its thread ended at once");
        placed.recv().map_err(|_| gone())??;
        Ok(Self {
            jobs: Some(jobs),
            done,
            shared,
            thread: Some(thread),
        })
    }

    /// Begins a trial. False: the thread is gone.
    pub(super) fn begin(&self, job: Job) -> bool {
        let Shared {
            stop_ns,
            finish,
            sent,
            received,
            last_ns,
            is_sent,
            moved_ns,
            at_ns,
        } = &*self.shared;
        for counter in [sent, received, last_ns, moved_ns, at_ns] {
            counter.store(0, Ordering::Relaxed);
        }
        stop_ns.store(NEVER, Ordering::Relaxed);
        is_sent.store(false, Ordering::Relaxed);
        finish.store(false, Ordering::Relaxed);
        // The channel hands all of this over.
        self.jobs
            .as_ref()
            .is_some_and(|jobs| jobs.send(job).is_ok())
    }

    /// No frame is due from `end_ns` on.
    pub(super) fn stop(&self, end_ns: u64) {
        self.shared.stop_ns.store(end_ns, Ordering::Release);
    }

    pub(super) fn report(&self) -> Report {
        Report {
            at_ns: self.shared.at_ns.load(Ordering::Acquire),
            sent: self.shared.sent.load(Ordering::Relaxed),
            received: self.shared.received.load(Ordering::Relaxed),
            last_ns: self.shared.last_ns.load(Ordering::Relaxed),
            is_sent: self.shared.is_sent.load(Ordering::Relaxed),
            moved_ns: self.shared.moved_ns.load(Ordering::Relaxed),
        }
    }

    /// Ends the trial and takes the plan back. `None`: the thread is gone.
    pub(super) fn finish(&self) -> Option<Box<Plan>> {
        self.shared.finish.store(true, Ordering::Release);
        self.done.recv().ok()
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.shared.finish.store(true, Ordering::Release);
        self.jobs = None;
        // What a panic of the thread had to say, it has said.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn pin(cpu: usize) -> std::io::Result<()> {
    let mut cpus = CpuSet::new();
    if cpu >= CpuSet::MAX_CPU {
        return Err(std::io::Error::other(format!("there is no CPU {cpu}")));
    }
    cpus.set(cpu);
    Ok(sched_setaffinity(None, &cpus)?)
}

/// The station's own side.
struct Course {
    port: Box<dyn Port>,
    shared: Arc<Shared>,
    poll_for_ns: u64,
}

impl Course {
    fn run(&mut self, job: &mut Job) {
        self.flush();
        let (missed, tx_lost) = (self.port.missed(), self.port.tx_lost());
        for _ in 0..LEARNING_ROUNDS {
            job.learning.iter().for_each(|frame| self.teach(frame));
        }
        let plan = &mut *job.plan;
        let (mut active_ns, mut polled_ns, mut reported_ns) = (now_ns(), 0, 0);
        let mut obeyed_ns = NEVER;
        let mut empty = 0;
        loop {
            let stop_ns = self.shared.stop_ns.load(Ordering::Acquire);
            if stop_ns != obeyed_ns {
                plan.source.stop(stop_ns);
                obeyed_ns = stop_ns;
            }
            let is_finishing = self.shared.finish.load(Ordering::Acquire);
            let now = now_ns();
            let received = burst::absorb(&mut self.port, plan, now, now_ns);
            let sent = match is_finishing {
                true => 0,
                false => burst::send(&mut self.port, plan, now, now_ns),
            };
            if received == 0 {
                polled_ns = now;
                empty += 1;
            } else {
                empty = 0;
            }
            if is_finishing && empty >= EMPTY_BURSTS {
                break;
            }
            if now.saturating_sub(reported_ns) >= REPORT_NS {
                self.report(plan, polled_ns);
                reported_ns = now;
            }
            if received + sent > 0 {
                active_ns = now;
            } else if !is_finishing {
                self.idle(now, active_ns, plan.source.due_ns());
            }
        }
        plan.missed = self.port.missed().saturating_sub(missed);
        plan.tx_lost = self.port.tx_lost().saturating_sub(tx_lost);
    }

    /// Reads what came before the trial.
    fn flush(&mut self) {
        let mut empty = 0;
        for _ in 0..MOST_FLUSHED {
            let mut burst = RxBurst::new();
            self.port.rx_burst(now_ns(), &mut burst);
            empty = if burst.is_empty() { empty + 1 } else { 0 };
            if empty >= EMPTY_BURSTS {
                break;
            }
        }
    }

    /// Sends a frame that is counted nowhere; a port that does not take it teaches nobody.
    fn teach(&mut self, frame: &[u8]) {
        let mut slots = TxSlots::new();
        self.port.tx_slots(1, &mut slots);
        let slot = slots
            .first_mut()
            .and_then(|slot| slot.get_mut(..frame.len()));
        let Some(slot) = slot else {
            return;
        };
        slot.copy_from_slice(frame);
        drop(slots);
        let len = u16::try_from(frame.len()).unwrap_or(0);
        let start_ns = now_ns();
        self.port.tx_commit(&[TxMeta { len, start_ns }]);
    }

    fn report(&self, plan: &Plan, polled_ns: u64) {
        let shared = &*self.shared;
        shared.sent.store(plan.sent(), Ordering::Relaxed);
        shared.received.store(plan.received(), Ordering::Relaxed);
        shared.last_ns.store(plan.sink.last_ns(), Ordering::Relaxed);
        let is_sent = plan.source.due_ns() == NEVER;
        shared.is_sent.store(is_sent, Ordering::Relaxed);
        let moved_ns = plan.source.pauses().shift_ns();
        shared.moved_ns.store(moved_ns, Ordering::Relaxed);
        shared.at_ns.store(polled_ns, Ordering::Release);
    }

    /// Nothing came and nothing was due at `now`.
    fn idle(&mut self, now: u64, active_ns: u64, due_ns: u64) {
        let rest_ns = due_ns
            .saturating_sub(now)
            .min(LONGEST_REST_NS)
            .saturating_sub(WAKE_EARLY_NS);
        if rest_ns == 0 || now.saturating_sub(active_ns) < self.poll_for_ns {
            std::thread::yield_now();
            return;
        }
        match self.port.rest(now) {
            Wake::Frames => {}
            Wake::At(at_ns) => sleep_ns(rest_ns.min(at_ns.saturating_sub(now))),
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
        self.port.resume();
    }
}

fn sleep_ns(time_ns: u64) {
    std::thread::sleep(Duration::from_nanos(time_ns));
}
