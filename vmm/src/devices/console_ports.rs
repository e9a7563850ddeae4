//! What waits at the console's ports: typed octets, control lines to the guest, half a line from it. All bounded.

use std::collections::VecDeque;

/// Longest control line, in octets.
pub const LINE_MOST: usize = 64 << 10;
/// Typed octets kept until the guest takes them.
const TYPED_MOST: usize = 64 << 10;
/// Octets of control lines kept until the guest takes them.
const BACKLOG_MOST: usize = 1 << 20;

/// Something that has octets for the guest.
pub trait Source {
    /// The next octets; empty when there are none.
    fn next(&mut self) -> &[u8];
    /// The guest took this many of them.
    fn taken(&mut self, octets: usize);
    /// A copy of the next octets, at most `most` of them.
    fn piece(&mut self, most: usize) -> Vec<u8> {
        let octets = self.next();
        octets.get(..most).unwrap_or(octets).to_vec()
    }
}

/// All that waits for the guest.
#[derive(Default)]
pub struct Outbox {
    /// For port 0.
    pub typed: Input,
    /// For the control port.
    pub lines: Lines,
}

/// Octets typed at port 0.
#[derive(Default)]
pub struct Input {
    waiting: VecDeque<u8>,
}

impl Input {
    /// Adds octets; what has no room is dropped.
    pub fn push(&mut self, octets: &[u8]) {
        let room = TYPED_MOST.saturating_sub(self.waiting.len());
        self.waiting.extend(octets.iter().take(room));
    }
}

impl Source for Input {
    fn next(&mut self) -> &[u8] {
        self.waiting.make_contiguous()
    }
    fn taken(&mut self, octets: usize) {
        self.waiting.drain(..octets.min(self.waiting.len()));
    }
}

/// Lines for the guest's control port, each sent whole even when the driver is reset in the middle of one.
#[derive(Default)]
pub struct Lines {
    waiting: VecDeque<Vec<u8>>,
    octets: usize,
    sent: usize,
}

impl Lines {
    /// Adds a line. `false`: the backlog is full.
    pub fn push(&mut self, line: &str) -> bool {
        let octets = line.len() + 1;
        if self.octets + octets > BACKLOG_MOST {
            return false;
        }
        let mut bytes = Vec::with_capacity(octets);
        bytes.extend(line.as_bytes());
        bytes.push(b'\n');
        self.waiting.push_back(bytes);
        self.octets += octets;
        true
    }

    /// The driver is gone: a line half sent is sent again from its beginning.
    pub fn rewind(&mut self) {
        self.sent = 0;
    }
}

impl Source for Lines {
    fn next(&mut self) -> &[u8] {
        self.waiting
            .front()
            .and_then(|line| line.get(self.sent..))
            .unwrap_or(&[])
    }
    fn taken(&mut self, octets: usize) {
        self.sent += octets;
        if let Some(line) = self.waiting.front().filter(|line| self.sent >= line.len()) {
            self.octets -= line.len();
            self.sent = 0;
            self.waiting.pop_front();
        }
    }
}

/// Cuts what the guest sends into lines. A line longer than [`LINE_MOST`] or not UTF-8 is dropped.
#[derive(Default)]
pub struct LineBuffer {
    partial: Vec<u8>,
    skipping: bool,
}

impl LineBuffer {
    /// Takes octets; complete lines go to `lines`, without their newline. Empty lines are passed over.
    pub fn push(&mut self, octets: &[u8], lines: &mut Vec<String>) {
        let mut pieces = octets.split(|octet| *octet == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.partial.len() + piece.len() > LINE_MOST {
                self.skipping = true;
                self.partial = Vec::new();
            }
            if !self.skipping {
                self.partial.extend(piece);
            }
            if pieces.peek().is_some() {
                let line = std::mem::take(&mut self.partial);
                let whole = !std::mem::take(&mut self.skipping);
                if let Ok(line) = String::from_utf8(line)
                    && whole
                    && !line.is_empty()
                {
                    lines.push(line);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let (mut buffer, mut lines) = (LineBuffer::default(), Vec::new());
        pieces
            .iter()
            .for_each(|piece| buffer.push(piece, &mut lines));
        lines
    }

    #[test]
    fn lines_are_cut_wherever_the_pieces_end() {
        assert_eq!(
            cut(&[b"{\"a\":1}\n{\"b", b"\":2}", b"\n\n"]),
            ["{\"a\":1}", "{\"b\":2}"]
        );
        assert_eq!(cut(&[b"unfinished"]), Vec::<String>::new());
    }

    #[test]
    fn lines_too_long_or_not_text_are_dropped_alone() {
        let long = vec![b'x'; LINE_MOST + 1];
        assert_eq!(cut(&[&long, b"yyy\nnext\n"]), ["next"]);
        assert_eq!(cut(&[b"\xff\nnext\n"]), ["next"]);
        let fits = vec![b'x'; LINE_MOST];
        assert_eq!(cut(&[&fits, b"\n"])[0].len(), LINE_MOST);
    }

    #[test]
    fn a_line_half_sent_begins_again_after_a_reset() {
        let mut lines = Lines::default();
        assert!(lines.push("first") && lines.push("second"));
        lines.taken(3);
        assert_eq!(lines.next(), b"st\n");
        lines.rewind();
        assert_eq!(lines.next(), b"first\n");
        lines.taken(6);
        assert_eq!(lines.next(), b"second\n");
        lines.taken(7);
        assert_eq!(lines.next(), b"");
    }

    #[test]
    fn the_backlog_is_bounded() {
        let mut lines = Lines::default();
        let line = "x".repeat(LINE_MOST - 1);
        let taken = (0..100).filter(|_| lines.push(&line)).count();
        assert_eq!(taken, BACKLOG_MOST / LINE_MOST);
        let mut typed = Input::default();
        typed.push(&[0; TYPED_MOST + 5]);
        assert_eq!(typed.next().len(), TYPED_MOST);
    }
}
