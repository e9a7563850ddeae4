//! What it means that classes share by weight, whatever their frames' sizes.

/// Octets on the wire of the largest frame, the least quantum.
pub(crate) const LARGEST: f64 = 1538.0;

/// How much service two classes got, each in its quanta.
#[derive(Default)]
pub(crate) struct Share {
    /// All of it.
    served: [f64; 2],
    /// In its turn, and not because the other's head did not fit.
    in_turn: [f64; 2],
    /// How far each was ahead in its turn of all that the other got, at the least so far.
    least: [f64; 2],
    ahead: [f64; 2],
}

impl Share {
    /// Class `class` of this quantum sent `octets` with FCS.
    pub(crate) fn add(&mut self, class: usize, quantum: f64, octets: u32, in_turn: bool) {
        let quanta = f64::from(octets + 20) / quantum;
        self.served[class] += quanta;
        if in_turn {
            self.in_turn[class] += quanta;
        }
        for (class, other) in [(0, 1), (1, 0)] {
            let lead = self.in_turn[class] - self.served[other];
            self.least[class] = self.least[class].min(lead);
            self.ahead[class] = self.ahead[class].max(lead - self.least[class]);
        }
    }

    /// By how much each was ahead of the other at most, over any interval.
    pub(crate) fn ahead(&self) -> [f64; 2] {
        self.ahead
    }

    pub(crate) fn served(&self) -> [f64; 2] {
        self.served
    }
}

/// Octets that each class gets at a visit: a multiple of its weight, the least a largest frame.
pub(crate) fn quanta(weights: [u8; 2]) -> [f64; 2] {
    let unit = (LARGEST / f64::from(weights[0].min(weights[1]))).ceil();
    weights.map(|weight| unit * f64::from(weight))
}

/// The most that one may be ahead of the other: both have had as many visits but for one, and each
/// its quanta but for less than a largest frame.
pub(crate) fn bound(quanta: [f64; 2]) -> f64 {
    1.0 + LARGEST / quanta[0] + LARGEST / quanta[1]
}
