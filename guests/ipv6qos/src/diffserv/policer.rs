//! A policer: a meter, what becomes of packets of each colour, and how many there were.
//!
//! A configured policer is checked once, here. Must never touch the ECN bits (RFC 3168): it gives code points.

use alloc::string::ToString;

use super::error::PolicerError;
use super::meter::{Colour, DEEPEST, Meter, SrTcm, TrTcm};
use super::phb::{Phb, with_precedence};
use crate::control::item::{self, ColourAction};
use crate::control::matching::check_name;
use crate::control::view::{Count, PolicerView};
use crate::units::{BitRate, Octets};

/// A policer of packets.
#[derive(Debug, Clone)]
pub struct Policer {
    meter: Meter,
    aware: bool,
    actions: [ColourAction; 3],
    counts: [Count; 3],
    item: item::Policer,
}

impl Policer {
    /// The policer that `item` describes, its buckets full.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn new(item: &item::Policer) -> Result<Self, PolicerError> {
        check_name("policer", &item.name).map_err(PolicerError::Name)?;
        Ok(Policer {
            meter: meter(item)?,
            aware: item.aware,
            actions: [item.green, item.yellow, item.red],
            counts: [Count::default(); 3],
            item: item.clone(),
        })
    }

    /// The same that goes on counting where `old` was. Its buckets are full: it is another meter.
    #[must_use]
    pub fn in_place_of(self, old: &Policer) -> Self {
        Policer {
            counts: old.counts,
            ..self
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.item.name
    }

    /// As it was configured.
    pub fn item(&self) -> &item::Policer {
        &self.item
    }

    /// Meters a packet of `octets` that came with `traffic_class` and has `dscp` by now; gives the code point that it
    /// goes on with, or none: it is dropped.
    ///
    /// What is colour-aware takes the colour that the packet came with (RFC 2597 6: a domain before this one, or the
    /// sender, marked it), whatever code point the rule gave it since.
    #[inline]
    pub fn police(&mut self, now_ns: u64, octets: u16, traffic_class: u8, dscp: u8) -> Option<u8> {
        let came = match self.aware {
            true => Phb::of(traffic_class).colour(),
            false => Colour::Green,
        };
        let colour = self.meter.colour(now_ns, octets, came);
        // A colour is an index of three.
        self.counts[colour.index()].add(octets);
        match self.actions[colour.index()] {
            ColourAction::Pass => Some(dscp),
            ColourAction::Precedence => Some(with_precedence(dscp, colour)),
            ColourAction::Dscp(dscp) => Some(dscp.get()),
            ColourAction::Drop => None,
        }
    }

    /// With its counters.
    pub fn view(&self) -> PolicerView {
        let [green_count, yellow_count, red_count] = self.counts;
        PolicerView {
            policer: self.item.clone(),
            green_count,
            yellow_count,
            red_count,
        }
    }
}

/// The keys of a meter.
struct Keys<'a> {
    item: &'a item::Policer,
    meter: &'static str,
    allowed: &'static str,
}

impl Keys<'_> {
    fn none<T>(&self, key: &'static str, value: Option<T>) -> Result<(), PolicerError> {
        match value {
            None => Ok(()),
            Some(_) => Err(PolicerError::Key {
                policer: self.item.name.to_string(),
                key,
                meter: self.meter,
                allowed: self.allowed,
            }),
        }
    }

    fn some<T>(&self, key: &'static str, value: Option<T>) -> Result<T, PolicerError> {
        value.ok_or_else(|| PolicerError::Missing {
            policer: self.item.name.to_string(),
            key,
            meter: self.meter,
            allowed: self.allowed,
        })
    }

    fn rate(&self, key: &'static str, rate: BitRate) -> Result<u64, PolicerError> {
        match rate.0 {
            0 => Err(PolicerError::Rate {
                policer: self.item.name.to_string(),
                key,
                rate,
            }),
            bps => Ok(bps),
        }
    }

    fn burst(&self, key: &'static str, burst: Octets, least: u64) -> Result<u64, PolicerError> {
        if (least..=DEEPEST).contains(&burst.0) {
            return Ok(burst.0);
        }
        Err(PolicerError::Burst {
            policer: self.item.name.to_string(),
            key,
            burst,
            least: Octets(least),
        })
    }
}

/// The meter of `item`, with all keys that it needs and no others.
fn meter(item: &item::Policer) -> Result<Meter, PolicerError> {
    let of = |meter, allowed| Keys {
        item,
        meter,
        allowed,
    };
    match item.meter {
        item::Meter::Srtcm => {
            let keys = of("srtcm", "cir, cbs, ebs");
            keys.none("pir", item.pir)?;
            keys.none("pbs", item.pbs)?;
            let cir = keys.rate("cir", item.cir)?;
            let cbs = keys.burst("cbs", item.cbs, 0)?;
            let ebs = keys.burst("ebs", keys.some("ebs", item.ebs)?, 0)?;
            if cbs == 0 && ebs == 0 {
                return Err(PolicerError::NoBurst(item.name.to_string()));
            }
            Ok(Meter::SrTcm(SrTcm::new(cir, cbs, ebs)))
        }
        item::Meter::Trtcm => {
            let keys = of("trtcm", "cir, cbs, pir, pbs");
            keys.none("ebs", item.ebs)?;
            let cir = keys.rate("cir", item.cir)?;
            let cbs = keys.burst("cbs", item.cbs, 1)?;
            let peak = keys.some("pir", item.pir)?;
            let pir = keys.rate("pir", peak)?;
            let pbs = keys.burst("pbs", keys.some("pbs", item.pbs)?, 1)?;
            if pir < cir {
                return Err(PolicerError::Peak {
                    policer: item.name.to_string(),
                    pir: peak,
                    cir: item.cir,
                });
            }
            Ok(Meter::TrTcm(TrTcm::new(cir, cbs, pir, pbs)))
        }
    }
}
