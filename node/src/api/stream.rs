//! Answers without an end of their own: a guest's console, a capture.
//!
//! A thread a stream brings the pieces from the node to the event loop, and ends when the reader
//! has gone. What waits in between is bounded: a slow reader holds up its own stream alone.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_core::Stream;
use tokio::sync::mpsc;

use crate::control::{ConsoleChunk, Control, ControlError};

/// Pieces that may wait for the reader.
const DEPTH: usize = 16;
/// How often a stream without news looks whether its reader has gone, and a console for output.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const STACK: usize = 128 * 1024;

struct Pieces(mpsc::Receiver<Bytes>);

impl Stream for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|piece| piece.map(Ok))
    }
}

/// A body of what `feed` sends, from a thread of that name.
fn body(
    name: &str,
    feed: impl FnOnce(mpsc::Sender<Bytes>) + Send + 'static,
) -> Result<Body, ControlError> {
    let (sender, pieces) = mpsc::channel(DEPTH);
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK);
    match thread.spawn(move || feed(sender)) {
        Ok(_runs_until_its_reader_goes) => Ok(Body::from_stream(Pieces(pieces))),
        Err(error) => Err(no_thread(&error)),
    }
}

fn no_thread(error: &io::Error) -> ControlError {
    ControlError::Failed {
        at: "api".to_owned(),
        what: format!("no thread for a stream: {error}"),
    }
}

/// The pieces of a capture until the reader goes or the capture ends.
pub(super) fn capture(pieces: Receiver<Vec<u8>>) -> Result<Body, ControlError> {
    body("api-capture", move |reader| {
        while !reader.is_closed() {
            match pieces.recv_timeout(LOOK_EVERY) {
                Ok(piece) => {
                    if reader.blocking_send(piece.into()).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    })
}

/// `first` and whatever the guest prints after it, until the reader goes or the guest is no more.
pub(super) fn console(
    control: Arc<dyn Control>,
    guest: String,
    first: ConsoleChunk,
) -> Result<Body, ControlError> {
    body("api-console", move |reader| {
        let mut chunk = first;
        while !reader.is_closed() {
            let next = chunk.next;
            if !chunk.bytes.is_empty() && reader.blocking_send(chunk.bytes.into()).is_err() {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
            match control.console_since(&guest, next) {
                Ok(more) => chunk = more,
                Err(_gone) => return,
            }
        }
    })
}
