//! Frames whose head the wire has otherwise than the guest: one by one, with a head of the host's own.

use pinode_classifier::{PortClassifier, TxDrop};
use pinode_ports::{BURST, TxMeta};
use pinode_scheduler::Starts;
use pinode_scheduler::level2::Discipline;
use pinode_virtqueue::TxFrame;

use super::super::lane::{FCS, HEAD_OCTETS};
use super::super::vif::VifOut;
use super::{Io, Stays};

/// Sends frames whose head the wire has otherwise than the guest, one by one.
pub(super) fn convert_all(
    shape: &PortClassifier,
    (owner, now_ns, longest): (u8, u64, usize),
    rings: &mut [VifOut],
    queue: &mut impl Discipline<TxFrame>,
    (starts, slots, going, out): Io<'_, '_, '_>,
) {
    // Bounded by frames looked at, not by frames sent: a guest that queues what may not go would
    // otherwise hold the worker until its queue is empty, and the instant would grow stale.
    for _ in 0..BURST {
        let Some(slot) = slots.get_mut(out.sent) else {
            break;
        };
        let Some(place) = out.metas.get_mut(out.sent) else {
            break;
        };
        let mut stays = None;
        let taken = queue.dequeue_if(now_ns, |frame| {
            let room = longest.min(slot.len());
            let slot = slot.get_mut(..room).unwrap_or_default();
            let Some(vif) = rings.get(usize::from(frame.tag())) else {
                // Frames of a ring that is gone have gone with it.
                return false;
            };
            match convert(vif, shape, starts, owner, frame, slot) {
                Ok(meta) => {
                    *place = meta;
                    out.sent += 1;
                }
                Err(Stays::Waits) => return false,
                Err(why) => stays = Some(why),
            }
            true
        });
        let Some(frame) = taken else {
            break;
        };
        match going.get_mut(out.picked) {
            Some(place) if stays.is_none() => {
                *place = frame;
                out.picked += 1;
            }
            _ => out.give_back(rings, frame),
        }
        let broken = matches!(stays, Some(Stays::Broken(_)));
        if let Some(why) = stays {
            out.stays(why);
        }
        if broken {
            break;
        }
    }
}

/// The host's own copy of the head is checked, and goes out in its new form before the rest.
fn convert(
    vif: &VifOut,
    shape: &PortClassifier,
    starts: &mut Starts<'_>,
    owner: u8,
    frame: &TxFrame,
    slot: &mut [u8],
) -> Result<TxMeta, Stays> {
    let mut head = [0u8; HEAD_OCTETS];
    let octets = frame.len() as usize;
    let head = &mut head[..octets.min(HEAD_OCTETS)];
    vif.transmit.read(frame, 0, head).map_err(Stays::Broken)?;
    let splice = shape.to_wire(owner, head, octets).map_err(Stays::Dropped)?;
    let padded = splice.padded_octets(octets);
    let (Some(copy), Ok(len)) = (slot.get_mut(..padded), u16::try_from(padded)) else {
        return Err(Stays::Dropped(TxDrop::Oversize));
    };
    let Ok(start) = starts.ask(u32::from(len) + FCS) else {
        return Err(Stays::Waits);
    };
    let prefix = splice.prefix();
    let (head, rest) = copy.split_at_mut(prefix.len());
    head.copy_from_slice(prefix);
    let (body, padding) = rest.split_at_mut(splice.octets(octets) - prefix.len());
    padding.fill(0);
    let rest = vif.transmit.read(frame, splice.skip() as u32, body);
    rest.map_err(Stays::Broken)?;
    Ok(TxMeta {
        len,
        start_ns: starts.charge(start),
    })
}
