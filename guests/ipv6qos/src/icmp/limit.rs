//! How many ICMPv6 errors may be sent (RFC 4443 2.4 f): a token bucket for each interface that packets with
//! errors come in by, so that what one link provokes leaves the others theirs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::vn::InterfaceId;

const SECOND: u64 = 1_000_000_000;

/// How many errors may be sent for packets of one interface; `icmp` of the guest's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitConfig {
    /// Packets per second on average, 1 to 1,000,000.
    pub rate: u32,
    /// Packets at once, 1 to 65535.
    pub burst: u32,
}

impl Default for LimitConfig {
    /// A few traceroutes at once, and nothing to amplify with.
    fn default() -> Self {
        LimitConfig {
            rate: 1000,
            burst: 100,
        }
    }
}

impl LimitConfig {
    /// Looks at the bounds.
    ///
    /// # Errors
    ///
    /// Which value is wrong, and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=1_000_000).contains(&self.rate) {
            let rate = self.rate;
            return Err(format!("rate: {rate}; allowed: 1 to 1000000 packets/s"));
        }
        if !(1..=65535).contains(&self.burst) {
            let burst = self.burst;
            return Err(format!("burst: {burst}; allowed: 1 to 65535 packets"));
        }
        Ok(())
    }
}

/// A token bucket, as the time at which it will be full again (the same as a bucket of tokens, without rounding).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket {
    full_ns: u64,
}

impl Bucket {
    /// Whether there is a token at `now_ns` in a bucket of `burst` that gets `rate` a second.
    #[inline]
    pub(crate) fn has(mut self, now_ns: u64, rate: u32, burst: u32) -> bool {
        self.take(now_ns, rate, burst)
    }

    /// Takes a token at `now_ns`, if there is one, of a bucket of `burst` that gets `rate` a second.
    #[inline]
    pub(crate) fn take(&mut self, now_ns: u64, rate: u32, burst: u32) -> bool {
        let token_ns = SECOND / u64::from(rate.max(1));
        let full_ns = self.full_ns.max(now_ns).saturating_add(token_ns);
        let depth_ns = token_ns.saturating_mul(u64::from(burst));
        let has_token = full_ns <= now_ns.saturating_add(depth_ns);
        if has_token {
            self.full_ns = full_ns;
        }
        has_token
    }
}

/// The buckets of all interfaces.
#[derive(Debug)]
pub struct Limit {
    config: LimitConfig,
    buckets: Vec<Bucket>,
}

impl Limit {
    /// Full buckets for interfaces whose [`InterfaceId::index`] is below `interfaces`; what is behind gets nothing.
    pub fn new(config: LimitConfig, interfaces: usize) -> Self {
        Limit {
            config,
            buckets: alloc::vec![Bucket::default(); interfaces],
        }
    }

    /// Whether an error may be sent at `now_ns` for a packet that came in by `interface`; takes a token if so.
    #[inline]
    pub fn take(&mut self, now_ns: u64, interface: InterfaceId) -> bool {
        let LimitConfig { rate, burst } = self.config;
        self.buckets
            .get_mut(interface.index())
            .is_some_and(|bucket| bucket.take(now_ns, rate, burst))
    }
}
