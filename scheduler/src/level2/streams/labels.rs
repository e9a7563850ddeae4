//! From a virtual network and a label to a connection, in a fixed number of steps.
//!
//! A tree of three levels (network, upper and lower ten bits of the label) rather than a hash: a
//! guest chooses the labels of its frames, and no choice makes a look-up dearer. The memory of a block
//! of 1,024 labels is handed in with the first of them that is set, and handed out with the last that is
//! taken away: nothing is allocated or freed here.

const BITS: u32 = 10;
const FAN: usize = 1 << BITS;
/// No connection.
const NONE: u32 = u32::MAX;

/// Memory for 1,024 labels.
#[derive(Debug, Clone)]
pub struct Block(Box<Places>);

#[derive(Debug, Clone)]
struct Places {
    /// How many are set.
    used: u32,
    places: [u32; FAN],
}

impl Default for Block {
    fn default() -> Self {
        Self(Box::new(Places {
            used: 0,
            places: [NONE; FAN],
        }))
    }
}

impl Block {
    /// What labels of one block have in common: connections of as many of these as there are blocks
    /// handed over can be set up.
    #[must_use]
    pub fn of(vn: u8, label: u32) -> (u8, u32) {
        (vn, label >> BITS)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Labels {
    /// By network, upper bits; empty where the network is not carried.
    networks: Box<[Box<[Option<Block>]>]>,
}

impl Labels {
    /// For the networks whose bit is set.
    pub(super) fn new(networks: u32) -> Self {
        let blocks = |vn: u32| match networks >> vn & 1 {
            1 => vec![None; FAN].into_boxed_slice(),
            _ => Box::default(),
        };
        Self {
            networks: (0..u32::BITS).map(blocks).collect(),
        }
    }

    #[inline]
    pub(super) fn get(&self, vn: u8, label: u32) -> Option<u32> {
        let blocks = self.networks.get(usize::from(vn))?;
        let Block(block) = blocks.get((label >> BITS) as usize)?.as_ref()?;
        let place = block.places[label as usize % FAN];
        (place != NONE).then_some(place)
    }

    /// Whether the network is carried.
    pub(super) fn carries(&self, vn: u8) -> bool {
        let blocks = self.networks.get(usize::from(vn));
        blocks.is_some_and(|blocks| !blocks.is_empty())
    }

    /// Whether a block has to be handed in to set a label.
    pub(super) fn lacks(&self, vn: u8, label: u32) -> bool {
        let blocks = self.networks.get(usize::from(vn));
        let block = blocks.and_then(|blocks| blocks.get((label >> BITS) as usize));
        block.is_some_and(Option::is_none)
    }

    /// Sets a label, of 20 bits at most, that is not set. `block` is asked for if it
    /// [lacks](Self::lacks) one.
    pub(super) fn set(
        &mut self,
        (vn, label): (u8, u32),
        place: u32,
        block: impl FnOnce() -> Option<Block>,
    ) {
        let blocks = self.networks.get_mut(usize::from(vn));
        let slot = blocks.and_then(|blocks| blocks.get_mut((label >> BITS) as usize));
        let Some(slot) = slot else { return };
        if slot.is_none() {
            *slot = block();
        }
        if let Some(Block(block)) = slot {
            block.used += 1;
            block.places[label as usize % FAN] = place;
        }
    }

    /// Takes a label away that is set. A block that has no label any more is offered, and stays if it is
    /// given back.
    pub(super) fn unset(
        &mut self,
        (vn, label): (u8, u32),
        let_go: impl FnOnce(Block) -> Option<Block>,
    ) {
        let blocks = self.networks.get_mut(usize::from(vn));
        let slot = blocks.and_then(|blocks| blocks.get_mut((label >> BITS) as usize));
        let Some(slot) = slot else { return };
        if let Some(Block(block)) = slot {
            block.places[label as usize % FAN] = NONE;
            block.used = block.used.saturating_sub(1);
            if block.used == 0 {
                *slot = slot.take().and_then(let_go);
            }
        }
    }
}
