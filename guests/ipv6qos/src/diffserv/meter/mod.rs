//! Meters: which colour a packet is by the rates and bursts of its stream.
//!
//! ```text
//! bucket  tokens, exactly
//! srtcm   single rate three color marker (RFC 2697)
//! trtcm   two rate three color marker (RFC 2698)
//! ```
//!
//! A meter is always told the colour that a packet comes with. In colour-blind mode that is green for all packets,
//! which is just what both RFCs ask of it. Buckets begin full, and time that goes back stands still: it brings nothing
//! twice. Must never overflow, however far time jumps.

pub mod bucket;
pub mod srtcm;
pub mod trtcm;

pub use bucket::DEEPEST;
pub use srtcm::SrTcm;
pub use trtcm::TrTcm;

/// What a meter finds; also the drop precedence of an AF class (RFC 2597), the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Colour {
    /// Within the committed rate and burst.
    Green,
    /// Beyond that, within the excess burst or the peak rate.
    Yellow,
    /// Beyond all.
    Red,
}

impl Colour {
    /// The lowest first.
    pub const ALL: [Colour; 3] = [Colour::Green, Colour::Yellow, Colour::Red];

    /// 0 to 2.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A meter of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meter {
    /// RFC 2697.
    SrTcm(SrTcm),
    /// RFC 2698.
    TrTcm(TrTcm),
}

impl Meter {
    /// The colour of a packet of `octets` that comes at `now_ns` as `came`; it has paid for it.
    #[inline]
    pub fn colour(&mut self, now_ns: u64, octets: u16, came: Colour) -> Colour {
        match self {
            Meter::SrTcm(meter) => meter.colour(now_ns, octets, came),
            Meter::TrTcm(meter) => meter.colour(now_ns, octets, came),
        }
    }
}

/// When tokens were last put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Filled {
    at_ns: u64,
}

impl Filled {
    /// Time since then; from now on counted from `now_ns`, if that is later.
    #[inline]
    fn passed_ns(&mut self, now_ns: u64) -> u64 {
        let passed_ns = now_ns.saturating_sub(self.at_ns);
        self.at_ns += passed_ns;
        passed_ns
    }
}
