//! All different hops, each once: what values of the table stand for.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use pinode_guest_runtime::VifIndex;

use super::error::RouteError;
use super::hop::{Hop, Target, Way};
use super::links::Links;
use crate::control::item::RouteKind;
use crate::control::view::Origin;
use crate::neighbour::NeighbourId;
use crate::vn::{InterfaceId, Vn};

/// A value of the table: above 0, which is that of destinations without a route.
pub type HopId = u32;

#[derive(Debug)]
struct Entry {
    key: (Vn, Target),
    routes: u32,
}

/// The hops.
#[derive(Debug)]
pub(super) struct Hops {
    /// By value; the first is where no route leads.
    hot: Vec<Hop>,
    /// By value; none: free.
    entries: Vec<Option<Entry>>,
    free: Vec<HopId>,
    by_key: BTreeMap<(Vn, Target), HopId>,
    /// Of them, those of static routes: `most` at most. Those of the router's own addresses are bounded by its
    /// interfaces, and do not count: else it would matter which came first.
    statics: u32,
    most: u32,
}

const NOWHERE: Hop = Hop {
    gateway: 0,
    interface: InterfaceId::new(VifIndex(0), Vn::of_pih(0)),
    way: Way::None,
    neighbour: None,
};

impl Hops {
    pub(super) fn new(most: u32) -> Self {
        Hops {
            hot: alloc::vec![NOWHERE],
            entries: alloc::vec![None],
            free: Vec::new(),
            by_key: BTreeMap::new(),
            statics: 0,
            most,
        }
    }

    #[inline]
    pub(super) fn hop(&self, id: HopId) -> &Hop {
        self.hot.get(id as usize).unwrap_or(&NOWHERE)
    }

    /// The neighbour that was found to be next of a hop.
    pub(super) fn remember(&mut self, id: HopId, neighbour: NeighbourId) {
        if let Some(hop) = self.hot.get_mut(id as usize) {
            hop.neighbour = Some(neighbour);
        }
    }

    pub(super) fn target(&self, id: HopId) -> Option<&Target> {
        let entry = self.entries.get(id as usize)?.as_ref()?;
        Some(&entry.key.1)
    }

    /// The hop of `target`, with a route more.
    pub(super) fn hold(
        &mut self,
        vn: Vn,
        target: Target,
        links: &Links,
    ) -> Result<HopId, RouteError> {
        let key = (vn, target);
        if let Some(id) = self.by_key.get(&key) {
            if let Some(Some(entry)) = self.entries.get_mut(*id as usize) {
                entry.routes += 1;
            }
            return Ok(*id);
        }
        let is_static = target.origin == Origin::Static;
        if is_static && self.statics >= self.most {
            return Err(RouteError::TooManyHops(self.most));
        }
        self.statics += u32::from(is_static);
        let hop = resolved(vn, &target, links);
        let entry = Some(Entry { key, routes: 1 });
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.hot.push(NOWHERE);
                self.entries.push(None);
                self.hot.len() as HopId - 1
            }
        };
        if let (Some(hot), Some(cold)) = (
            self.hot.get_mut(id as usize),
            self.entries.get_mut(id as usize),
        ) {
            (*hot, *cold) = (hop, entry);
        }
        self.by_key.insert(key, id);
        Ok(id)
    }

    /// A route less.
    pub(super) fn release(&mut self, id: HopId) {
        let Some(slot) = self.entries.get_mut(id as usize) else {
            return;
        };
        let Some(entry) = slot else {
            return;
        };
        entry.routes -= 1;
        if entry.routes == 0 {
            self.statics -= u32::from(entry.key.1.origin == Origin::Static);
            self.by_key.remove(&entry.key);
            *slot = None;
            self.free.push(id);
            if let Some(hot) = self.hot.get_mut(id as usize) {
                *hot = NOWHERE;
            }
        }
    }

    /// Looks again on which links the next routers of `vn` are. Cost: grows with the number of hops, which is
    /// bounded, and not with that of routes.
    pub(super) fn resolve(&mut self, vn: Vn, links: &Links) {
        for (hot, entry) in self.hot.iter_mut().zip(&self.entries) {
            if let Some(Entry {
                key: (of, target), ..
            }) = entry
                && *of == vn
            {
                *hot = resolved(vn, target, links);
            }
        }
    }
}

/// What `target` comes to, with these links.
fn resolved(vn: Vn, target: &Target, links: &Links) -> Hop {
    let nowhere = |way| Hop { way, ..NOWHERE };
    match target.kind {
        RouteKind::Blackhole => return nowhere(Way::Blackhole),
        RouteKind::Unreachable => return nowhere(Way::Unreachable),
        RouteKind::Prohibit => return nowhere(Way::Prohibit),
        RouteKind::Unicast => {}
    }
    let interface = target
        .dev
        .or_else(|| target.via.and_then(|via| links.of(vn, via)));
    let Some(interface) = interface else {
        return nowhere(Way::None);
    };
    let way = match (target.origin, target.via) {
        (Origin::Local, _) => Way::Local,
        (_, Some(_)) => Way::Gateway,
        (_, None) => Way::Link,
    };
    Hop {
        gateway: target.via.unwrap_or(0),
        interface,
        way,
        neighbour: None,
    }
}
