//! CPU time from measured lines: percent of a CPU = a x + b, x in thousands of frames a second.
//!
//! Must never reckon with a line where it was not measured: such a demand is refused, with the range and what to
//! measure.

use pinode_measure::fit::LineFit;
use pinode_measure::results::{CpuFit, Results, SizeLabel};

use super::demands::{Demands, PiDemand, Sizes};
use super::refusal::{Constraint, Unmet};

/// The name of the workers' fits.
pub const HOST: &str = "host";

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Of one CPU.
    pub percent: f64,
    /// Frames that are handled, thousands a second.
    pub kfps: f64,
    /// R-square of the worst line that was used.
    pub r2: f64,
}

/// Lines of one guest, or of the host, by size of frames.
struct Lines<'a> {
    whose: &'a str,
    /// Rising sizes.
    by_size: Vec<(u32, LineFit)>,
}

/// A line that counts for a demand, and where on it the demand lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    size: u32,
    line: LineFit,
    kfps: f64,
}

impl<'a> Lines<'a> {
    fn of(results: &Results, whose: &'a str, isolation: &str) -> Self {
        let own = |fit: &&CpuFit| {
            fit.pi == whose && (fit.isolation == isolation || fit.isolation.is_empty())
        };
        let octets = |fit: &CpuFit| match fit.size {
            SizeLabel::Octets(size) => Some((u32::from(size), fit.fit)),
            SizeLabel::Mix(_) => None,
        };
        let mut by_size: Vec<_> = results
            .cpu_fit
            .iter()
            .filter(own)
            .filter_map(octets)
            .collect();
        by_size.sort_by_key(|(size, _)| *size);
        Self { whose, by_size }
    }

    /// Where `pi` lies. A size that was not measured lies between two that were: both count, as the cost of a frame
    /// rises or falls with its size from one to the other. Of a range the sizes in between that were measured count.
    fn places(&self, pi: &PiDemand, directions: usize) -> Result<Vec<Place>, Unmet> {
        let at = format!("pi.{}.sizes", pi.name);
        let kfps = |size: u32| pi.frames_of(size) * directions as f64 / 1e3;
        let asked = match &pi.sizes {
            Sizes::List(sizes) => sizes.clone(),
            Sizes::Range(from, to) => {
                let inside = self.by_size.iter().map(|(size, _)| *size);
                let inside = inside.filter(|size| (from..=to).contains(&size));
                [*from, *to].into_iter().chain(inside).collect()
            }
        };
        let mut places = Vec::new();
        for size in asked {
            let place = |(measured, line): &(u32, LineFit)| Place {
                size: *measured,
                line: *line,
                kfps: kfps(size),
            };
            let below = self
                .by_size
                .iter()
                .rev()
                .find(|(measured, _)| *measured <= size);
            let above = self.by_size.iter().find(|(measured, _)| *measured >= size);
            let (Some(below), Some(above)) = (below, above) else {
                let what = format!(
                    "the CPU use of {} was measured for {} octets, and {size} is asked for; needed: a measurement, \
                     such as pinode measure --profile seed --sizes {size}",
                    self.whose,
                    self.sizes()
                );
                return Err(Unmet::new(Constraint::CpuRange, at, what));
            };
            places.push(place(below));
            if above.0 != below.0 {
                places.push(place(above));
            }
        }
        Ok(places)
    }

    fn sizes(&self) -> String {
        match (self.by_size.first(), self.by_size.last()) {
            (Some((from, _)), Some((to, _))) if from != to => format!("{from} to {to}"),
            (Some((only, _)), _) => only.to_string(),
            _ => "no".to_owned(),
        }
    }
}

/// CPU time of the guest of `pi`.
pub fn guest(results: &Results, demands: &Demands, pi: &PiDemand) -> Result<Load, Unmet> {
    let isolation = demands.isolation.as_str();
    let lines = Lines::of(results, &pi.name, isolation);
    if lines.by_size.is_empty() {
        return Err(missing(
            results,
            &pi.name,
            isolation,
            format!("pi.{}", pi.name),
        ));
    }
    let mut load = Load {
        percent: 0.0,
        kfps: 0.0,
        r2: 1.0,
    };
    for place in lines.places(pi, directions(demands, pi))? {
        let Some(percent) = place.line.at(place.kfps) else {
            let at = format!("pi.{}", pi.name);
            return Err(outside(&lines, &place, at));
        };
        load.percent = load.percent.max(percent);
        load.kfps = load.kfps.max(place.kfps);
        load.r2 = load.r2.min(place.line.r2);
    }
    Ok(load)
}

/// CPU time of the worker with all PIs; none: no fit of the host was measured.
///
/// Frames of several sizes are a mixture of loads that were measured with one size each, if there are shares w of time
/// with x = w X and X in the range of its line; shares that sum up to 1 exist if and only if the x over the ends of
/// the ranges sum up to 1 at most, and over their beginnings to 1 at least. The mixture takes the sum of a x, and of
/// each b its share: no more than the largest.
pub fn host(results: &Results, demands: &Demands) -> Result<Option<Load>, Unmet> {
    let isolation = demands.isolation.as_str();
    let lines = Lines::of(results, HOST, isolation);
    if lines.by_size.is_empty() {
        return match demands.worker_cap {
            Some(_) => Err(missing(results, HOST, isolation, "node.worker_cap".into())),
            None => Ok(None),
        };
    }
    let (mut slopes, mut constant, mut kfps, mut r2) = (0.0, f64::NEG_INFINITY, 0.0, 1.0f64);
    let (mut of_ends, mut of_beginnings) = (0.0, 0.0);
    let mut worst: Option<Place> = None;
    for pi in &demands.pis {
        let places = lines.places(pi, directions(demands, pi))?;
        let most = |of: &dyn Fn(&Place) -> f64| places.iter().map(of).fold(0.0, f64::max);
        slopes += most(&|place| place.line.a * place.kfps);
        kfps += most(&|place| place.kfps);
        of_ends += most(&|place| place.kfps / place.line.to);
        let beginnings = places.iter().map(|place| place.kfps / place.line.from);
        of_beginnings += beginnings.fold(f64::INFINITY, f64::min);
        for place in places {
            constant = constant.max(place.line.b);
            r2 = r2.min(place.line.r2);
            let further = |other: &Place| place.kfps / place.line.to > other.kfps / other.line.to;
            if worst.as_ref().is_none_or(further) {
                worst = Some(place);
            }
        }
    }
    if let Some(worst) = worst.filter(|_| of_ends > 1.0 || of_beginnings < 1.0) {
        let inside = |place: &Place| (place.line.from..=place.line.to).contains(&place.kfps);
        if demands.pis.len() == 1 && !inside(&worst) {
            return Err(outside(&lines, &worst, "pi".to_owned()));
        }
        let (parts, short, word) = match of_ends > 1.0 {
            true => (of_ends, of_ends - 1.0, "more"),
            false => (of_beginnings, 1.0 - of_beginnings, "less"),
        };
        let what = format!(
            "the CPU use of {HOST} was measured with frames of one size at a time, and all PIs together ask for {kfps:.3} \
             thousand frames a second, {:.1} % of what was measured in their mixture, {:.1} % {word}; needed: a measurement \
             of such rates, such as pinode measure --profile seed --sizes {}",
            parts * 100.0,
            short * 100.0,
            worst.size
        );
        return Err(Unmet::new(Constraint::CpuRange, "pi".to_owned(), what).by(short, "share"));
    }
    Ok(Some(Load {
        percent: (slopes + constant).max(0.0),
        kfps,
        r2,
    }))
}

/// Ports on which a PI sends at its rate: its guest works on that many streams.
fn directions(demands: &Demands, pi: &PiDemand) -> usize {
    match pi.ports.len() {
        0 => demands.ports.len(),
        some => some,
    }
}

fn missing(results: &Results, whose: &str, isolation: &str, at: String) -> Unmet {
    let mut there: Vec<String> = Vec::new();
    for fit in &results.cpu_fit {
        let name = format!("{} ({})", fit.pi, fit.isolation);
        if !there.contains(&name) {
            there.push(name);
        }
    }
    let there = match there.is_empty() {
        true => "none at all".to_owned(),
        false => there.join(", "),
    };
    let what = format!(
        "there is no fit of the CPU use of {whose} ({isolation}); measured: {there}; needed: a measurement, such as \
         pinode measure --profile seed"
    );
    Unmet::new(Constraint::CpuFit, at, what)
}

fn outside(lines: &Lines<'_>, place: &Place, at: String) -> Unmet {
    let Place { size, line, kfps } = place;
    let (short, word) = if *kfps > line.to {
        (kfps - line.to, "above")
    } else {
        (line.from - kfps, "below")
    };
    let what = format!(
        "the CPU use of {} in frames of {size} octets was measured from {:.3} to {:.3} thousand frames a second, and \
         {kfps:.3} are asked for, {short:.3} {word}; needed: a measurement there, such as pinode measure --profile seed \
         --sizes {size}",
        lines.whose, line.from, line.to
    );
    Unmet::new(Constraint::CpuRange, at, what).by(short, "kframes/s")
}

/// Guests on the CPUs that they are dealt out to, and the load of each CPU: the order in which [pi] tables make that of
/// the fullest least, the order of the demands where no other is better.
///
/// By enumeration up to [`ENUMERATED`] guests; beyond, in the order of the demands.
#[must_use]
pub fn deal(percent: &[f64], cpus: usize) -> Vec<usize> {
    let in_order: Vec<usize> = (0..percent.len()).collect();
    if cpus < 2 || percent.len() <= cpus || percent.len() > ENUMERATED {
        return in_order;
    }
    let fullest = |order: &[usize]| {
        let mut loads = vec![0.0; cpus];
        for (place, pi) in order.iter().enumerate() {
            if let Some(load) = loads.get_mut(place % cpus) {
                *load += percent.get(*pi).copied().unwrap_or(0.0);
            }
        }
        loads.into_iter().fold(0.0, f64::max)
    };
    let mut best = (fullest(&in_order), in_order.clone());
    permute(&mut in_order.clone(), 0, &mut |order| {
        let load = fullest(order);
        if load < best.0 {
            best = (load, order.to_vec());
        }
    });
    best.1
}

/// Most guests whose orders are all looked at: 8! are 40,320.
const ENUMERATED: usize = 8;

fn permute(order: &mut [usize], from: usize, look: &mut dyn FnMut(&[usize])) {
    if from + 1 >= order.len() {
        look(order);
        return;
    }
    for other in from..order.len() {
        order.swap(from, other);
        permute(order, from + 1, look);
        order.swap(from, other);
    }
}

#[cfg(test)]
#[path = "processor_tests.rs"]
mod tests;
