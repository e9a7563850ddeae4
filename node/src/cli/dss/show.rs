//! Neighbours and calls as text.

use std::fmt::Write as _;

use pinode_signaling::daemon::switch::Place;
use pinode_signaling::daemon::view::{CallView, LinkView};
use pinode_signaling::{Class, Traffic};

use crate::dss::Shown;

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
pub(super) fn one(call: &CallView) -> String {
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
    text
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
