//! Trials on both kinds of path: a node in this process, and whatever is between two ports.

#[path = "path/interfaces.rs"]
mod interfaces;
#[path = "path/node.rs"]
mod node;
#[path = "path/wires.rs"]
mod wires;

use std::time::Duration;

use pinode_measure::stream::StreamSpec;
use pinode_measure::trial::{Load, LoadStream, Side, Trial};

/// Streams of 79 octets of these PIs from `from`, each with `fps`.
fn streams(from: Side, pis: &[u8], fps: f64) -> Vec<LoadStream> {
    let first = if from == Side::West { 0 } else { 100 };
    let stream = |pi: &u8| LoadStream {
        from,
        spec: StreamSpec::new(first + u16::from(*pi), *pi, 79, fps),
    };
    pis.iter().map(stream).collect()
}

fn load(streams: Vec<LoadStream>, milliseconds: u64) -> Load {
    Load {
        streams,
        duration: Duration::from_millis(milliseconds),
        step: None,
        drain: Duration::from_millis(500),
    }
}

/// Frames of an even stream in a load of one stream a side.
fn due(fps: f64, milliseconds: u64) -> u64 {
    (fps * milliseconds as f64 / 1000.0).ceil() as u64
}

/// Every sum that holds for a trial over a path that loses and changes nothing.
fn assert_whole(trial: &Trial) {
    for (at, stream) in trial.streams.iter().enumerate() {
        let (sent, received) = (stream.sent, stream.received);
        assert_eq!(
            received.frames, sent.frames,
            "stream {at}: {sent:?} {received:?}"
        );
        assert_eq!(received.octets, sent.octets, "stream {at}");
        assert_eq!(stream.latency.len(), received.frames, "stream {at}");
        let odd = [
            received.missing,
            received.reordered,
            received.duplicated,
            received.too_late,
            received.corrupted,
            received.from_future,
            received.last_gap_ns,
        ];
        assert_eq!(odd, [0; 7], "stream {at}: {received:?}");
    }
    assert_eq!((trial.foreign, trial.stale), (0, 0));
    assert_eq!((trial.missed, trial.tx_lost), (0, 0));
    assert_eq!(trial.pacing.len(), trial.sent());
}
