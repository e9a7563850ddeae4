//! From a virtual network and a label to a connection, in a fixed number of steps.
//!
//! A tree of three levels (network, upper and lower ten bits of the label) rather than a hash: a
//! guest chooses the labels of its frames, and no choice makes a look-up dearer. A block of 1,024
//! labels is allocated when the first of them is set.

const BITS: u32 = 10;
const FAN: usize = 1 << BITS;
/// No connection.
const NONE: u32 = u32::MAX;

type Block = Box<[u32]>;

#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    /// By network, upper bits, lower bits; empty where nothing is set.
    networks: Vec<Vec<Option<Block>>>,
}

impl Labels {
    #[inline]
    pub(super) fn get(&self, vn: u8, label: u32) -> Option<u32> {
        let blocks = self.networks.get(usize::from(vn))?;
        let block = blocks.get((label >> BITS) as usize)?.as_ref()?;
        let place = *block.get(label as usize % FAN)?;
        (place != NONE).then_some(place)
    }

    /// Sets a label, of 20 bits at most.
    pub(super) fn set(&mut self, vn: u8, label: u32, place: u32) {
        let network = usize::from(vn);
        if self.networks.len() <= network {
            self.networks.resize(network + 1, Vec::new());
        }
        let blocks = self.networks.get_mut(network);
        if let Some(blocks) = blocks.filter(|blocks| blocks.is_empty()) {
            blocks.resize(FAN, None);
        }
        let block = self.networks.get_mut(network);
        let block = block.and_then(|blocks| blocks.get_mut((label >> BITS) as usize));
        if let Some(block) = block {
            let block = block.get_or_insert_with(|| vec![NONE; FAN].into_boxed_slice());
            block[label as usize % FAN] = place;
        }
    }

    pub(super) fn unset(&mut self, vn: u8, label: u32) {
        if self.get(vn, label).is_some() {
            self.set(vn, label, NONE);
        }
    }
}
