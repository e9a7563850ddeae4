//! The life of a guest as a state machine: when it is launched, taken down, held in quarantine.
//!
//! Pure: told what happened and when, it answers what is to be done. Instants are nanoseconds of
//! one monotonic clock.

use std::time::Duration;

/// A guest that has not become ready by now does not boot.
pub const BOOT_LIMIT: Duration = Duration::from_secs(20);
/// How often a running guest is asked whether it lives.
pub const PING_EVERY: Duration = Duration::from_millis(200);
/// A guest that leaves so many questions in a row unanswered hangs. Three guests may share a core
/// with whatever else a small machine does, so this is far above any slice of the host's scheduler;
/// counted in questions asked, so that a pause of the whole host condemns nobody.
pub const PINGS_UNANSWERED: u64 = 7;
/// The first restart after a failure waits so long; each further one twice as long.
pub const FIRST_BACK_OFF: Duration = Duration::from_millis(10);
/// The longest wait before a restart.
pub const LAST_BACK_OFF: Duration = Duration::from_secs(10);
/// A guest that has run so long has recovered: the next failure starts at the first wait again.
pub const RECOVERED: Duration = Duration::from_secs(30);

/// Where a guest is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not running, because it was told to stop.
    Stopped,
    /// Launched, not forwarding yet.
    Booting,
    /// Forwarding.
    Running,
    /// Failed; it is restarted when its time is up.
    Quarantined,
}

impl State {
    /// As `status` names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Booting => "booting",
            Self::Running => "running",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Launch a new machine, of this generation.
    Launch(u64),
    /// Take the machine off the node and end it.
    TakeDown,
    /// Take the machine down, then launch a new one of this generation.
    Relaunch(u64),
    /// Ask the guest to answer this number.
    Ping(u64),
    /// Give the guest up for this reason (then call [`Lifecycle::failed`]).
    GiveUp(&'static str),
}

/// One guest's life.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    state: State,
    generation: u64,
    restarts: u64,
    failures: u32,
    launched_ns: u64,
    /// When it was last seen to get on with its boot.
    gets_on_ns: u64,
    ready_ns: u64,
    boot_us: u64,
    until_ns: u64,
    pinged_ns: u64,
    ping: u64,
    answered: u64,
    answers: bool,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            state: State::Stopped,
            generation: 0,
            restarts: 0,
            failures: 0,
            launched_ns: 0,
            gets_on_ns: 0,
            ready_ns: 0,
            boot_us: 0,
            until_ns: 0,
            pinged_ns: 0,
            ping: 0,
            answered: 0,
            answers: false,
        }
    }
}

impl Lifecycle {
    /// Where the guest is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Which machine this is; what an older one says is stale.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the machine of this generation is one whose events count: the newest, and not given up.
    #[must_use]
    pub fn is_up(&self, generation: u64) -> bool {
        self.generation == generation && matches!(self.state, State::Booting | State::Running)
    }

    /// Whether it runs and cannot be asked whether it lives.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.state == State::Running && !self.answers
    }

    /// Whether it runs and can be asked.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.state == State::Running && self.answers
    }

    /// How often a new machine replaced an old one.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// From launch to forwarding, microseconds; 0 before the first time.
    #[must_use]
    pub fn boot_us(&self) -> u64 {
        self.boot_us
    }

    /// When a guest in quarantine is launched again.
    #[must_use]
    pub fn until_ns(&self) -> Option<u64> {
        (self.state == State::Quarantined).then_some(self.until_ns)
    }

    /// The operator wants it to run.
    pub fn start(&mut self, now_ns: u64) -> Act {
        match self.state {
            State::Booting | State::Running => Act::Nothing,
            State::Stopped | State::Quarantined => {
                self.failures = 0;
                Act::Launch(self.launch(now_ns))
            }
        }
    }

    /// The operator wants it not to run.
    pub fn stop(&mut self) -> Act {
        let was = std::mem::replace(&mut self.state, State::Stopped);
        match was {
            State::Booting | State::Running => Act::TakeDown,
            State::Stopped | State::Quarantined => Act::Nothing,
        }
    }

    /// The operator wants a new machine.
    pub fn restart(&mut self, now_ns: u64) -> Act {
        self.failures = 0;
        self.restarts += 1;
        match self.state {
            State::Booting | State::Running => Act::Relaunch(self.launch(now_ns)),
            State::Stopped | State::Quarantined => Act::Launch(self.launch(now_ns)),
        }
    }

    /// It forwards. `answers`: it speaks the control protocol, so it can be asked whether it lives.
    /// True if it had not said so before.
    pub fn ready(&mut self, now_ns: u64, answers: bool) -> bool {
        let first = self.state == State::Booting;
        if first {
            self.state = State::Running;
            self.ready_ns = now_ns;
            self.boot_us = now_ns.saturating_sub(self.launched_ns) / 1000;
            self.pinged_ns = now_ns;
        }
        // One that turns out to speak later is asked from then on; none is ever let off again.
        if self.state == State::Running && answers && !self.answers {
            self.answers = true;
            self.answered = self.ping;
        }
        first
    }

    /// It gets on with its boot: the boot limit counts from now.
    pub fn gets_on(&mut self, now_ns: u64) {
        self.gets_on_ns = now_ns;
    }

    /// It answered this ping. An answer to a question never asked is no sign of life.
    pub fn pong(&mut self, ping: u64) {
        if ping <= self.ping {
            self.answered = self.answered.max(ping);
        }
    }

    /// It faulted, broke its rings, hung, or could not be launched: quarantine.
    pub fn failed(&mut self, now_ns: u64) -> Act {
        match self.state {
            State::Stopped | State::Quarantined => Act::Nothing,
            State::Booting | State::Running => {
                let ran = now_ns.saturating_sub(self.ready_ns);
                if self.state == State::Running && ran >= nanos(RECOVERED) {
                    self.failures = 0;
                }
                let wait = FIRST_BACK_OFF
                    .saturating_mul(1 << self.failures.min(16))
                    .min(LAST_BACK_OFF);
                self.failures += 1;
                self.state = State::Quarantined;
                self.until_ns = now_ns + nanos(wait);
                Act::TakeDown
            }
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ns: u64) -> Act {
        match self.state {
            State::Stopped => Act::Nothing,
            State::Quarantined if now_ns >= self.until_ns => {
                self.restarts += 1;
                Act::Launch(self.launch(now_ns))
            }
            State::Quarantined => Act::Nothing,
            State::Booting if now_ns.saturating_sub(self.gets_on_ns) >= nanos(BOOT_LIMIT) => {
                Act::GiveUp("not ready within the boot limit")
            }
            State::Booting => Act::Nothing,
            State::Running if !self.answers => Act::Nothing,
            State::Running if now_ns.saturating_sub(self.pinged_ns) >= nanos(PING_EVERY) => {
                if self.ping - self.answered >= PINGS_UNANSWERED {
                    return Act::GiveUp("hangs: no answer on the control channel");
                }
                self.pinged_ns = now_ns;
                self.ping += 1;
                Act::Ping(self.ping)
            }
            State::Running => Act::Nothing,
        }
    }

    fn launch(&mut self, now_ns: u64) -> u64 {
        self.state = State::Booting;
        self.generation += 1;
        self.launched_ns = now_ns;
        self.gets_on_ns = now_ns;
        self.answers = false;
        self.generation
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn running() -> Lifecycle {
        let mut l = Lifecycle::default();
        assert_eq!(l.start(0), Act::Launch(1));
        l.ready(3 * MS, true);
        l
    }

    #[test]
    fn boots_runs_and_stops() {
        let mut l = running();
        assert_eq!(
            (l.state(), l.boot_us(), l.restarts()),
            (State::Running, 3000, 0)
        );
        assert_eq!(l.start(4 * MS), Act::Nothing);
        assert_eq!(l.stop(), Act::TakeDown);
        assert!(!l.is_up(1));
        assert_eq!(l.stop(), Act::Nothing);
        assert_eq!(l.tick(u64::MAX / 2), Act::Nothing);
    }

    #[test]
    fn waits_twice_as_long_after_each_failure_up_to_a_bound() {
        let mut l = running();
        let mut now = 5 * MS;
        let mut waits = Vec::new();
        for _ in 0..14 {
            assert_eq!(l.failed(now), Act::TakeDown);
            let until = l.until_ns().unwrap();
            waits.push((until - now) / MS);
            assert_eq!(l.tick(until - 1), Act::Nothing);
            assert!(matches!(l.tick(until), Act::Launch(_)));
            now = until + MS;
            l.ready(now, true);
        }
        assert_eq!(&waits[..5], [10, 20, 40, 80, 160]);
        assert_eq!(waits[13], 10_000);
        assert_eq!(l.restarts(), 14);
    }

    #[test]
    fn a_guest_that_ran_long_enough_starts_at_the_first_wait_again() {
        let mut l = running();
        l.failed(5 * MS);
        l.tick(l.until_ns().unwrap());
        l.ready(20 * MS, true);
        let later = 20 * MS + nanos(RECOVERED);
        l.failed(later);
        assert_eq!(l.until_ns(), Some(later + 10 * MS));
    }

    #[test]
    fn a_silent_guest_is_given_up_and_one_that_never_spoke_is_not() {
        let mut l = running();
        let mut now = 3 * MS;
        let mut after_a_ping = |l: &mut Lifecycle| {
            assert_eq!(l.tick(now), Act::Nothing);
            now += nanos(PING_EVERY);
            l.tick(now)
        };
        for ping in 1..=20 {
            assert_eq!(after_a_ping(&mut l), Act::Ping(ping));
            l.pong(ping);
        }
        l.pong(9999);
        for ping in 21..=20 + PINGS_UNANSWERED {
            assert_eq!(after_a_ping(&mut l), Act::Ping(ping));
        }
        assert!(matches!(after_a_ping(&mut l), Act::GiveUp(_)));

        let mut linux = Lifecycle::default();
        linux.start(0);
        linux.ready(MS, false);
        assert_eq!(linux.tick(u64::MAX / 2), Act::Nothing);
        assert!(linux.is_silent() && !l.is_silent());
        assert!(!linux.ready(2 * MS, true), "it forwarded before");
        assert!(
            matches!(linux.tick(u64::MAX / 2), Act::Ping(_)),
            "and is asked now"
        );
    }

    #[test]
    fn a_pause_of_the_whole_host_condemns_nobody() {
        let mut l = running();
        assert_eq!(l.tick(300 * MS), Act::Ping(1));
        assert_eq!(l.tick(3_600_000 * MS), Act::Ping(2));
    }

    #[test]
    fn a_guest_that_never_becomes_ready_is_given_up() {
        let mut l = Lifecycle::default();
        l.start(0);
        assert_eq!(l.tick(nanos(BOOT_LIMIT) - 1), Act::Nothing);
        assert!(matches!(l.tick(nanos(BOOT_LIMIT)), Act::GiveUp(_)));
        l.gets_on(MS);
        assert_eq!(l.tick(nanos(BOOT_LIMIT)), Act::Nothing);
        assert!(matches!(l.tick(nanos(BOOT_LIMIT) + MS), Act::GiveUp(_)));
    }

    #[test]
    fn restart_replaces_a_running_guest_and_launches_a_stopped_one() {
        let mut l = running();
        assert_eq!(l.restart(9 * MS), Act::Relaunch(2));
        l.stop();
        assert_eq!(l.restart(10 * MS), Act::Launch(3));
        assert_eq!(l.restarts(), 2);
    }

    #[test]
    fn stopping_ends_a_quarantine() {
        let mut l = running();
        l.failed(5 * MS);
        assert_eq!(l.stop(), Act::Nothing);
        assert_eq!(l.tick(u64::MAX / 2), Act::Nothing);
        assert_eq!(l.state(), State::Stopped);
    }
}
