//! `pinode dss pipe`: stdin on a connection, or a connection to stdout.
//!
//! A pipe ends with frames without payload, so that its receiver can tell an end from a loss. Must never say that all
//! came when it did not.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pinode_signaling::Address;
use pinode_signaling::packet::frame::MAX_SDU;
use pinode_signaling::socket::{Error, Listener, Stream};

use super::super::failure::Failure;
use super::args::Pipe;
use super::stream::{LOOK_EVERY, PATIENCE, anything, ask, failed, open, text};
use crate::run::signal_that_ends;

/// Frames that say that a pipe has ended: the last may get lost as any other.
const ENDS: usize = 3;
/// How long what is under way may take before the connection is closed behind it.
const LINGER: Duration = Duration::from_millis(500);
/// A shell's for a command that ended by a signal: this and the signal's number.
const BY_SIGNAL: u8 = 128;

pub(super) fn pipe(args: &Pipe) -> Result<(), Failure> {
    let signaling = open(&args.at)?;
    match (&args.listen, args.called) {
        (Some(local), _) => {
            let local = local.unwrap_or(Address::NULL);
            let signalled = signal_that_ends().map_err(Failure::Failed)?;
            let listener = Listener::bind(&signaling, local, anything(MAX_SDU), Some(PATIENCE));
            out(&listener.map_err(failed)?, &signalled)
        }
        (None, Some(called)) => {
            let stream = ask(&signaling, called, args.promise.qos())?;
            eprint!("{}", text("connected", &stream));
            send(&stream, usize::from(args.promise.sending()))
        }
        (None, None) => Err(Failure::Usage("needed: ADDRESS or --listen".into())),
    }
}

/// Stdin goes out.
fn send(stream: &Stream, size: usize) -> Result<(), Failure> {
    let mut input = std::io::stdin().lock();
    let mut payload = vec![0; size];
    loop {
        let octets = fill(&mut input, &mut payload)
            .map_err(|error| Failure::Failed(anyhow::Error::new(error).context("stdin")))?;
        let Some(filled @ [_, ..]) = payload.get(..octets) else {
            break;
        };
        stream.send(filled, None).map_err(failed)?;
    }
    for _ in 0..ENDS {
        stream.send(&[], None).map_err(failed)?;
    }
    // Whoever has it all closes first.
    match stream.receive(&mut vec![0; usize::from(MAX_SDU)], Some(LINGER)) {
        Ok(_) | Err(_) => Ok(()),
    }
}

/// As much as there is room for, or what is left.
fn fill(input: &mut impl std::io::Read, into: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(room @ [_, ..]) = into.get_mut(filled..) {
        match input.read(room) {
            Ok(0) => break,
            Ok(octets) => filled += octets,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// One connection comes to stdout.
fn out(listener: &Listener, signalled: &AtomicUsize) -> Result<(), Failure> {
    let is_ended = || signalled.load(Ordering::Relaxed) != 0;
    let mut came = Came::default();
    let mut accepted = None;
    while accepted.is_none() && !is_ended() {
        match listener.accept(Some(LOOK_EVERY)) {
            Ok(stream) => accepted = Some(stream),
            Err(Error::Timeout { .. } | Error::Refused { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if let Some(stream) = accepted {
        eprint!("{}", text("accepted", &stream));
        let mut output = std::io::stdout().lock();
        let written = |error: std::io::Error| {
            Failure::Failed(anyhow::Error::new(error).context("cannot write to stdout"))
        };
        let mut room = [0; MAX_SDU as usize];
        while !came.all && came.why.is_none() && !is_ended() {
            match stream.receive(&mut room, Some(LOOK_EVERY)) {
                Ok(received) => {
                    let payload = room.get(..received.octets).unwrap_or_default();
                    came.lost += received.lost;
                    came.octets += payload.len() as u64;
                    came.all = payload.is_empty();
                    output.write_all(payload).map_err(written)?;
                }
                Err(Error::Timeout { .. }) => {}
                Err(error) => came.why = Some(error),
            }
        }
        output.flush().map_err(written)?;
        stream.close();
    }
    came.outcome(signalled.load(Ordering::Relaxed))
}

/// What came of a stream.
#[derive(Debug, Default)]
struct Came {
    octets: u64,
    /// Frames.
    lost: u64,
    /// Its end mark.
    all: bool,
    /// Why no more came.
    why: Option<Error>,
}

impl Came {
    /// How the pipe ends, which a signal of this number has ended; 0: none has.
    fn outcome(self, signal: usize) -> Result<(), Failure> {
        let Self {
            octets,
            lost,
            all,
            why,
        } = self;
        let what = match (all, why) {
            (true, _) if lost == 0 => return Ok(()),
            (true, _) => anyhow::anyhow!("{lost} frames were lost on the way"),
            (false, Some(error)) => {
                let context = format!(
                    "the stream ended without its end mark, {octets} octets came and {lost} frames were lost"
                );
                anyhow::Error::new(error).context(context)
            }
            (false, None) => {
                eprintln!(
                    "pinode: ended by signal {signal} before the stream did: {octets} octets came, {lost} frames were lost"
                );
                let signal = u8::try_from(signal).unwrap_or_default();
                return Err(Failure::Said(BY_SIGNAL.saturating_add(signal)));
            }
        };
        Err(Failure::Failed(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_whole_is_a_success() {
        let came = |lost, all| Came {
            octets: 1_000,
            lost,
            all,
            why: None,
        };
        assert!(came(0, true).outcome(0).is_ok());
        // The signal came behind the end.
        assert!(came(0, true).outcome(15).is_ok());
        assert!(matches!(came(2, true).outcome(0), Err(Failure::Failed(_))));
        assert!(matches!(
            came(0, false).outcome(15),
            Err(Failure::Said(143))
        ));
        assert!(matches!(came(2, false).outcome(2), Err(Failure::Said(130))));
        assert!(matches!(
            Came::default().outcome(15),
            Err(Failure::Said(143))
        ));
        let closed = Came {
            why: Some(Error::Unavailable),
            ..came(0, false)
        };
        assert!(matches!(closed.outcome(0), Err(Failure::Failed(_))));
    }
}
