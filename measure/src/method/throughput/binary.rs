//! Throughput by binary search (RFC 2544 26.1, RFC 1242 3.17).
//!
//! The first trial is at the highest load; of what lost frames and what did not, the middle is tried until the two
//! are close enough. A machine that stands still for a millisecond loses frames at any rate, so a loss may have to
//! be confirmed by more trials before it counts, as ETSI GS NFV-TST 009 12.3.3 does it; the result says so. What a load
//! that held is worth is what was offered of it with the tester's pauses; a load that did not hold was offered between them.

use crate::results::{Test, Throughput};
use crate::trial::Trial;

use super::super::{
    Bounds, Halt, MethodError, Outcome, Plan, Sounding, TestBed, Traffic, end, require,
};
use super::{Found, Limit, mean_octets, worst_loss_ratio};

/// How the search is made. Loads are parts of the traffic's rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Part of a stream's frames that may be lost, 0.0 up to below 1.0; RFC 2544: 0.
    pub goal_loss_ratio: f64,
    /// The search ends when the bounds are so close, as a part of the upper one: above 0.0, below 1.0.
    pub resolution: f64,
    /// The first and highest load: the line rate, or the ceiling.
    pub start: f64,
    /// A device that loses frames at this load has no throughput: 0 is its result.
    pub lowest: f64,
    /// Further trials that must lose, too, before a load counts as lossy; RFC 2544: 0.
    pub confirmations: u32,
}

impl Settings {
    /// As RFC 2544 26.1 has it, to half a percent.
    #[must_use]
    pub const fn rfc2544() -> Self {
        Self {
            goal_loss_ratio: 0.0,
            resolution: 0.005,
            start: 1.0,
            lowest: 0.001,
            confirmations: 0,
        }
    }

    /// To two percent; a loss has to happen twice.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            resolution: 0.02,
            confirmations: 1,
            ..Self::rfc2544()
        }
    }

    fn check(&self) -> Result<(), MethodError> {
        require(
            (0.0..1.0).contains(&self.goal_loss_ratio),
            "goal loss ratio",
            self.goal_loss_ratio,
            "0.0 up to below 1.0",
        )?;
        require(
            self.resolution > 0.0 && self.resolution < 1.0,
            "resolution of the throughput search",
            self.resolution,
            "above 0.0 and below 1.0",
        )?;
        require(
            self.start > 0.0 && self.start.is_finite(),
            "highest load of the throughput search",
            self.start,
            "above 0.0",
        )?;
        require(
            self.lowest > 0.0 && self.lowest < self.start,
            "lowest load of the throughput search",
            self.lowest,
            "above 0.0 and below the highest",
        )
    }
}

/// Searches the highest load at which every stream holds, all scaled by one factor. One result for each stream.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn search(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    settings: &Settings,
) -> Result<Outcome<Throughput>, MethodError> {
    let rates = traffic.rates();
    traffic.check("rates", &rates)?;
    settings.check()?;
    let subject = Subject {
        traffic,
        what: "all streams",
        searched: rates.iter().map(|_| true).collect(),
        base: rates,
        searches_left: 1,
    };
    let mut run = Run::new(subject, settings);
    let halt = run.bisect(bed, &mut 0);
    let (results, notes) = (run.results(), run.notes());
    end(halt, results, notes)
}

/// Searches each stream's rate on its own, while the others are offered at `others`, frames per second for each
/// stream. Only the stream that is searched is judged: whether it feels the others is what is measured.
///
/// # Errors
///
/// Settings out of range, or the device made no trial.
pub fn search_each(
    bed: &mut TestBed<'_>,
    traffic: &Traffic,
    others: &[f64],
    settings: &Settings,
) -> Result<Outcome<Throughput>, MethodError> {
    traffic.check("rates of the others", others)?;
    settings.check()?;
    let (mut results, mut notes, mut made) = (Vec::new(), Vec::new(), 0);
    let halt = (|| {
        for (index, stream) in traffic.streams.iter().enumerate() {
            let mut base = others.to_vec();
            base[index] = stream.stream.spec.rate_fps;
            let subject = Subject {
                traffic,
                what: &stream.pi,
                searched: (0..base.len()).map(|i| i == index).collect(),
                base,
                searches_left: (traffic.streams.len() - index) as u32,
            };
            let mut run = Run::new(subject, settings);
            let halt = run.bisect(bed, &mut made);
            results.extend(run.results());
            notes.extend(run.notes());
            halt?;
        }
        Ok(())
    })();
    end(halt, results, notes)
}

/// What is searched.
struct Subject<'a> {
    traffic: &'a Traffic,
    what: &'a str,
    /// Rates at a load of 1.0; of streams that are not searched, at any.
    base: Vec<f64>,
    /// Streams that are scaled and judged.
    searched: Vec<bool>,
    searches_left: u32,
}

impl Subject<'_> {
    fn rates(&self, load: f64) -> Vec<f64> {
        let rates = self.base.iter().zip(&self.searched);
        rates
            .map(|(rate, searched)| if *searched { rate * load } else { *rate })
            .collect()
    }

    fn offered_part(&self, trial: &Trial) -> Vec<f64> {
        let streams = self.traffic.streams.iter();
        streams
            .map(|stream| trial.offered_part(stream.stream.from))
            .collect()
    }

    fn loss_ratio(&self, trial: &Trial) -> f64 {
        if self.searched.iter().all(|s| *s) {
            return worst_loss_ratio(trial);
        }
        let judged = trial.streams.iter().zip(&self.searched);
        let ratios = judged.filter(|(_, searched)| **searched);
        ratios.map(|(s, _)| s.loss_ratio()).fold(0.0, f64::max)
    }
}

struct Run<'a> {
    subject: Subject<'a>,
    settings: &'a Settings,
    lower: f64,
    /// What was offered of `lower`, by stream, where the tester paused: a part of it.
    offered_part: Vec<f64>,
    upper: Option<(f64, Limit)>,
    trials: u32,
    octets: Vec<f64>,
    /// Loads that held only when they were tried again.
    pardoned: u32,
}

impl<'a> Run<'a> {
    fn new(subject: Subject<'a>, settings: &'a Settings) -> Self {
        Self {
            subject,
            settings,
            lower: 0.0,
            offered_part: Vec::new(),
            upper: None,
            trials: 0,
            octets: Vec::new(),
            pardoned: 0,
        }
    }

    /// The next load; none when the bounds are close enough, or nothing is left to search.
    fn next_load(&self) -> Option<f64> {
        let Some((upper, _)) = self.upper else {
            return (self.lower == 0.0).then_some(self.settings.start);
        };
        let is_close = upper - self.lower <= self.settings.resolution * upper;
        let is_nothing = self.lower == 0.0 && upper <= self.settings.lowest;
        let middle = f64::midpoint(self.lower, upper);
        let middle = if self.lower == 0.0 {
            middle.max(self.settings.lowest)
        } else {
            middle
        };
        // A resolution finer than a double's ends where no load is left between the two.
        let is_between = self.lower < middle && middle < upper;
        (!is_close && !is_nothing && is_between).then_some(middle)
    }

    /// Trials that are still needed, about; where nothing held yet, as if half of the upper bound did.
    fn trials_left(&self) -> u32 {
        let halvings = match self.upper {
            Some((upper, _)) if self.lower > 0.0 => (upper - self.lower) / upper,
            _ => 2.0,
        };
        let halvings = (halvings / self.settings.resolution).log2().ceil() as u32;
        halvings.max(1) + u32::from(self.upper.is_none())
    }

    fn bisect(&mut self, bed: &mut TestBed<'_>, made: &mut u32) -> Result<(), Halt> {
        while let Some(load) = self.next_load() {
            let before = *made;
            let verdict = self.holds(bed, load, made);
            self.trials += *made - before;
            match verdict? {
                None => self.lower = load,
                Some(limit) => self.upper = Some((load, limit)),
            }
        }
        Ok(())
    }

    /// Whether `load` holds; what keeps it from it.
    fn holds(
        &mut self,
        bed: &mut TestBed<'_>,
        load: f64,
        made: &mut u32,
    ) -> Result<Option<Limit>, Halt> {
        let timing = bed.timing();
        let offered =
            self.subject
                .traffic
                .load_at(&self.subject.rates(load), timing.trial, timing.drain);
        let bounds = self.bounds();
        let whole_search = (1.0 / self.settings.resolution).log2().ceil() as u32 + 1;
        let trials = self.trials_left() + whole_search * (self.subject.searches_left - 1);
        let plan = Plan {
            test: Test::Throughput,
            traffic: self.subject.traffic,
            what: self.subject.what,
            made: *made,
            bounds: &bounds,
            left: timing.cost(timing.trial) * trials,
        };
        if *made == 0 {
            bed.warm_up(&plan)?;
        }
        for attempt in 0..=self.settings.confirmations {
            let trial = match bed.sound(&plan, &offered, made, Trial::is_valid)? {
                Sounding::Sound(trial) => trial,
                Sounding::Refused => return Ok(Some(Limit::Tester)),
            };
            self.octets = mean_octets(&trial);
            if self.subject.loss_ratio(&trial) <= self.settings.goal_loss_ratio {
                self.pardoned += u32::from(attempt > 0);
                self.offered_part = self.subject.offered_part(&trial);
                return Ok(None);
            }
        }
        Ok(Some(Limit::Device))
    }

    fn bounds(&self) -> Vec<Bounds> {
        let streams = self.subject.traffic.streams.iter();
        let searched = streams.zip(self.subject.base.iter().zip(&self.subject.searched));
        searched
            .filter(|(_, (_, searched))| **searched)
            .map(|(stream, (rate, _))| Bounds {
                of: stream.pi.clone(),
                lower: (self.lower > 0.0).then_some(self.lower * rate),
                upper: self.upper.map(|(upper, _)| upper * rate),
            })
            .collect()
    }

    /// Of what is known; nothing where no load was decided.
    fn results(&self) -> Vec<Throughput> {
        if self.lower == 0.0 && self.upper.is_none() {
            return Vec::new();
        }
        let limit = self.upper.map_or(Limit::Line, |(_, limit)| limit);
        let found = Found {
            method: "binary",
            goal_loss_ratio: self.settings.goal_loss_ratio,
            trials: self.trials,
            confirmations: self.settings.confirmations,
            limit,
        };
        // What the tester could not send is no bound of the device's.
        let upper = self
            .upper
            .filter(|(_, limit)| *limit == Limit::Device)
            .map(|(upper, _)| upper);
        let traffic = self.subject.traffic;
        let streams = traffic.streams.iter().enumerate();
        streams
            .filter(|(i, _)| self.subject.searched[*i])
            .map(|(i, stream)| {
                let rate = self.subject.base[i];
                let octets = self.octets.get(i).copied().unwrap_or(0.0);
                let fps = rate * self.lower * self.offered_part.get(i).copied().unwrap_or(1.0);
                found.of(traffic, stream, octets, fps, (fps, upper.map(|u| u * rate)))
            })
            .collect()
    }

    fn notes(&self) -> Vec<String> {
        let of = format!(
            "throughput, {} octets, {}",
            self.subject.traffic.size, self.subject.what
        );
        let mut notes = Vec::new();
        if self.settings.confirmations > 0 {
            notes.push(format!(
                "{of}: a load counts as lossy when {} trials in a row lost frames; {} loads held only when they were tried again",
                self.settings.confirmations + 1,
                self.pardoned
            ));
        }
        if let Some((upper, Limit::Tester)) = self.upper {
            notes.push(format!(
                "{of}: the tester could not send {:.1} % of the load, so the device may be better than this",
                upper * 100.0
            ));
        }
        notes
    }
}
