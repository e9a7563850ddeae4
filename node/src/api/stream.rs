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

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::server::Closing;
use crate::control::{ConsoleChunk, Control, ControlError};

/// Pieces that may wait for the reader.
const DEPTH: usize = 16;
/// How often a stream without news looks whether its reader has gone, and a console for output.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const STACK: usize = 128 * 1024;

/// The trailer that says why a stream ended, to who asks for trailers.
pub const ENDED: &str = "pinode-ended";
/// Its value when the node ends.
pub const NODE_ENDED: &str = "node";

/// What a stream consists of.
enum Piece {
    Octets(Bytes),
    /// The last one: the node ends.
    NodeEnds,
}

struct Pieces(mpsc::Receiver<Piece>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| {
            Some(Ok(match piece? {
                Piece::Octets(octets) => Frame::data(octets),
                Piece::NodeEnds => Frame::trailers(HeaderMap::from_iter([(
                    HeaderName::from_static(ENDED),
                    HeaderValue::from_static(NODE_ENDED),
                )])),
            }))
        })
    }
}

/// A body of what `feed` sends, from a thread of that name.
fn body(
    name: &str,
    feed: impl FnOnce(mpsc::Sender<Piece>) + Send + 'static,
) -> Result<Body, ControlError> {
    let (sender, pieces) = mpsc::channel(DEPTH);
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK);
    match thread.spawn(move || feed(sender)) {
        Ok(_runs_until_its_reader_goes) => Ok(Body::new(Pieces(pieces))),
        Err(error) => Err(no_thread(&error)),
    }
}

fn no_thread(error: &io::Error) -> ControlError {
    ControlError::Failed {
        at: "api".to_owned(),
        what: format!("no thread for a stream: {error}"),
    }
}

/// The pieces of a capture until the reader goes, the capture ends, or the node does.
pub(super) fn capture(pieces: Receiver<Vec<u8>>, closing: Closing) -> Result<Body, ControlError> {
    body("api-capture", move |reader| {
        while !reader.is_closed() {
            if *closing.borrow() {
                let _ = reader.blocking_send(Piece::NodeEnds);
                return;
            }
            match pieces.recv_timeout(LOOK_EVERY) {
                // Sent to find out whether anybody listens; nothing to hand on.
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => {
                    if reader.blocking_send(Piece::Octets(piece.into())).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    })
}

/// `first` and whatever the guest prints after it, until the reader goes or the node ends.
pub(super) fn console(
    control: Arc<dyn Control>,
    guest: String,
    first: ConsoleChunk,
    closing: Closing,
) -> Result<Body, ControlError> {
    body("api-console", move |reader| {
        let mut chunk = first;
        while !reader.is_closed() {
            let next = chunk.next;
            let octets = Bytes::from(chunk.bytes);
            if !octets.is_empty() && reader.blocking_send(Piece::Octets(octets)).is_err() {
                return;
            }
            if *closing.borrow() {
                let _ = reader.blocking_send(Piece::NodeEnds);
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
