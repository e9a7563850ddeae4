//! `gate-trace SEND RECEIVE SEED ROUNDS`: puts the planned frames to interface SEND and tells when each left, or came
//! in, by interface RECEIVE (the same one, to see what leaves it). One line a frame; exit code 0 if all were seen, once
//! and whole.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::frame::{intact, number_of, numbered};
use pinode_tests::gate_trace::{CYCLE_NS, Planned, Traced, plan};
use pinode_tests::poll::until;
use pinode_tests::{Departures, PacketSocket, set_priority};
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, DynamicClockId, Timespec, clock_gettime, clock_gettime_dynamic};

const SECOND_NS: u64 = 1_000_000_000;
/// The first frame goes at the beginning of a cycle this long after the start, when gates run for certain.
const HEAD_START_NS: u64 = SECOND_NS / 5;
/// In so many cycles all frames have left that were sent.
const LAST_CYCLES: u64 = 4;
/// How long the last frames may take: far more than any schedule holds them.
const DEADLINE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match run() {
        Ok(frames) => {
            println!("gate-trace ended: {frames} frames");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("gate-trace failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<usize> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [send, receive, seed, rounds] = arguments.as_slice() else {
        anyhow::bail!("usage: gate-trace SEND RECEIVE SEED ROUNDS");
    };
    let plan = plan(
        seed.parse().context("SEED is a number")?,
        rounds.parse().context("ROUNDS is a number")?,
    );
    let socket = PacketSocket::open(send)?;
    let departures = Departures::watch(receive)?;
    let leap_ns = tai_offset_ns()?;
    let start_ns = (now_ns() + HEAD_START_NS).next_multiple_of(CYCLE_NS);
    let mut frames = put(&socket, &plan, start_ns, leap_ns)?;
    // Reading takes the processor from what is still sending: not before the last windows have passed.
    let last_ns = plan.last().map_or(0, |planned| planned.until_ns);
    sleep_until(start_ns + last_ns + LAST_CYCLES * CYCLE_NS - leap_ns)?;
    let missing =
        |frames: &BTreeMap<u64, Traced>| frames.values().filter(|f| f.left_ns == 0).count();
    let mut buffer = vec![0; 1 << 16];
    until("all frames", DEADLINE, || {
        see(&departures, &mut buffer, leap_ns, &mut frames).map_err(|e| format!("{e:#}"))?;
        match missing(&frames) {
            0 => Ok(()),
            missing => Err(format!("{missing} of {} did not come", frames.len())),
        }
    })?;
    ensure!(
        tai_offset_ns()? == leap_ns,
        "CLOCK_TAI and CLOCK_REALTIME moved apart"
    );
    println!("TAI is {} s ahead of real time", leap_ns / SECOND_NS);
    for frame in frames.values() {
        println!("{frame}");
    }
    Ok(frames.len())
}

/// Sends the plan; gives what was sent by number.
fn put(
    socket: &PacketSocket,
    plan: &[Planned],
    start_ns: u64,
    leap_ns: u64,
) -> Result<BTreeMap<u64, Traced>> {
    let mut frames = BTreeMap::new();
    let mut not_before_ns = [0; 3];
    for (number, planned) in (0..).zip(plan) {
        let &Planned {
            class,
            octets,
            at_ns,
            then_ns,
            until_ns,
        } = planned;
        let not_before_ns = &mut not_before_ns[usize::from(class)];
        let frame = numbered(class + 1, 0, number, octets as usize);
        set_priority(socket, class)?;
        sleep_until((start_ns + at_ns).max(*not_before_ns) - leap_ns)?;
        let sent_ns = now_ns();
        if sent_ns > start_ns + until_ns {
            continue;
        }
        let traced = Traced {
            number,
            class,
            octets,
            sent_ns,
            left_ns: 0,
        };
        frames.insert(number, traced);
        socket.send(&frame)?;
        *not_before_ns = now_ns() + then_ns;
    }
    Ok(frames)
}

/// Notes when each frame left that has been seen since the last call.
fn see(
    departures: &Departures,
    buffer: &mut [u8],
    leap_ns: u64,
    frames: &mut BTreeMap<u64, Traced>,
) -> Result<()> {
    while let Some((frame, stamp_ns)) = departures.next(buffer)? {
        let Some((_, number)) = number_of(frame) else {
            continue;
        };
        let traced = frames
            .get_mut(&number)
            .with_context(|| format!("frame {number} came that was not sent"))?;
        ensure!(traced.left_ns == 0, "frame {number} came twice");
        ensure!(
            intact(frame) && frame.len() as u64 == traced.octets,
            "frame {number} came changed"
        );
        traced.left_ns = stamp_ns + leap_ns;
    }
    Ok(())
}

fn now_ns() -> u64 {
    // Linux has had the clock since 3.10.
    clock_gettime_dynamic(DynamicClockId::Tai).map_or(0, ns)
}

fn ns(time: Timespec) -> u64 {
    time.tv_sec as u64 * SECOND_NS + time.tv_nsec as u64
}

/// Sleeps until an instant of CLOCK_REALTIME.
fn sleep_until(at_ns: u64) -> Result<()> {
    let at = Timespec {
        tv_sec: (at_ns / SECOND_NS) as i64,
        tv_nsec: (at_ns % SECOND_NS) as i64,
    };
    loop {
        match clock_nanosleep_absolute(ClockId::Realtime, &at) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("sleep"),
        }
    }
}

/// By how much CLOCK_TAI is ahead of CLOCK_REALTIME: whole seconds, none where nobody has told the kernel.
fn tai_offset_ns() -> Result<u64> {
    let before = ns(clock_gettime(ClockId::Realtime));
    let tai = now_ns();
    let after = ns(clock_gettime(ClockId::Realtime));
    let offset = (tai - before) / SECOND_NS * SECOND_NS;
    ensure!(
        before + offset <= tai && tai <= after + offset,
        "CLOCK_TAI is not whole seconds ahead of CLOCK_REALTIME"
    );
    Ok(offset)
}
