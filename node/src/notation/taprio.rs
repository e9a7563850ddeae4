//! The notation of tc(8) for Linux's taprio: `base-time 0 sched-entry S 01 100000 cycle-time 300000`.
//!
//! What is written here follows the queues of `tc qdisc replace dev IF root taprio num_tc ... \`. What
//! is read may be that whole command: how tc maps priorities and queues is the node's own business
//! here, and skipped.

use std::fmt::Write as _;

use super::{Entry, GateList, LONGEST_ENTRY_NS, NotationError, legend, waiting};
use crate::config::Nanoseconds;
use crate::status::PortPhases;

const WORDS: &str = "base-time, sched-entry, cycle-time, cycle-time-extension, clockid, max-sdu, flags, \
                     and in front num_tc, map, queues";
const TIME: &str = "nanoseconds, 0 to 9223372036854775807";
const INTERVAL: &str = "nanoseconds, 1 to 4294967295";

/// The schedule in force, as options of taprio.
///
/// # Errors
///
/// A time that 64 bits with a sign do not hold.
pub fn write_taprio(phases: &PortPhases) -> Result<String, NotationError> {
    let list = GateList::of(&phases.oper, &phases.gates)?;
    if i64::try_from(list.base_tai_ns).is_err() {
        return Err(NotationError::TooLarge {
            what: "a base time",
            found: list.base_tai_ns,
            allowed: TIME,
        });
    }
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# port {}: {}, 00 is nobody",
        phases.port,
        legend(&phases.gates)
    );
    let guard = Nanoseconds(phases.oper.guard_ns);
    let _ = writeln!(
        out,
        "# the guard of {guard} is the port's own, and not part of this"
    );
    if let Some(note) = waiting(phases) {
        let _ = writeln!(out, "# {note}");
    }
    let _ = writeln!(out, "base-time {} \\", list.base_tai_ns);
    for entry in &list.entries {
        let _ = writeln!(
            out,
            "sched-entry S {:02x} {} \\",
            entry.gates, entry.duration_ns
        );
    }
    let _ = writeln!(out, "cycle-time {} \\", phases.oper.cycle_ns);
    let _ = writeln!(out, "cycle-time-extension {} \\", phases.oper.extension_ns);
    if !list.max_sdu.is_empty() {
        let limit = |class| list.max_sdu.iter().find(|(of, _)| *of == class);
        let limits = (0..phases.gates.len()).map(|class| {
            let limit = limit(class).map_or(0, |(_, octets)| *octets);
            limit.to_string()
        });
        let _ = writeln!(out, "max-sdu {} \\", limits.collect::<Vec<_>>().join(" "));
    }
    let _ = writeln!(out, "clockid CLOCK_TAI");
    Ok(out)
}

/// Reads options of taprio, or a tc command with them. `#` begins a comment.
///
/// # Errors
///
/// [`NotationError`], with the line and the entry.
pub fn read_taprio(text: &str) -> Result<GateList, NotationError> {
    let mut words: Vec<Word<'_>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim_end();
        let line = line.strip_suffix('\\').unwrap_or(line);
        words.extend(line.split_whitespace().map(|text| Word { number, text }));
    }
    let command = words.iter().position(|word| word.text == "taprio");
    let options = command.and_then(|taprio| words.get(taprio + 1..));
    Reader::new(options.unwrap_or(&words)).read()
}

#[derive(Clone, Copy)]
struct Word<'t> {
    number: usize,
    text: &'t str,
}

struct Reader<'w, 't> {
    words: std::iter::Peekable<std::slice::Iter<'w, Word<'t>>>,
    /// The last one read.
    line: usize,
    seen: Vec<&'t str>,
    list: GateList,
}

impl<'w, 't> Reader<'w, 't> {
    fn new(words: &'w [Word<'t>]) -> Self {
        Self {
            words: words.iter().peekable(),
            line: 1,
            seen: Vec::new(),
            list: GateList {
                base_tai_ns: 0,
                cycle_ns: None,
                extension_ns: None,
                entries: Vec::new(),
                max_sdu: Vec::new(),
                notes: Vec::new(),
            },
        }
    }

    fn read(mut self) -> Result<GateList, NotationError> {
        while let Some(key) = self.next() {
            if key != "sched-entry" {
                if self.seen.contains(&key) {
                    return Err(NotationError::Twice {
                        at: self.at(),
                        what: key.to_owned(),
                    });
                }
                self.seen.push(key);
            }
            match key {
                "base-time" => self.list.base_tai_ns = self.time("base-time")?,
                // tc takes 0 for what was left out.
                "cycle-time" => {
                    self.list.cycle_ns = Some(self.time("cycle-time")?).filter(|&ns| ns != 0);
                }
                "cycle-time-extension" => {
                    self.list.extension_ns = Some(self.time("cycle-time-extension")?);
                }
                "sched-entry" => self.entry()?,
                "clockid" => self.clock()?,
                "flags" => self.flags()?,
                "max-sdu" => {
                    for class in 0.. {
                        let Some(octets) = self.number_ahead() else {
                            break;
                        };
                        self.list.max_sdu.push((class, octets));
                    }
                }
                // How Linux comes from priorities to queues; here a PI is its gate.
                "num_tc" | "map" | "queues" => {
                    let quantity =
                        |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'@');
                    while self.words.next_if(|word| quantity(word.text)).is_some() {}
                }
                _ => {
                    return Err(NotationError::Unknown {
                        at: self.at(),
                        word: key.to_owned(),
                        allowed: WORDS,
                    });
                }
            }
        }
        Ok(self.list)
    }

    fn at(&self) -> String {
        format!("line {}", self.line)
    }

    fn next(&mut self) -> Option<&'t str> {
        let word = self.words.next()?;
        self.line = word.number;
        Some(word.text)
    }

    fn number_ahead(&mut self) -> Option<u64> {
        let word = self
            .words
            .next_if(|word| word.text.parse::<u32>().is_ok())?;
        self.line = word.number;
        word.text.parse().ok()
    }

    fn needed(
        &mut self,
        what: &'static str,
        needed: &'static str,
    ) -> Result<&'t str, NotationError> {
        let at = self.at();
        self.next()
            .ok_or(NotationError::Missing { at, what, needed })
    }

    fn time(&mut self, what: &'static str) -> Result<u64, NotationError> {
        let text = self.needed(what, TIME)?;
        let time = text
            .parse::<i64>()
            .ok()
            .and_then(|time| u64::try_from(time).ok());
        time.ok_or_else(|| NotationError::Value {
            at: self.at(),
            what,
            found: text.to_owned(),
            allowed: TIME,
        })
    }

    /// `sched-entry S 01 100000`: operation, gate mask, interval.
    fn entry(&mut self) -> Result<(), NotationError> {
        let index = self.list.entries.len();
        let at = format!("line {}: sched-entry {index}", self.line);
        let missing = |what, needed| NotationError::Missing {
            at: at.clone(),
            what,
            needed,
        };
        let value = |what, found: &str, allowed| NotationError::Value {
            at: at.clone(),
            what,
            found: found.to_owned(),
            allowed,
        };
        let operation = self.next().ok_or_else(|| missing("operation", "S"))?;
        match operation {
            "S" => {}
            "H" | "R" => {
                return Err(NotationError::Preemption {
                    at,
                    found: operation.to_owned(),
                    allowed: "S, which sets the gates",
                });
            }
            _ => return Err(value("operation", operation, "S")),
        }
        const MASK: &str = "a gate mask in hexadecimal, such as 01";
        let mask = self.next().ok_or_else(|| missing("gate mask", MASK))?;
        let gates = hexadecimal(mask).ok_or_else(|| value("gate mask", mask, MASK))?;
        let interval = self.next().ok_or_else(|| missing("interval", INTERVAL))?;
        let duration_ns = interval_ns(interval)
            .filter(|ns| (1..=LONGEST_ENTRY_NS).contains(ns))
            .ok_or_else(|| value("interval", interval, INTERVAL))?;
        self.list.entries.push(Entry {
            at,
            gates,
            duration_ns,
        });
        Ok(())
    }

    fn clock(&mut self) -> Result<(), NotationError> {
        const TAI: &str = "CLOCK_TAI, which base times here count in";
        let clock = self.needed("clockid", TAI)?;
        if ["CLOCK_TAI", "TAI"].contains(&clock) {
            return Ok(());
        }
        Err(NotationError::Value {
            at: self.at(),
            what: "clockid",
            found: clock.to_owned(),
            allowed: TAI,
        })
    }

    fn flags(&mut self) -> Result<(), NotationError> {
        const NONE: &str = "0x0: how frames leave is the port's own business here";
        let flags = self.needed("flags", NONE)?;
        if hexadecimal(flags) == Some(0) {
            return Ok(());
        }
        Err(NotationError::Value {
            at: self.at(),
            what: "flags",
            found: flags.to_owned(),
            allowed: NONE,
        })
    }
}

/// As tc reads a mask: base 16 whether or not it begins with 0x.
fn hexadecimal(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| plain)
}

/// Decimal, or hexadecimal with 0x. What tc takes for octal is nobody's wish, and refused.
fn interval_ns(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(_) => hexadecimal(text).map(u64::from),
        None if text.starts_with(['0', '+']) => None,
        None => text.parse().ok(),
    }
}
