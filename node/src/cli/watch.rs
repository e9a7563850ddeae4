//! `pinode guest console` and `pinode capture`: what has no end of its own.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::time::Duration;

use super::args::Capture;
use super::change::segment;
use super::client::{Client, StreamEnd};
use super::failure::Failure;

pub(super) fn console(name: &str, follow: bool, socket: Option<&Path>) -> Result<(), Failure> {
    let client = Client::new(socket)?;
    let path = format!(
        "/v1/guests/{}/console?follow={follow}",
        segment("guest", name)?
    );
    let mut out = io::stdout().lock();
    let plain = out.is_terminal();
    let end = client.stream(&path, None, |piece| {
        if plain {
            out.write_all(&printable(piece))?;
        } else {
            out.write_all(piece)?;
        }
        out.flush()
    })?;
    if end == StreamEnd::Node {
        eprintln!("{NODE_ENDED}");
    }
    Ok(())
}

const NODE_ENDED: &str = "pinode: the node ended";

/// What a terminal may be shown of a guest's output: control characters, which could drive the
/// terminal, in caret notation.
fn printable(piece: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(piece.len());
    for &octet in piece {
        match octet {
            b'\n' | b'\t' | b'\r' => shown.push(octet),
            0..0x20 => shown.extend([b'^', octet + 0x40]),
            0x7f => shown.extend(b"^?"),
            0x80.. => shown.push(b'?'),
            _ => shown.push(octet),
        }
    }
    shown
}

pub(super) fn capture(args: &Capture) -> Result<(), Failure> {
    let limit = match args.seconds.map(Duration::try_from_secs_f64) {
        Some(Ok(limit)) => Some(limit),
        None => None,
        Some(Err(error)) => return Err(Failure::Usage(format!("--seconds: {error}"))),
    };
    if args.write.is_none() && io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "a capture is no text for a terminal; give -w FILE, or pipe it: pinode capture west | \
             wireshark -k -i -"
                .to_owned(),
        ));
    }
    let client = Client::new(args.node.socket.as_deref())?;
    let path = format!("/v1/capture?at={}", args.at);
    // The file is made when the node has agreed: a refused capture leaves none.
    let mut out: Option<Box<dyn Write>> = None;
    let end = client
        .stream(&path, limit, |piece| {
            let out = match &mut out {
                Some(out) => out,
                none => none.insert(open(args.write.as_deref())?),
            };
            out.write_all(piece)?;
            out.flush()
        })
        .map_err(|error| match (error, &args.write) {
            (super::client::ClientError::Output(error), Some(path)) => {
                let context = format!("cannot write {}", path.display());
                Failure::Failed(anyhow::Error::new(error).context(context))
            }
            (error, _) => error.into(),
        })?;
    match end {
        StreamEnd::Reader => {}
        StreamEnd::Source => {
            eprintln!(
                "pinode: another capture at {} has taken the place of this one",
                args.at
            );
        }
        StreamEnd::Node => eprintln!("{NODE_ENDED}"),
    }
    Ok(())
}

fn open(path: Option<&Path>) -> io::Result<Box<dyn Write>> {
    Ok(match path {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_drive_the_terminal() {
        assert_eq!(printable(b"ok\r\n\tx\x1b[2J\x7f\x9b"), b"ok\r\n\tx^[[2J^??");
    }
}
