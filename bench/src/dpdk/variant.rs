//! The ways in which DPDK can be set up for one ring layout, of which the best stands for it.

/// Layout of the rings (VIRTIO 1.2 2.7, 2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ring {
    /// Split.
    Split,
    /// Packed.
    Packed,
}

impl Ring {
    /// As in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Packed => "packed",
        }
    }
}

/// How the guest's `virtio-user` device is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Layout.
    pub ring: Ring,
    /// VIRTIO_NET_F_MRG_RXBUF.
    pub mergeable: bool,
    /// VIRTIO_F_IN_ORDER.
    pub in_order: bool,
    /// The driver's vector path (AVX-512 for packed rings); it asks for neither mergeable buffers nor offloads.
    pub vectorised: bool,
}

impl Variant {
    const fn new(ring: Ring, mergeable: bool, in_order: bool, vectorised: bool) -> Self {
        Self {
            ring,
            mergeable,
            in_order,
            vectorised,
        }
    }

    /// All that are tried for `ring`; the first is the one that was best here, and what is used
    /// where nothing is tried.
    #[must_use]
    pub fn all(ring: Ring) -> Vec<Self> {
        let new =
            |mergeable, in_order, vectorised| Self::new(ring, mergeable, in_order, vectorised);
        match ring {
            Ring::Split => vec![
                new(false, false, true),
                new(true, false, false),
                new(true, true, false),
                new(false, false, false),
                new(false, true, false),
            ],
            Ring::Packed => vec![
                new(true, true, false),
                new(true, false, false),
                new(false, false, false),
                new(false, true, false),
                new(false, true, true),
            ],
        }
    }

    /// As `--vdev net_virtio_user0,...` takes it.
    #[must_use]
    pub fn device(self) -> String {
        let flag = u8::from;
        format!(
            "packed_vq={},mrg_rxbuf={},in_order={},vectorized={}",
            flag(self.ring == Ring::Packed),
            flag(self.mergeable),
            flag(self.in_order),
            flag(self.vectorised)
        )
    }

    /// What the environment (EAL) must be told.
    #[must_use]
    pub fn eal(self) -> &'static [&'static str] {
        match (self.ring, self.vectorised) {
            (Ring::Packed, true) => &["--force-max-simd-bitwidth=512"],
            _ => &[],
        }
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.ring.name())?;
        for (set, name) in [
            (self.mergeable, ", mergeable"),
            (self.in_order, ", in order"),
            (self.vectorised, ", vectorised"),
        ] {
            if set {
                f.write_str(name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_what_the_device_is_told() {
        let packed = Variant::new(Ring::Packed, false, true, true);
        assert_eq!(
            packed.device(),
            "packed_vq=1,mrg_rxbuf=0,in_order=1,vectorized=1"
        );
        assert_eq!(packed.to_string(), "packed, in order, vectorised");
        assert_eq!(packed.eal(), ["--force-max-simd-bitwidth=512"]);
        let split = Variant::new(Ring::Split, true, false, false);
        assert!(split.device().starts_with("packed_vq=0,mrg_rxbuf=1,"));
        assert!(split.eal().is_empty());
    }

    #[test]
    fn no_variant_is_tried_twice() {
        for ring in [Ring::Split, Ring::Packed] {
            let all = Variant::all(ring);
            assert!(all.iter().all(|v| v.ring == ring));
            for (i, one) in all.iter().enumerate() {
                assert!(!all[..i].contains(one), "{one}");
            }
        }
    }
}
