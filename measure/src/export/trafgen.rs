//! A packet configuration of trafgen: every frame literally, because trafgen cannot compute a CRC-32C.
//!
//! trafgen sends the frames in turn and at one rate; so they are in the order in which they are due, and the rate is
//! that of all streams. Sent once, the sink counts every one; sent again, as duplicates.

use std::io::{self, Write};

use super::Plan;
use super::table::describe;

/// Octets on a line.
const LINE: usize = 16;
/// Slots of trafgen's ring, octets, unless it is told to make them larger.
const SLOT: usize = 2048;

pub(super) fn write(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    let (mut frames, mut longest) = (0u64, 0);
    plan.each_frame(|_, _, frame| {
        frames += 1;
        longest = longest.max(frame.len());
        io::Result::Ok(())
    })?;
    writeln!(
        out,
        "# Streams of pinode for trafgen (netsniff-ng). Send them once, in order, at their rate:"
    )?;
    writeln!(out, "#")?;
    writeln!(
        out,
        "#   trafgen --dev IF --conf streams.cfg --cpus 1 --num {frames} --rate {:.0}pps{}",
        plan.fps().max(1.0),
        if longest > SLOT {
            " --jumbo-support"
        } else {
            ""
        },
    )?;
    writeln!(out, "#")?;
    writeln!(
        out,
        "# Each frame has its own sequence number and check; sent again, it is a duplicate."
    )?;
    for (name, stream) in plan.named() {
        let spec = stream.spec();
        writeln!(
            out,
            "# stream {} {}: {} octets with FCS, {} frames/s",
            spec.id,
            one_line(name),
            describe(&spec.sizes),
            spec.rate_fps
        )?;
    }
    let mut line = String::new();
    plan.each_frame(|due_ns, name, frame| {
        use std::fmt::Write as _;
        writeln!(out, "\n# {}, due at {due_ns} ns\n{{", one_line(name))?;
        for octets in frame.chunks(LINE) {
            line.clear();
            for octet in octets {
                // Into a String: cannot fail.
                let _ = write!(line, " {octet:#04x},");
            }
            writeln!(out, "{line}")?;
        }
        writeln!(out, "}}")
    })
}

/// A name as a comment can hold it.
fn one_line(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
