//! Neighbours and calls as text.

use std::fmt::Write as _;

use pinode_signaling::daemon::switch::Place;
use pinode_signaling::daemon::view::{CallView, LinkView};
use pinode_signaling::{Class, Traffic};

use crate::dss::{End, Permanent, PermanentCall, PermanentShown, PermanentState, Shown};

/// All of it.
pub(super) fn all(shown: &Shown) -> String {
    let mut text = String::new();
    for link in &shown.daemon.links {
        line(&mut text, &neighbour(link));
    }
    let counts = format!(
        "{} calls, {} ways switched, {} reserved; daemon {} started {} times again",
        shown.daemon.call_count, shown.switched, shown.reserved, shown.process, shown.restarts
    );
    line(&mut text, &counts);
    for call in &shown.daemon.calls {
        let CallView {
            id, state, called, ..
        } = call;
        let (from, to) = (place(call.came_by), place(call.goes_by));
        let rate = traffic(call.qos.transmit);
        line(
            &mut text,
            &format!("{id}: {state} {from} -> {to} {rate} to {called}"),
        );
    }
    text
}

/// One call.
pub(super) fn one(call: &CallView, end: Option<&PermanentShown>) -> String {
    let mut text = String::new();
    line(&mut text, &format!("call {}: {}", call.id, call.state));
    line(&mut text, &format!("  called   {}", call.called));
    line(&mut text, &format!("  calling  {}", call.calling));
    line(&mut text, &format!("  came by  {}", place(call.came_by)));
    line(&mut text, &format!("  goes by  {}", place(call.goes_by)));
    line(
        &mut text,
        &format!("  forward  {}", traffic(call.qos.transmit)),
    );
    line(
        &mut text,
        &format!("  backward {}", traffic(call.qos.receive)),
    );
    if let Some(end) = end {
        line(
            &mut text,
            &format!("  permanent end {}", end.permanent.name),
        );
    }
    text
}

/// Permanent ends, and the connections of each.
pub(super) fn permanents(all: &[PermanentShown]) -> String {
    let mut text = String::new();
    for shown in all {
        line(&mut text, &permanent(shown));
        for call in &shown.calls {
            line(&mut text, &permanent_call(call));
        }
    }
    text
}

fn permanent(shown: &PermanentShown) -> String {
    let Permanent {
        name,
        port,
        vn,
        label,
        end,
    } = &shown.permanent;
    let vn = vn.map_or_else(String::new, |vn| format!(".{vn}"));
    let what = match end {
        End::Call { called, .. } => format!("calls {called}"),
        End::Listen { address, .. } => format!("listens on {address}"),
    };
    let state = match shown.state {
        PermanentState::Waiting => "waits for daemon, guest or its turn",
        PermanentState::Connecting => "asked for",
        PermanentState::Up => "up",
        PermanentState::Listening => "accepts calls",
        PermanentState::Down => "down",
    };
    let why = match (&shown.why, shown.cause) {
        (Some(why), Some(cause)) => format!(": {why} (cause {cause})"),
        (Some(why), None) => format!(": {why}"),
        (None, _) => String::new(),
    };
    let again = shown.again_in_ns.map_or_else(String::new, |ns| {
        format!("; again in {} ms", ns.div_ceil(1_000_000))
    });
    format!("{name}: {port}{vn}/{label} {what}: {state}{why}{again}")
}

fn permanent_call(call: &PermanentCall) -> String {
    let way = |asked: Option<Traffic>, delay_ns: Option<u64>| {
        let bound = delay_ns.map_or_else(String::new, |ns| {
            format!(" within {} us", ns.div_ceil(1_000))
        });
        format!("{}{bound}", traffic(asked))
    };
    format!(
        "  {}: {} label {} <-> {}, forward {}, backward {}, {}",
        call.call,
        call.state,
        call.label,
        place(call.network),
        way(call.qos.transmit, call.transmit_delay_ns),
        way(call.qos.receive, call.receive_delay_ns),
        call.peer
    )
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

fn neighbour(link: &LinkView) -> String {
    let LinkView {
        port,
        up,
        side,
        calls,
        labels,
    } = link;
    let state = match (up, side) {
        (true, Some(side)) => format!("up, {side} labels are ours"),
        (true, None) => "up".to_owned(),
        (false, _) => "down".to_owned(),
    };
    format!("{port}: {state}; {calls} calls, {labels} labels")
}

fn place(place: Option<Place>) -> String {
    match place {
        Some(Place { port, vn: 0, label }) => format!("{port}/{label}"),
        Some(Place { port, vn, label }) => format!("{port}.{vn}/{label}"),
        None => "here".to_owned(),
    }
}

pub(super) fn traffic(traffic: Option<Traffic>) -> String {
    let Some(traffic) = traffic else {
        return "nothing".to_owned();
    };
    let class = match traffic.class {
        Class::Cbr => "cbr",
        Class::Ubr => "ubr",
    };
    match traffic.wire_bps() {
        Some(rate) => format!("{class} {}", crate::config::BitRate(rate)),
        None => class.to_owned(),
    }
}
