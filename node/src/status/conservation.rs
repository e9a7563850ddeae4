//! Conservation: every frame is counted exactly once, at any instant between two bursts.
//!
//! Pure: it only adds up a [`Status`]. It never tolerates a difference, however small.

use std::fmt;

use super::Status;

/// A sum that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// `port west` or `port west, pi can`.
    pub at: String,
    /// The sum, in the names of the status document.
    pub sum: &'static str,
    /// The left side's value.
    pub left: u64,
    /// The right side's value.
    pub right: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            sum,
            left,
            right,
        } = self;
        write!(f, "{at}: {sum} does not hold: {left} is not {right}")
    }
}

/// The sums of `status` that do not hold; empty if conservation is exact.
#[must_use]
pub fn violations(status: &Status) -> Vec<Violation> {
    let mut out = Vec::new();
    let mut check = |at: &dyn Fn() -> String, sum, left: u64, right: u64| {
        if left != right {
            out.push(Violation {
                at: at(),
                sum,
                left,
                right,
            });
        }
    };
    for port in &status.ports {
        let classified: u64 = port.pi.values().map(|pi| pi.classified).sum();
        check(
            &|| format!("port {}", port.name),
            "rx_frames = drops + classified",
            port.rx_frames,
            port.drops.total() + classified,
        );
        for (name, pi) in &port.pi {
            let at = || format!("port {}, pi {name}", port.name);
            check(
                &at,
                "classified = to_guest + drops",
                pi.classified,
                pi.to_guest + pi.drops.total(),
            );
            check(
                &at,
                "from_guest = sent + queued + tx_drops",
                pi.from_guest,
                pi.sent + pi.queued + pi.tx_drops.total(),
            );
            for class in &pi.level2.classes {
                check(
                    &|| format!("{}, class {}", at(), class.name),
                    "enqueued = queued + dequeued + cleared",
                    class.enqueued,
                    class.queued + class.dequeued + class.cleared,
                );
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::sample;

    #[test]
    fn sums_that_hold_are_no_violations() {
        assert_eq!(violations(&sample::status()), []);
    }

    #[test]
    fn each_sum_is_named_where_it_fails() {
        let mut status = sample::status();
        status.ports[0].drops.truncated += 1;
        status.ports[1].pi["can"].to_guest += 2;
        status.ports[1].pi["dss"].queued += 3;
        status.ports[1].pi["dss"].level2.classes[1].cleared += 1;
        let found: Vec<String> = violations(&status)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "port west: rx_frames = drops + classified does not hold: 65 is not 66",
                "port east, pi can: classified = to_guest + drops does not hold: 20 is not 22",
                "port east, pi dss: from_guest = sent + queued + tx_drops does not hold: 43 is not 46",
                "port east, pi dss, class be: enqueued = queued + dequeued + cleared does not hold: \
                 24 is not 25",
            ]
        );
    }
}
