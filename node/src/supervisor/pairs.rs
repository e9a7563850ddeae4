//! Whether a guest's driver uses a queue pair for each worker.
//!
//! Each worker fills a receive ring of its own, so what the others receive for a guest that has not
//! one for each would be lost. Pure but for the count of pairs in use, which the driver changes.

use crate::dataplane::vif::{PairsInUse, Vif};

/// So many looks in a row (half a second apart) a guest may run without having put its queue pairs into
/// use.
const LOOKS: u32 = 4;

/// The queue pairs of one guest.
#[derive(Debug, Default)]
pub struct Pairs {
    /// By port, the last pair that a worker needs: in use, all of them are.
    last: Vec<(usize, PairsInUse)>,
    /// Looks in a row at which one was not in use.
    looks: u32,
}

impl Pairs {
    /// The driver has set up the vif of `port`. Those of `pairs` that no worker needs are let go of.
    ///
    /// # Errors
    ///
    /// There are fewer than workers, and what to do about it.
    pub fn vif_up(
        &mut self,
        port: usize,
        pairs: &mut Vec<Vif>,
        workers: usize,
    ) -> Result<(), String> {
        if pairs.len() < workers {
            return Err(too_few(pairs.len(), workers));
        }
        pairs.truncate(workers);
        let last = pairs.last().and_then(Vif::in_use);
        self.last.extend(last.map(|last| (port, last)));
        Ok(())
    }

    /// The driver has reset the vif of `port`.
    pub fn vif_down(&mut self, port: usize) {
        self.last.retain(|(of, _)| *of != port);
    }

    /// Looks at a guest that forwards, if it `runs`. Gives the reason to give it up, when it uses too
    /// few pairs for good.
    pub fn look(&mut self, runs: bool, workers: usize) -> Option<String> {
        let waits = runs && !self.last.iter().all(|(_, last)| last.holds());
        self.looks = if waits { self.looks + 1 } else { 0 };
        (self.looks >= LOOKS).then(|| {
            let used = self.last.iter().map(|(_, last)| last.used()).min();
            format!("uses {}", too_few(used.unwrap_or(0), workers))
        })
    }
}

fn too_few(pairs: usize, workers: usize) -> String {
    let pairs = match pairs {
        1 => "1 queue pair".to_owned(),
        several => format!("{several} queue pairs"),
    };
    format!(
        "{pairs} for {workers} workers; needed: a driver with VIRTIO_NET_F_MQ that uses {workers} pairs \
         (a Linux guest uses as many as it has vcpus), or workers = 1"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;

    fn with_pairs(count: &Arc<AtomicU16>) -> Pairs {
        let last = PairsInUse {
            index: 1,
            count: Arc::clone(count),
        };
        Pairs {
            last: vec![(0, last)],
            looks: 0,
        }
    }

    #[test]
    fn a_vif_with_too_few_pairs_is_refused_at_once() {
        let mut pairs = Pairs::default();
        assert!(pairs.vif_up(0, &mut Vec::new(), 0).is_ok());
        let why = pairs.vif_up(0, &mut Vec::new(), 2).unwrap_err();
        assert!(
            why.starts_with("0 queue pairs for 2 workers; needed: "),
            "{why}"
        );
    }

    #[test]
    fn a_driver_has_some_time_to_use_its_pairs() {
        let count = Arc::new(AtomicU16::new(1));
        let mut pairs = with_pairs(&count);
        for _ in 0..100 {
            assert_eq!(pairs.look(false, 2), None, "it boots");
        }
        for _ in 1..LOOKS {
            assert_eq!(pairs.look(true, 2), None);
        }
        let why = pairs.look(true, 2).unwrap();
        assert!(why.starts_with("uses 1 queue pair for 2 workers"), "{why}");
        count.store(2, Ordering::Release);
        assert_eq!(pairs.look(true, 2), None);
    }

    #[test]
    fn a_vif_that_was_reset_is_not_waited_for() {
        let mut pairs = with_pairs(&Arc::new(AtomicU16::new(1)));
        pairs.vif_down(0);
        for _ in 0..100 {
            assert_eq!(pairs.look(true, 2), None);
        }
    }
}
