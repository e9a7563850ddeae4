//! How what the host asks is done. Frames wait meanwhile: what takes longer is done a part at a time.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

use crate::config::HEADER_OCTETS;
use crate::control::{
    Answer, Connection, Counters, Key, Kind, MOST_ITEMS, MOST_LISTED, Octets, PortCounters, Request,
};
use crate::switch::Running;
use crate::table::Next;

/// Labels that a request looks at: some tens of microseconds.
const LOOKED_AT: u32 = 1 << 16;
/// Labels that are looked at at a time while all connections are taken down.
const CLEARED: u32 = 2048;

impl Running {
    pub(crate) fn request(&mut self, request: &Value) -> Result<Value, String> {
        let request = Request::deserialize(request).map_err(|error| error.to_string())?;
        let answer = match request {
            Request::Connect { items } => {
                bounded(items.len())?;
                self.connect(&items)
            }
            Request::Disconnect { items } => {
                bounded(items.len())?;
                let down = |key: &Key| self.table.disconnect(*key);
                Answer::Disconnected {
                    counts: items.iter().map(down).collect(),
                }
            }
            Request::List { after, most } => self.list(after, most.clamp(1, MOST_LISTED)),
            Request::Counters {} => Answer::Counters(self.counters()),
            Request::Send { port, vn, pdus } => self.send(port, vn, &pdus)?,
            Request::Clear {} => {
                self.clearing = Some(None);
                Answer::Cleared {}
            }
            Request::Socket(request) => self.sockets.asked(request)?,
            Request::Isp(request) => self.sockets.heard(&request)?,
        };
        serde_json::to_value(answer).map_err(|error| error.to_string())
    }

    fn connect(&mut self, items: &[Connection]) -> Answer {
        let mut done = 0;
        let (error, kind) = loop {
            let Some(item) = items.get(done) else {
                break (None, None);
            };
            if self.clearing.is_some() {
                let what = "all connections are being taken down; ask again when that was answered";
                break (Some(what.to_string()), Some(Kind::Clearing));
            }
            if let Err(error) = self.table.connect(item) {
                break (Some(error.to_string()), Some(error.kind()));
            }
            done += 1;
        };
        Answer::Connected {
            // Fits: items are bounded.
            done: done as u32,
            error,
            kind,
        }
    }

    fn list(&self, mut after: Option<Key>, most: u32) -> Answer {
        let mut connections = Vec::new();
        let mut left = LOOKED_AT;
        let next = loop {
            if connections.len() >= most as usize {
                break after;
            }
            match self.table.next(after, &mut left) {
                Next::Key(key) => {
                    connections.extend(self.table.get(key));
                    after = Some(key);
                }
                Next::Behind(key) => break Some(key),
                Next::End => break None,
            }
        };
        Answer::Page { connections, next }
    }

    fn counters(&self) -> Counters {
        let port = |(number, port): (usize, &crate::switch::Port)| {
            let (untold, waiting) = self.signalling.counts(number);
            let fates = &port.fates;
            let dropped = fates.dropped().filter(|(_, frames)| *frames > 0);
            PortCounters {
                received: fates.received,
                switched: fates.switched,
                punted: fates.punted,
                dropped: dropped
                    .map(|(cause, frames)| (cause.name().to_string(), frames))
                    .collect(),
                sent: fates.sent,
                injected: fates.injected,
                waiting,
                untold,
                peer: self.signalling.peer(number),
            }
        };
        let (blocks, blocks_most) = self.table.blocks();
        Counters {
            connections: self.table.len(),
            connections_most: self.table.most(),
            blocks,
            blocks_most,
            ports: self.ports.iter().enumerate().map(port).collect(),
        }
    }

    fn send(&mut self, port: u8, vn: u8, pdus: &[Octets]) -> Result<Answer, String> {
        let Some(config) = self.ports.get(usize::from(port)) else {
            let last = self.ports.len() - 1;
            return Err(format!("port: there is no {port}; allowed: 0 to {last}"));
        };
        if 1u32.checked_shl(vn.into()).unwrap_or(0) & config.vns == 0 {
            return Err(format!("vn: port {port} does not carry {vn}"));
        }
        let most = config.largest.saturating_sub(self.form.at + HEADER_OCTETS);
        if let Some(at) = pdus.iter().position(|pdu| pdu.0.len() > most) {
            return Err(format!("pdus[{at}]: too long; allowed: {most} octets"));
        }
        let inject = |pdu: &&Octets| self.signalling.inject(port.into(), vn, &pdu.0);
        let taken = pdus.iter().take_while(inject).count();
        Ok(Answer::Sent {
            // Fits: so many do not fit a line.
            taken: taken as u32,
        })
    }

    /// Takes some more connections down, if all are to go; true: none is left to be.
    pub(crate) fn clear_some(&mut self) -> bool {
        let Some(mut after) = self.clearing else {
            return true;
        };
        let mut left = CLEARED;
        self.clearing = loop {
            match self.table.next(after, &mut left) {
                Next::Key(key) => {
                    self.table.disconnect(key);
                    after = Some(key);
                }
                Next::Behind(key) => break Some(Some(key)),
                Next::End => break None,
            }
        };
        self.clearing.is_none()
    }
}

fn bounded(items: usize) -> Result<(), String> {
    if items <= MOST_ITEMS {
        return Ok(());
    }
    Err(format!("{items} items; allowed: {MOST_ITEMS} at most"))
}
