//! What a stream can get at most, and how long it waits by the schedule alone: what results are read against.

use pinode_measure::method::Wait;
use pinode_measure::stream::Sizes;
use pinode_scheduler::bounds::{self, SizeBounds};
use pinode_scheduler::{Cycle, Phase};

use crate::measure::asked::FrameSize;

/// Ceiling and waits of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The most frames that leave in a second.
    pub ceiling_fps: f64,
    /// Where a gate makes the ceiling: what a lone frame waits. None: a bare link.
    pub wait: Option<Wait>,
}

impl Bound {
    /// What the schedule lets out of the PI in `slot`; `None` if some frame of `size` fits in no phase of its.
    ///
    /// Of frames of one size the ceiling is exact, floor((T_p - g) / t_L) a phase. Of a mix it is what fits
    /// without the rest at the end of a phase: no order of the frames gets more. Waits of a mix are those of its
    /// frames, each as often as it is sent.
    #[must_use]
    pub fn of_gate(cycle: &Cycle, slot: u8, size: &FrameSize) -> Option<Self> {
        let of = |size: u16| bounds::of_size(cycle, slot, u32::from(size));
        match &size.sizes {
            Sizes::Fixed(size) => of(*size).map(Self::exact),
            Sizes::Sequence(sizes) => Self::of_mix(cycle, slot, sizes.iter().copied(), of),
            Sizes::Uniform { from, to, .. } => Self::of_mix(cycle, slot, *from..=*to, of),
        }
    }

    fn exact(bounds: SizeBounds) -> Self {
        Self {
            ceiling_fps: bounds.ceiling_fps,
            wait: Some(Wait {
                mean_ns: bounds.mean_wait_ns,
                longest_ns: bounds.longest_wait_ns,
            }),
        }
    }

    fn of_mix(
        cycle: &Cycle,
        slot: u8,
        sizes: impl Iterator<Item = u16>,
        of: impl Fn(u16) -> Option<SizeBounds>,
    ) -> Option<Self> {
        let (mut count, mut wire_ps, mut mean_ns, mut longest_ns) = (0.0, 0.0, 0.0, 0f64);
        for size in sizes {
            let bounds = of(size)?;
            count += 1.0;
            wire_ps += cycle.link().wire_time_ps(u32::from(size)) as f64;
            mean_ns += bounds.mean_wait_ns;
            longest_ns = longest_ns.max(bounds.longest_wait_ns);
        }
        let usable = |phase: Phase| phase.duration_ns.saturating_sub(cycle.guard_ns());
        let own = cycle.phases().filter(|phase| phase.owner == Some(slot));
        let open_ns: u64 = own.map(usable).sum();
        let frames = open_ns as f64 * 1e3 * count / wire_ps;
        (count > 0.0).then(|| Self {
            ceiling_fps: frames * 1e9 / cycle.length_ns() as f64,
            wait: Some(Wait {
                mean_ns: mean_ns / count,
                longest_ns,
            }),
        })
    }

    /// What a bare link carries.
    #[must_use]
    pub fn of_link(line_rate_fps: f64) -> Self {
        Self {
            ceiling_fps: line_rate_fps,
            wait: None,
        }
    }

    /// The part of one of `streams` that have it together.
    #[must_use]
    pub fn shared(self, streams: usize) -> Self {
        Self {
            ceiling_fps: self.ceiling_fps / streams.max(1) as f64,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use pinode_scheduler::LinkRate;

    use super::*;

    fn thirds() -> Cycle {
        let phases = [0, 1, 2].map(|slot| Phase {
            owner: Some(slot),
            duration_ns: 100_000,
        });
        let link = LinkRate::new(1_000_000_000).unwrap();
        Cycle::new(&phases, 0, link, |_| 1518).unwrap()
    }

    #[test]
    fn of_one_size_it_is_the_schedule_s_own() {
        let bound = Bound::of_gate(&thirds(), 1, &FrameSize::octets(79)).unwrap();
        assert!((bound.ceiling_fps - 420e3).abs() < 1.0, "{bound:?}");
        let wait = bound.wait.unwrap();
        assert!((wait.longest_ns - 200_792.0).abs() < 1.0 && (wait.mean_ns - 67_195.0).abs() < 1.0);
        assert_eq!(Bound::of_gate(&thirds(), 3, &FrameSize::octets(79)), None);
    }

    #[test]
    fn a_mix_lies_between_its_frames() {
        let of = |size: FrameSize| Bound::of_gate(&thirds(), 0, &size).unwrap();
        let (small, large) = (of(FrameSize::octets(79)), of(FrameSize::octets(1518)));
        let mix = of(FrameSize::random(79, 1518));
        assert!(large.ceiling_fps < mix.ceiling_fps && mix.ceiling_fps < small.ceiling_fps);
        let (small, mix, large) = (small.wait.unwrap(), mix.wait.unwrap(), large.wait.unwrap());
        assert!(small.mean_ns < mix.mean_ns && mix.mean_ns < large.mean_ns);
        assert!(
            (mix.longest_ns - large.longest_ns).abs() < 1e-6,
            "the largest frame waits longest"
        );
        // A mix of one size gets at least what the size gets.
        let alone = of(FrameSize::random(512, 512));
        assert!(alone.ceiling_fps >= of(FrameSize::octets(512)).ceiling_fps);
    }
}
