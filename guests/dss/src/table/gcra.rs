//! Whether a frame conforms to a peak rate: the generic cell rate algorithm, virtual scheduling (ITU-T I.371 Annex A).
//!
//! Frames are as long as they are, so T is that of an octet on the wire. Exact to 2^-32 ns, rounded in favour of the
//! sender: one that keeps to its rate is never policed.

/// Fractions of a nanosecond.
const FRACTION_BITS: u32 = 32;

/// A policer GCRA(T, tau).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gcra {
    /// T of an octet, 2^-32 ns; 0: all conforms.
    each: u64,
    /// tau.
    tolerance_ns: u64,
    /// When the next frame is expected (TAT).
    due_ns: u64,
    /// 2^-32 ns of it.
    due_fraction: u32,
}

impl Gcra {
    /// No policer: all conforms.
    pub const NONE: Self = Gcra {
        each: 0,
        tolerance_ns: 0,
        due_ns: 0,
        due_fraction: 0,
    };

    /// One of `rate_bps` bits a second, at least [`RATE_LEAST`](super::RATE_LEAST).
    #[must_use]
    pub fn new(rate_bps: u64, tolerance_ns: u64) -> Self {
        const OCTET: u128 = 8_000_000_000 << FRACTION_BITS;
        let each = OCTET / u128::from(rate_bps.max(1));
        Gcra {
            each: u64::try_from(each).unwrap_or(u64::MAX).max(1),
            tolerance_ns,
            ..Gcra::NONE
        }
    }

    /// Whether it polices.
    #[inline(always)]
    #[must_use]
    pub const fn is_one(&self) -> bool {
        self.each != 0
    }

    /// Whether a frame of `octets` on the wire conforms that comes at `now_ns`; if it does, it counts.
    #[inline]
    pub fn conforms(&mut self, now_ns: u64, octets: u32) -> bool {
        let allowed_ns = now_ns.saturating_add(self.tolerance_ns);
        let begun = u64::from(self.due_fraction != 0);
        if self.due_ns.saturating_add(begun) > allowed_ns {
            return false;
        }
        let (from_ns, fraction) = if self.due_ns < now_ns {
            (now_ns, 0)
        } else {
            (self.due_ns, self.due_fraction)
        };
        // No overflow: the product is below 2^96, and what is above its fraction fits.
        let behind = u128::from(self.each) * u128::from(octets) + u128::from(fraction);
        self.due_ns = from_ns.saturating_add((behind >> FRACTION_BITS) as u64);
        self.due_fraction = behind as u32;
        true
    }
}
