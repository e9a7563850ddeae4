//! Routes, by virtual network and prefix.

use alloc::format;
use alloc::string::String;

use super::{Page, Wanted};
use crate::control::view::{Cursor, RouteView, View};
use crate::prefix::Prefix;
use crate::router::Running;
use crate::routing::{Hop, Target, Way};
use crate::vn::Vn;

impl Running {
    /// A route as it is shown, with the interface that packets leave by.
    pub(in crate::control::handle) fn route_view(
        &self,
        vn: Vn,
        prefix: Prefix,
        target: &Target,
        hop: &Hop,
    ) -> RouteView {
        let mut route = self.route_item(vn, prefix, target);
        if matches!(hop.way, Way::Gateway | Way::Link | Way::Local) {
            route.dev = Some(self.names.name(hop.interface));
        }
        RouteView {
            route,
            origin: target.origin,
        }
    }

    pub(super) fn route_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let of = self.of(wanted.of)?;
        let first = wanted
            .vn
            .or(of.map(crate::InterfaceId::vn))
            .unwrap_or_default();
        let after = match wanted.after {
            Some(text) => Some(read(text)?),
            None => None,
        };
        let from = after.unwrap_or(Cursor {
            vn: first,
            prefix: Prefix::DEFAULT,
        });
        let routes = self
            .routing
            .list(from, after.is_some())
            .take_while(|(at, ..)| wanted.vn.is_none_or(|vn| vn == at.vn))
            .map(|(at, target, hop)| {
                let is_wanted = of.is_none_or(|of| of == hop.interface && hop.way != Way::None);
                let view =
                    is_wanted.then(|| View::Route(self.route_view(at.vn, at.prefix, target, hop)));
                (format!("{} {}", at.vn, at.prefix), view)
            });
        Ok(Page::take(routes, wanted.most))
    }
}

/// Where a page of routes ended: virtual network and prefix.
fn read(text: &str) -> Result<Cursor, String> {
    let read = |text: &str| {
        let (vn, prefix) = text.split_once(' ')?;
        Some(Cursor {
            vn: Vn::new(vn.parse().ok()?)?,
            prefix: prefix.parse().ok()?,
        })
    };
    read(text).ok_or_else(|| {
        format!("after: {text:?} is not where a page ended; allowed: next of the page before")
    })
}
