//! Status as tables for people.
//!
//! A table for people shows what moves; every counter is in the JSON document.

use std::fmt::Write as _;

use super::{
    Departure, GuestState, GuestStatus, PortPhases, Schedule, Status, WorkerStatus, violations,
};

/// The whole status: the node, its guests, its ports, and whether the sums hold.
#[must_use]
pub fn status_table(status: &Status) -> String {
    let mut out = String::new();
    let kvm = status
        .kvm
        .as_deref()
        .map(|kvm| format!(" ({kvm})"))
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "node {}: up {:.1} s, isolation {}{kvm}\n",
        status.node,
        status.uptime_s,
        status.isolation.as_str()
    );
    out.push_str(&guests_table(&status.guests));
    out.push('\n');
    out.push_str(&workers_table(&status.workers));
    for port in &status.ports {
        let leaves = match port.departure {
            Departure::HandOver => "when handed over",
            Departure::LaunchTime => "at its launch time",
        };
        let _ = writeln!(
            out,
            "\nport {} ({}; leaves {}): received {} frames, {} octets; sent {} frames, {} octets",
            port.name,
            port.backend,
            leaves,
            port.rx_frames,
            port.rx_bytes,
            port.tx_frames,
            port.tx_bytes
        );
        let d = &port.drops;
        let causes = causes(&[
            ("bad_ethertype", d.bad_ethertype),
            ("unknown_pi", d.unknown_pi),
            ("unknown_vn", d.unknown_vn),
            ("truncated", d.truncated),
            ("oversize", d.oversize),
        ]);
        if !causes.is_empty() {
            let _ = writeln!(out, "  dropped: {causes}");
        }
        if port.missed > 0 {
            let _ = writeln!(out, "  missed in front of the port: {} frames", port.missed);
        }
        if port.tx_lost > 0 {
            let lost = port.tx_lost;
            let _ = writeln!(out, "  lost behind the port: {lost} of the frames sent");
        }
        out.push_str(&indent(&pi_table(port)));
        out.push_str(&indent(&classes_table(port)));
    }
    out.push('\n');
    out.push_str(&conservation_lines(status));
    out
}

/// `conservation: exact`, or a line for each sum that fails.
fn conservation_lines(status: &Status) -> String {
    let violations = violations(status);
    if violations.is_empty() {
        return "conservation: exact\n".to_owned();
    }
    violations.iter().fold(String::new(), |mut out, violation| {
        let _ = writeln!(out, "conservation: {violation}");
        out
    })
}

fn pi_table(port: &super::PortStatus) -> String {
    let mut rows = vec![
        [
            "pi",
            "classified",
            "to guest",
            "from guest",
            "sent",
            "queued",
            "gate error",
            "dropped",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (name, pi) in &port.pi {
        let (rx, tx) = (&pi.drops, &pi.tx_drops);
        let dropped = causes(&[
            ("policed", rx.policed),
            ("guest_down", rx.guest_down),
            ("ring_full", rx.ring_full),
            ("tx spoofed", tx.spoofed),
            ("tx unknown_vn", tx.unknown_vn),
            ("tx oversize", tx.oversize),
            ("tx class_full", tx.class_full),
            ("tx class_policed", tx.class_policed),
            ("tx no_connection", tx.no_connection),
            ("tx port_error", tx.port_error),
            ("tx malformed", tx.malformed),
            ("tx guest_down", tx.guest_down),
            ("tx cleared", tx.cleared),
            ("window overruns", pi.window_overruns),
            ("late windows", pi.late_windows),
        ]);
        rows.push(vec![
            name.clone(),
            pi.classified.to_string(),
            pi.to_guest.to_string(),
            pi.from_guest.to_string(),
            pi.sent.to_string(),
            pi.queued.to_string(),
            format!("{:.1} us", micros(pi.gate_error_ns.p99)),
            dropped,
        ]);
    }
    columns(&rows)
}

/// The classes of PIs that have some, a line each; of those that never saw a frame none.
fn classes_table(port: &super::PortStatus) -> String {
    let mut rows = Vec::new();
    for (name, pi) in &port.pi {
        for class in &pi.level2.classes {
            let drops = class.drops();
            if class.enqueued == 0 && drops.iter().all(|(_, count)| *count == 0) {
                continue;
            }
            rows.push(vec![
                name.clone(),
                pi.level2.discipline.clone(),
                class.name.clone(),
                class.enqueued.to_string(),
                class.dequeued.to_string(),
                class.queued.to_string(),
                causes(&drops),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "pi", "level 2", "class", "enqueued", "dequeued", "queued", "dropped",
    ];
    rows.insert(0, head.map(str::to_owned).to_vec());
    columns(&rows)
}

/// The workers, a line each: what they do with their time.
#[must_use]
pub fn workers_table(workers: &[WorkerStatus]) -> String {
    let mut rows = vec![
        [
            "worker", "core", "state", "busy", "idle", "asleep", "sleeps",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (index, worker) in workers.iter().enumerate() {
        let [busy, idle, asleep] = worker
            .shares()
            .map(|share| format!("{:.1} %", share * 100.0));
        let floats = if worker.pinned { "" } else { " (not pinned)" };
        let state = if worker.asleep { "asleep" } else { "awake" };
        rows.push(vec![
            index.to_string(),
            format!("{}{floats}", worker.cpu),
            state.to_owned(),
            busy,
            idle,
            asleep,
            worker.sleeps.to_string(),
        ]);
    }
    columns(&rows)
}

/// The guests, a line each.
#[must_use]
pub fn guests_table(guests: &[GuestStatus]) -> String {
    let mut rows = vec![
        [
            "guest",
            "state",
            "restarts",
            "boot",
            "memory",
            "image",
            "cpu",
            "last fault",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for guest in guests {
        // A fault report has many lines; the first says what happened. It may hold a guest's own
        // words, which must not drive the terminal.
        let fault = guest
            .last_fault
            .as_deref()
            .and_then(|text| text.lines().next());
        let mut fault = fault.unwrap_or("").replace(char::is_control, "?");
        if guest.not_restored > 0 {
            let space = if fault.is_empty() { "" } else { " " };
            fault += &format!("{space}({} changes not restored)", guest.not_restored);
        }
        rows.push(vec![
            guest.pi.clone(),
            guest.state.as_str().to_owned(),
            guest.restarts.to_string(),
            match guest.state {
                GuestState::Starting => "-".to_owned(),
                _ => format!("{:.1} ms", micros(guest.boot_us)),
            },
            format!("{} MiB", guest.memory_bytes >> 20),
            guest.image.clone(),
            guest
                .cpu
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string),
            fault,
        ]);
    }
    columns(&rows)
}

/// The schedules of ports.
#[must_use]
pub fn phases_table(ports: &[PortPhases]) -> String {
    let mut out = String::new();
    for port in ports {
        let _ = writeln!(out, "port {}: {}", port.port, schedule_line(&port.oper));
        if let Some(admin) = &port.admin {
            let base = admin.base_tai_ns;
            let _ = writeln!(out, "  from TAI {base} ns: {}", schedule_line(admin));
        }
    }
    out
}

fn schedule_line(schedule: &Schedule) -> String {
    let phases = schedule.phases.iter();
    let phases: Vec<String> = phases
        .map(|phase| format!("{}={}us", phase.pi, micros(phase.duration_ns)))
        .collect();
    let extension = match schedule.extension_ns {
        0 => String::new(),
        ns => format!(", extension {}us", micros(ns)),
    };
    format!(
        "cycle {}us, guard {}us{extension}: {}",
        micros(schedule.cycle_ns),
        micros(schedule.guard_ns),
        phases.join(" ")
    )
}

/// A thousandth: of nanoseconds microseconds, of microseconds milliseconds.
#[expect(clippy::cast_precision_loss, reason = "for people; exact below 2^53")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

/// The causes that occurred.
fn causes(all: &[(&str, u64)]) -> String {
    let occurred = all.iter().filter(|(_, count)| *count > 0);
    let texts: Vec<String> = occurred
        .map(|(cause, count)| format!("{cause} {count}"))
        .collect();
    texts.join(", ")
}

/// Columns two spaces apart; figures to the right, words to the left.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let column = |i: usize| rows.iter().filter_map(move |row| row.get(i));
    let widths: Vec<usize> = (0..count)
        .map(|i| {
            column(i)
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let figures: Vec<bool> = (0..count)
        .map(|i| {
            let mut cells = column(i).skip(1).filter(|cell| !cell.is_empty()).peekable();
            cells.peek().is_some() && cells.all(|c| c.starts_with(|c: char| c.is_ascii_digit()))
        })
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for ((cell, &width), &right) in row.iter().zip(&widths).zip(&figures) {
            let _ = if right {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn indent(text: &str) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "  {line}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::sample;

    #[test]
    fn a_status_for_people() {
        let mut status = sample::status();
        status.ports[0].pi["can"].tx_drops.spoofed = 1;
        status.ports[0].pi["can"].from_guest += 1;
        let expected = "\
node n1: up 1.5 s, isolation kvm (kvm_pvm)

guest    state        restarts    boot  memory  image          cpu  last fault
ipv6qos  running             0  0.9 ms  32 MiB  builtin:patch  weight 381 (nice -6), at most 20ms in 100ms by /sys/fs/cgroup/p
can      quarantined         2  1.2 ms  32 MiB  guests/can.elf  -  page fault at 0x0 (2 changes not restored)
dss      stopped             0  0.0 ms  32 MiB  builtin:patch  -
";
        let table = status_table(&status);
        let normal = |text: &str| -> Vec<String> {
            text.lines()
                .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect()
        };
        assert_eq!(normal(&table)[..6], normal(expected)[..]);
        assert!(table.contains(
            "\nport west (memory; leaves at its launch time): received 65 frames, 6500 octets; sent 60"
        ));
        assert!(
            table.contains("  dropped: bad_ethertype 1, unknown_pi 1, unknown_vn 1, truncated 1")
        );
        assert!(table.contains("tx spoofed 1"));
        let class = "ipv6qos diffserv rt 24 20 1 policed 5".to_owned();
        assert!(normal(&table).contains(&class), "{table}");
        let (west, east) = table.split_once("\nport east").unwrap();
        assert!(!west.contains("missed") && !west.contains("lost"));
        assert!(east.contains("\n  missed in front of the port: 3 frames\n"));
        assert!(east.contains("\n  lost behind the port: 2 of the frames sent\n"));
        assert!(table.ends_with("\nconservation: exact\n"));
    }

    #[test]
    fn workers_for_people() {
        let table = workers_table(&sample::status().workers);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1].join(" "), "0 0 awake 25.0 % 25.0 % 50.0 % 12");
        assert_eq!(
            lines[2].join(" "),
            "1 1 (not pinned) asleep 0.0 % 0.1 % 99.9 % 3"
        );
    }

    #[test]
    fn a_sum_that_fails_is_a_line() {
        let mut status = sample::status();
        status.ports[0].rx_frames += 1;
        let table = status_table(&status);
        assert!(table.ends_with(
            "\nconservation: port west: rx_frames = drops + classified does not hold: 66 is not 65\n"
        ));
    }

    #[test]
    fn schedules_for_people() {
        assert_eq!(
            phases_table(&[sample::phases()]),
            "port west: cycle 300us, guard 0us: ipv6qos=100us can=100us none=100us\n  \
             from TAI 2000 ns: cycle 12.5us, guard 0us, extension 2.5us: can=12.5us\n"
        );
    }

    #[test]
    fn figures_stand_right() {
        let rows = [["name", "n"], ["a", "10"], ["long", "9"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(columns(&rows), "name   n\na     10\nlong   9\n");
    }
}
