//! Routes in order, a page at a time.

use super::hop::{Hop, Target};
use super::hops::Hops;
use crate::control::view::Cursor;
use crate::lpm::Lpm;

/// Routes behind `after`, in order of virtual network and prefix.
pub(super) fn list<'a>(
    lpm: &'a Lpm,
    hops: &'a Hops,
    after: Option<Cursor>,
) -> impl Iterator<Item = (Cursor, &'a Target, &'a Hop)> {
    let routes = match after {
        Some(after) => lpm.iter_after(after),
        None => lpm.iter(),
    };
    routes.filter_map(|(cursor, value)| {
        let target = hops.target(value)?;
        Some((cursor, target, hops.hop(value)))
    })
}
