//! The least that a guest can do that looks into frames and writes to them. No guest function that does is quicker on the
//! same machine, so it says what of a function's cost is the function's own.
//!
//! It joins ports in pairs, as `patch` does, which never looks: but it reads the cache line that each frame begins
//! with and writes to it, as whoever forwards a packet has to. And for each frame it goes to one line at random of each
//! of up to [`MOST_TABLES`] tables, which table after table is known only when the one before has come, and writes to
//! the last: as a look-up does in tables that no cache holds. It decides nothing, checks nothing and counts nothing.
//!
//! Configuration: `tables = [OCTETS, ...]`, the size of each. Which line is given by the octets in which packets of
//! `bench/routed` differ, and frames of `bench/switched`.

#![no_std]

extern crate alloc;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use pinode_guest_runtime::unsafe_prefetch::prefetch;
use pinode_guest_runtime::{BURST, Config, Frame, Frames, Function, Output, VifIndex};

/// Most tables.
pub const MOST_TABLES: usize = 2;
/// Octets of a frame that are looked at and written to: with a PIH, up to the ports.
const START: usize = 59;
/// In it, with a PIH: the label; the lower half of the source address, the ports, the hop limit.
const LABEL: usize = 15;
const SOURCE: usize = 31;
const PORTS: usize = 55;
const HOP_LIMIT: usize = 22;
/// Frames of one stage: while the lines of some are on their way, those of others are asked for.
const TOGETHER: usize = 16;

/// A cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
struct Line([u64; 8]);

/// See the crate.
#[derive(Debug, Default)]
pub struct Floor {
    tables: ArrayVec<Vec<Line>, MOST_TABLES>,
}

/// The sizes that a configuration gives, in octets.
fn sizes(config: &Config) -> Result<ArrayVec<u64, MOST_TABLES>, String> {
    let allowed = || {
        format!(
            "tables: allowed is a list of up to {MOST_TABLES} sizes in octets, 64 and more each"
        )
    };
    let mut sizes = ArrayVec::new();
    let Some(table) = config.pi.as_object() else {
        return Ok(sizes);
    };
    if let Some(key) = table.keys().find(|key| *key != "tables") {
        return Err(format!("unknown key '{key}'; {}", allowed()));
    }
    let Some(list) = table.get("tables") else {
        return Ok(sizes);
    };
    for size in list.as_array().ok_or_else(allowed)? {
        let size = size.as_u64().filter(|size| *size >= 64);
        let size = size.ok_or_else(allowed)?;
        sizes.try_push(size).map_err(|_| allowed())?;
    }
    Ok(sizes)
}

/// A number of which all bits depend on all bits of `of`.
#[inline(always)]
fn mixed(of: u64) -> u64 {
    let product = u128::from(of ^ 0x9e37_79b9_7f4a_7c15) * 0xd1b5_4a32_d192_ed03_u128;
    product as u64 ^ (product >> 64) as u64
}

/// The line of `table` that these bits give.
#[inline(always)]
fn place(table: &[Line], bits: u64) -> usize {
    ((u128::from(bits) * table.len() as u128) >> 64) as usize
}

impl Function for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn memory(&self, config: &Config) -> u64 {
        let sizes = sizes(config).unwrap_or_default();
        sizes.into_iter().fold(0, u64::saturating_add)
    }

    fn configure(&mut self, config: &Config) -> Result<(), String> {
        let vifs = config.vifs.len();
        if vifs == 0 || !vifs.is_multiple_of(2) {
            return Err(format!("floor joins ports in pairs; {vifs} are configured"));
        }
        for size in sizes(config)? {
            let lines = (size / size_of::<Line>() as u64) as usize;
            let mut table = Vec::new();
            table
                .try_reserve_exact(lines)
                .map_err(|_| "tables: there is no memory for them".to_string())?;
            table.resize(lines, Line([0; 8]));
            self.tables.push(table);
        }
        Ok(())
    }

    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        let mut burst = ArrayVec::<Frame, BURST>::new();
        let mut bits = [0; BURST];
        while let Some(frame) = frames.next() {
            let place = bits.get_mut(burst.len());
            if let (Some(start), Some(bits)) = (start(frames, &frame), place) {
                let source = start[SOURCE..].first_chunk().copied().unwrap_or_default();
                let ports = start[PORTS..].first_chunk().copied().unwrap_or_default();
                let label = start[LABEL..].first_chunk().copied().unwrap_or_default();
                let (source, ports) = (u64::from_le_bytes(source), u32::from_le_bytes(ports));
                *bits = mixed(source ^ u64::from(ports ^ u32::from_le_bytes(label)));
                start[HOP_LIMIT] = start[HOP_LIMIT].wrapping_sub(1);
                // Addresses are exchanged: another 16 octets are written.
                let (to, rest) = start.split_at_mut(6);
                if let Some(of) = rest.get_mut(..6) {
                    to.swap_with_slice(of);
                }
            }
            burst.push(frame);
        }
        match self.tables.as_mut_slice() {
            [] => {}
            [last] => touch(&[], last, &mut bits, burst.len()),
            [first, last, ..] => touch(first, last, &mut bits, burst.len()),
        }
        out.send_all(VifIndex(from.0 ^ 1), &mut burst);
    }
}

/// What a frame begins with; none of one that is shorter.
#[inline(always)]
fn start<'f>(frames: &'f mut Frames<'_>, frame: &Frame) -> Option<&'f mut [u8; START]> {
    frames.octets(frame).first_chunk_mut()
}

/// Goes to the lines that `bits` give of `first`, unless it is empty, and of `last`, in three stages.
#[inline(always)]
fn touch(first: &[Line], last: &mut [Line], bits: &mut [u64; BURST], count: usize) {
    let (mut asked, mut known, mut met) = (0, 0, 0);
    while met < count {
        let next = (asked + TOGETHER).min(count);
        for bits in bits.get(asked..next).unwrap_or_default() {
            prefetch(first, place(first, *bits));
        }
        for bits in bits.get_mut(known..asked).unwrap_or_default() {
            let line = first.get(place(first, *bits));
            *bits = mixed(bits.wrapping_add(line.map_or(0, |line| line.0[0])));
            prefetch(last, place(last, *bits));
        }
        for bits in bits.get(met..known).unwrap_or_default() {
            let at = place(last, *bits);
            if let Some(line) = last.get_mut(at) {
                line.0[0] = line.0[0].wrapping_add(1);
            }
        }
        (met, known, asked) = (known, asked, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinode_guest_runtime::hosted::Stand;
    use serde_json::{Value, json};

    fn config(pi: Value) -> Config {
        let vif = |name| json!({ "name": name, "mac": "02:00:00:00:00:01", "mtu": 1500 });
        let config =
            json!({ "function": "floor", "vifs": [vif("a"), vif("b")], "vns": [0], "pi": pi });
        serde_json::from_value(config).unwrap()
    }

    /// Frames come out of the other port, with addresses exchanged and a hop less, and each has gone to a line.
    #[test]
    fn each_frame_goes_on_and_touches_a_line() {
        for tables in [json!([]), json!([6400]), json!([6400, 64_000])] {
            let last = tables.as_array().unwrap().last().cloned();
            let mut floor = Floor::default();
            let config = config(json!({ "tables": tables }));
            assert_eq!(
                floor.memory(&config),
                config.pi["tables"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|size| size.as_u64().unwrap())
                    .sum::<u64>()
            );
            let mut stand = Stand::start(&mut floor, &config, 256, 4 << 20).unwrap();
            for number in 0..100u8 {
                let mut frame = [7; 75];
                (frame[0], frame[6], frame[HOP_LIMIT], frame[PORTS]) = (1, 2, 64, number);
                stand.vif(0).receive.deliver(&[], &frame).unwrap();
            }
            stand.vif(0).receive.publish();
            for round in 1..4 {
                stand.round(&mut floor, round).unwrap();
            }
            let out = stand.vif(1).take();
            assert_eq!(out.len(), 100);
            assert!(
                out.iter()
                    .all(|frame| (frame[0], frame[6], frame[HOP_LIMIT]) == (2, 1, 63))
            );
            if let Some(size) = last {
                let table = floor.tables.last().unwrap();
                assert_eq!(table.len() as u64, size.as_u64().unwrap() / 64);
                assert_eq!(table.iter().map(|line| line.0[0]).sum::<u64>(), 100);
                assert!(table.iter().filter(|line| line.0[0] > 0).count() > 40);
            }
        }
    }

    #[test]
    fn a_wrong_configuration_is_refused() {
        let refused = |pi| Floor::default().configure(&config(pi)).unwrap_err();
        for wrong in [
            json!([1, 2, 3]),
            json!([64, 64, 64]),
            json!(64),
            json!([63]),
            json!(["a"]),
        ] {
            assert!(refused(json!({ "tables": wrong })).starts_with("tables: allowed is a list"));
        }
        assert!(refused(json!({ "route": [] })).starts_with("unknown key 'route'"));
    }
}
