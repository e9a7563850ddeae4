//! Paced load of numbered frames from one raw socket to another, and the account of every frame.
//!
//! The pace is far below what a node carries: what is lost, is lost by the node's doing, not by the test machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use crate::PacketSocket;
use crate::frame::{intact, number_of, numbered, pih};
use crate::poll::until;

/// Most frames that a stream sends in one tick, so that a stall of the sender is not followed by a flood.
const TICK_LIMIT: u64 = 16;
const TICK: Duration = Duration::from_millis(1);
/// The receiver ends when the sender has ended and nothing came for this long.
const QUIET: Duration = Duration::from_millis(400);

/// One stream of the load.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// PI code; VN is 0.
    pub code: u8,
    /// Frame sizes: this one and, alternating, the three up to 1514 spread evenly.
    pub size: usize,
    /// Frames per second.
    pub rate: u64,
}

/// What became of a stream's frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// PI code.
    pub code: u8,
    /// Frames sent.
    pub sent: u64,
    /// Distinct frames received intact.
    pub received: u64,
    /// Frames received more than once.
    pub duplicated: u64,
    /// Frames received after a later one.
    pub reordered: u64,
    /// Frames received changed.
    pub corrupted: u64,
}

impl Account {
    /// True if each frame sent came once, intact and in order.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.received == self.sent
            && self.duplicated == 0
            && self.reordered == 0
            && self.corrupted == 0
    }
}

/// See the module.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    received: Arc<Vec<AtomicU64>>,
    streams: Vec<Stream>,
    sender: Option<JoinHandle<Result<Vec<u64>>>>,
    receiver: Option<JoinHandle<Result<Vec<Account>>>>,
}

impl Load {
    /// Starts sending; runs until [`Self::finish`].
    #[must_use]
    pub fn start(from: PacketSocket, to: PacketSocket, streams: &[Stream]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(AtomicBool::new(false));
        let received: Arc<Vec<AtomicU64>> =
            Arc::new(streams.iter().map(|_| AtomicU64::new(0)).collect());
        let sender = {
            let (stop, ended, streams) = (stop.clone(), ended.clone(), streams.to_vec());
            thread::spawn(move || {
                let sent = send(&from, &streams, &stop);
                ended.store(true, Ordering::Release);
                sent
            })
        };
        let receiver = {
            let (received, streams) = (received.clone(), streams.to_vec());
            thread::spawn(move || receive(&to, &streams, &received, &ended))
        };
        Self {
            stop,
            received,
            streams: streams.to_vec(),
            sender: Some(sender),
            receiver: Some(receiver),
        }
    }

    /// Waits until `more` further frames of the PI have come through.
    ///
    /// # Errors
    /// Not within 20 s.
    pub fn flows(&self, code: u8, more: u64) -> Result<()> {
        let index = self
            .streams
            .iter()
            .position(|s| s.code == code)
            .ok_or_else(|| anyhow!("no stream of PI code {code}"))?;
        let counter = &self.received[index];
        let goal = counter.load(Ordering::Relaxed) + more;
        until(
            &format!("{more} more frames of PI code {code}"),
            Duration::from_secs(20),
            || match counter.load(Ordering::Relaxed) {
                count if count >= goal => Ok(()),
                count => Err(format!("{count} of {goal} frames")),
            },
        )
    }

    /// Ends the load, waits for what is on the way, and gives each stream's account, in order.
    ///
    /// # Errors
    /// A socket failed, or the receiving socket itself overflowed.
    pub fn finish(mut self) -> Result<Vec<Account>> {
        self.stop.store(true, Ordering::Release);
        let sent = join(self.sender.take())?;
        let mut accounts = join(self.receiver.take())?;
        for (account, sent) in accounts.iter_mut().zip(sent) {
            account.sent = sent;
        }
        Ok(accounts)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

fn join<T>(thread: Option<JoinHandle<Result<T>>>) -> Result<T> {
    thread
        .ok_or_else(|| anyhow!("joined twice"))?
        .join()
        .map_err(|_| anyhow!("a thread of the load panicked"))?
}

fn size_of(stream: &Stream, sequence: u64) -> usize {
    stream.size + (sequence % 4) as usize * ((1514 - stream.size) / 3)
}

fn send(socket: &PacketSocket, streams: &[Stream], stop: &AtomicBool) -> Result<Vec<u64>> {
    let mut sent = vec![0; streams.len()];
    let mut owed = vec![0.0; streams.len()];
    let mut last = Instant::now();
    while !stop.load(Ordering::Acquire) {
        let now = Instant::now();
        let elapsed = (now - last).as_secs_f64();
        last = now;
        for (index, stream) in streams.iter().enumerate() {
            owed[index] = f64::min(
                owed[index] + elapsed * stream.rate as f64,
                TICK_LIMIT as f64,
            );
            while owed[index] >= 1.0 {
                owed[index] -= 1.0;
                socket.send(&numbered(
                    stream.code,
                    0,
                    sent[index],
                    size_of(stream, sent[index]),
                ))?;
                sent[index] += 1;
            }
        }
        thread::sleep(TICK);
    }
    Ok(sent)
}

fn receive(
    socket: &PacketSocket,
    streams: &[Stream],
    received: &[AtomicU64],
    ended: &AtomicBool,
) -> Result<Vec<Account>> {
    let mut accounts: Vec<Account> = streams
        .iter()
        .map(|s| Account {
            code: s.code,
            ..Account::default()
        })
        .collect();
    let mut seen: Vec<Vec<bool>> = vec![Vec::new(); streams.len()];
    let mut buffer = vec![0; 1 << 16];
    loop {
        let last_round = ended.load(Ordering::Acquire);
        let Some(frame) = socket.receive(&mut buffer, QUIET)? else {
            if last_round {
                break;
            }
            continue;
        };
        let Some((frame_pih, sequence)) = number_of(frame) else {
            continue;
        };
        let Some(index) = streams.iter().position(|s| pih(s.code, 0) == frame_pih) else {
            continue;
        };
        let account = &mut accounts[index];
        if !intact(frame) || frame.len() != size_of(&streams[index], sequence) {
            account.corrupted += 1;
            continue;
        }
        let at = usize::try_from(sequence)?;
        let seen = &mut seen[index];
        if at < seen.len() {
            if seen[at] {
                account.duplicated += 1;
                continue;
            }
            account.reordered += 1;
        } else {
            seen.resize(at + 1, false);
        }
        seen[at] = true;
        account.received += 1;
        received[index].store(account.received, Ordering::Relaxed);
    }
    let overflowed = socket.overflowed()?;
    ensure!(
        overflowed == 0,
        "the test's own socket lost {overflowed} frames; is the machine overloaded?"
    );
    Ok(accounts)
}
