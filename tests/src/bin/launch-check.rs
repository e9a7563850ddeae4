//! `launch-check NEAR FAR held|passed|late|stepped|unplugged`: an AF_PACKET port on NEAR is given frames ahead of their start, and
//! FAR says when they came. Prints one line; exit code 0 or 1.
//!
//! - `held`: with launch time, none came before its start.
//! - `passed`: without, they came at once.
//! - `late`: a queueing discipline that drops what is late; such frames are counted as lost.
//! - `stepped`: CLOCK_REALTIME, and CLOCK_TAI with it, is set forward while a frame waits; it is counted as lost, and
//!   frames are held as before after that.
//! - `unplugged`: without carrier nothing is taken, and with it frames pass again.

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pinode_ports::{AfPacketPort, Port, RxBurst, TxMeta, TxSlots};
use pinode_tests::PacketSocket;
use pinode_tests::poll::until;
use pinode_tests::program::system;
use rustix::time::{ClockId, clock_gettime, clock_settime};

/// EtherType of the frames, and their octets.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
const OCTETS: usize = 60;

const MS: u64 = 1_000_000;
/// How far ahead of their start two frames are handed over.
const AHEAD_NS: [u64; 2] = [5 * MS, 10 * MS];
const ROUNDS: usize = 25;
const PATIENCE: Duration = Duration::from_secs(10);
/// Most that half of the frames may be behind their start, in an emulated machine.
const BEHIND_NS: i64 = 2_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let said = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [near, far, mode] => Bench::open(near, far).and_then(|mut bench| match mode {
            "held" => bench.held(),
            "passed" => bench.passed(),
            "late" => bench.late(),
            "stepped" => bench.stepped(),
            "unplugged" => bench.unplugged(far),
            _ => Err(anyhow::anyhow!("no such mode: {mode}")),
        }),
        _ => Err(anyhow::anyhow!(
            "usage: launch-check NEAR FAR held|passed|late|stepped|unplugged"
        )),
    };
    match said {
        Ok(line) => {
            println!("launch-check: {line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("launch-check: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The port, and the interface across the cable.
struct Bench {
    port: AfPacketPort,
    far: PacketSocket,
    /// Number of the next frame.
    next: u32,
}

impl Bench {
    fn open(near: &str, far: &str) -> Result<Self> {
        let mut ports = AfPacketPort::open(&near.parse()?, 1500, 1)?;
        Ok(Self {
            port: ports.pop().context("one port")?,
            far: PacketSocket::open(far)?,
            next: 0,
        })
    }

    /// Hands one burst over, which the port has to take: a frame for each start. Gives the first's number.
    fn commit(&mut self, starts: &[u64]) -> Result<u32> {
        let first = self.next;
        ensure!(self.offer(starts)? == starts.len(), "not taken");
        Ok(first)
    }

    /// Offers one burst. Gives how many of it the port took.
    fn offer(&mut self, starts: &[u64]) -> Result<usize> {
        let mut slots = TxSlots::new();
        self.port.tx_slots(starts.len(), &mut slots);
        ensure!(slots.len() == starts.len(), "the port is full");
        for slot in &mut slots {
            slot[..OCTETS].copy_from_slice(&frame(self.next));
            self.next += 1;
        }
        drop(slots);
        let metas: Vec<TxMeta> = starts
            .iter()
            .map(|&start_ns| TxMeta {
                len: OCTETS as u16,
                start_ns,
            })
            .collect();
        Ok(self.port.tx_commit(&metas))
    }

    /// The next of this program's frames within `wait`: when it came, CLOCK_MONOTONIC.
    fn arrival(&mut self, number: u32, wait: Duration) -> Result<Option<u64>> {
        let deadline = Instant::now() + wait;
        let mut buffer = [0; 2048];
        while Instant::now() < deadline {
            // As a worker does between its turns.
            self.port.rx_burst(now_ns(), &mut RxBurst::new());
            let got = self.far.receive(&mut buffer, Duration::from_millis(1))?;
            let arrived = now_ns();
            if let Some(got) = got.filter(|frame| frame.get(12..14) == Some(&ETHERTYPE)) {
                ensure!(
                    got == frame(number),
                    "frame {number} came otherwise, or another one"
                );
                return Ok(Some(arrived));
            }
        }
        Ok(None)
    }

    /// Rounds of two frames: by how much each came behind its start (before it: negative), sorted.
    fn rounds(&mut self) -> Result<Vec<i64>> {
        let mut behind = Vec::new();
        for _ in 0..ROUNDS {
            let now = now_ns();
            let starts = AHEAD_NS.map(|ahead_ns| now + ahead_ns);
            let first = self.commit(&starts)?;
            for (number, start_ns) in (first..).zip(starts) {
                let arrived = self.arrival(number, PATIENCE)?;
                let arrived = arrived.with_context(|| format!("frame {number} did not come"))?;
                behind.push(arrived.cast_signed() - start_ns.cast_signed());
            }
        }
        behind.sort_unstable();
        Ok(behind)
    }

    fn held(&mut self) -> Result<String> {
        ensure!(
            self.port.launch_lead_ns() == Some(0),
            "{}",
            self.port.describe()
        );
        let behind = self.rounds()?;
        let line = figures(&self.port.describe(), &behind);
        ensure!(behind[0] >= 0, "a frame left before its start: {line}");
        ensure!(behind[behind.len() / 2] < BEHIND_NS, "too late: {line}");
        ensure!(self.lost() == 0, "{} lost: {line}", self.lost());
        Ok(line)
    }

    fn passed(&mut self) -> Result<String> {
        ensure!(
            self.port.launch_lead_ns().is_none(),
            "{}",
            self.port.describe()
        );
        let behind = self.rounds()?;
        let line = figures(&self.port.describe(), &behind);
        // More than a quarter, so second frames of a round, came before the start of the first.
        let early = behind[behind.len() / 4];
        ensure!(early < -(AHEAD_NS[0].cast_signed()), "not at once: {line}");
        Ok(line)
    }

    fn late(&mut self) -> Result<String> {
        let held = self.held()?;
        // More than the discipline's delta behind whatever was sent before.
        ensure!(
            self.arrival(self.next, Duration::from_millis(100))?
                .is_none()
        );
        let past = now_ns() - 1000 * MS;
        let first = self.commit(&[past, past + 1, past + 2])?;
        ensure!(self.arrival(first, Duration::from_millis(300))?.is_none());
        ensure!(self.lost() == 3, "{} counted", self.lost());
        let number = self.commit(&[now_ns() + 20 * MS])?;
        let arrived = self.arrival(number, PATIENCE)?;
        ensure!(arrived.is_some() && self.lost() == 3, "the one in time");
        Ok(format!("{held}; 3 that were late are counted as lost"))
    }

    fn stepped(&mut self) -> Result<String> {
        let first = self.commit(&[now_ns() + 500 * MS])?;
        let mut wall = clock_gettime(ClockId::Realtime);
        wall.tv_sec += 100;
        clock_settime(ClockId::Realtime, wall)?;
        ensure!(self.arrival(first, Duration::from_secs(2))?.is_none());
        ensure!(self.lost() == 1, "{} counted", self.lost());
        let behind = self.rounds()?;
        let line = figures("after the step", &behind);
        ensure!(behind[0] >= 0 && self.lost() == 1, "{line}");
        Ok(line)
    }

    fn unplugged(&mut self, far: &str) -> Result<String> {
        self.held()?;
        let link = |state: &str| system("/sbin/ip", &["link", "set", far, state]).map(drop);
        link("down")?;
        // The kernel notices within a second, and what it was given before is lost on the wire.
        let refused = |bench: &mut Self| {
            let taken = bench.offer(&[now_ns()]).map_err(|e| e.to_string())?;
            if taken == 0 {
                Ok(())
            } else {
                Err("taken without carrier".to_owned())
            }
        };
        until("a refusal", PATIENCE, || refused(self))?;
        for _ in 0..100 {
            ensure!(refused(self).is_ok(), "taken behind a refusal");
        }
        link("up")?;
        self.far = PacketSocket::open(far)?;
        until("a frame", PATIENCE, || {
            let number = self.next;
            self.offer(&[now_ns()]).map_err(|e| e.to_string())?;
            let arrival = self.arrival(number, Duration::from_millis(50));
            arrival
                .map_err(|e| e.to_string())?
                .ok_or("none came".to_owned())
        })?;
        ensure!(self.lost() == 0, "{} counted", self.lost());
        Ok("what was offered without carrier was refused".into())
    }

    /// Frames that the port counts as lost, after it has looked.
    fn lost(&mut self) -> u64 {
        self.port.missed();
        self.port.tx_lost()
    }
}

fn figures(of: &str, behind: &[i64]) -> String {
    let us = |ns: i64| ns / 1000;
    let (first, last) = (behind[0], behind[behind.len() - 1]);
    format!(
        "{of}: {} frames {} to {} us behind their start, half of them {} us at most",
        behind.len(),
        us(first),
        us(last),
        us(behind[behind.len() / 2])
    )
}

fn frame(number: u32) -> [u8; OCTETS] {
    let mut frame = [number as u8; OCTETS];
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame[12..14].copy_from_slice(&ETHERTYPE);
    frame[14..18].copy_from_slice(&number.to_be_bytes());
    frame
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
