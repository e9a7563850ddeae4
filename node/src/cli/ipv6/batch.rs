//! `pinode ipv6 batch`: many commands from a file, a line each. All lines are read before anything is done; what is
//! alike and stands together goes to the node in one piece.

use pinode_guest_ipv6qos::control::request::Op;
use serde_json::Value;

use super::command::{self, Command};
use super::request::Change;

/// Most items of a piece: a mistake costs little, and a thousand lines are one question.
pub(super) const PIECE: usize = 2048;

/// A mistake in a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineError {
    /// From 1.
    pub(super) line: usize,
    pub(super) what: String,
}

/// What stands together: changes of one kind in one way, and the line that each item came from.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) change: Change,
    pub(super) lines: Vec<usize>,
}

/// The pieces of a text: a command a line, `#` begins a comment.
pub(super) fn read(text: &str) -> Result<Vec<Piece>, LineError> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let wrong = |what: String| LineError { line, what };
        let change = match command::parse(&words).map_err(|error| wrong(error.0))? {
            Command::Set(op, items) => Change::set(op, &items),
            Command::Delete(keys) => Change::delete(&keys),
            Command::Show(_) | Command::RouteGet { .. } | Command::Flush(_) => {
                let what = "nothing is shown or flushed in a batch; allowed: add, replace, del";
                return Err(wrong(what.to_owned()));
            }
        };
        let lines = vec![line; change.items.len()];
        match pieces.last_mut() {
            Some(last) if last.takes(&change) => {
                last.change.items.extend(change.items);
                last.lines.extend(lines);
            }
            _ => pieces.push(Piece { change, lines }),
        }
    }
    Ok(pieces)
}

impl Piece {
    fn takes(&self, more: &Change) -> bool {
        let Change { op, resource, .. } = self.change;
        (op, resource) == (more.op, more.resource)
            && self.change.items.len() + more.items.len() <= PIECE
    }

    /// The line that a problem at `items[N]` is about, and the place within the line's item.
    pub(super) fn line_of<'p>(&self, place: &'p str) -> Option<(usize, &'p str)> {
        let (index, inside) = place.strip_prefix("items[")?.split_once(']')?;
        let line = self.lines.get(index.parse::<usize>().ok()?)?;
        Some((*line, inside.trim_start_matches('.')))
    }
}

/// Items as the API takes them.
pub(super) type Items = Vec<Value>;

/// How the API is told to do it.
pub(super) fn method(op: Op) -> hyper::Method {
    match op {
        Op::Add => hyper::Method::POST,
        Op::Replace => hyper::Method::PUT,
        Op::Delete => hyper::Method::DELETE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_together_is_one_piece() {
        let text = "# routes\nroute add 2001:db8:1::/48 dev west\n\nr a 2001:db8:2::/48 dev west # more\n\
                    route del 2001:db8:1::/48\ntable add t ::/0 2001:db8::/32\n";
        let pieces = read(text).unwrap();
        let shape: Vec<_> = pieces
            .iter()
            .map(|piece| (piece.change.op, piece.change.resource, piece.lines.clone()))
            .collect();
        assert_eq!(
            shape,
            [
                (Op::Add, "routes", vec![2, 4]),
                (Op::Delete, "routes", vec![5]),
                (Op::Add, "tables", vec![6, 6]),
            ]
        );
        assert_eq!(pieces[0].line_of("items[1].via"), Some((4, "via")));
        assert_eq!(pieces[0].line_of("items[0]"), Some((2, "")));
        assert_eq!(pieces[0].line_of("items[2]"), None);
        assert_eq!(pieces[0].line_of("guest.ipv6qos"), None);
    }

    #[test]
    fn pieces_are_bounded() {
        use std::fmt::Write as _;
        let mut text = String::new();
        for n in 0..10_000 {
            writeln!(text, "route add 2001:db8:{n:x}::/48 dev west").unwrap();
        }
        let pieces = read(&text).unwrap();
        assert!(pieces.iter().all(|piece| piece.lines.len() <= PIECE));
        assert_eq!(pieces.len(), 10_000_usize.div_ceil(PIECE));
    }

    #[test]
    fn a_mistake_names_its_line() {
        for (text, line, what) in [
            (
                "\n\nroute add 2001:db8::/33 vai x",
                3,
                "\"vai\" is not allowed here",
            ),
            ("route show", 1, "allowed: add, replace, del"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line);
            assert!(error.what.contains(what), "{}", error.what);
        }
    }
}
