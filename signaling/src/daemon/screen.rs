//! Whether a call may come from where it says, and whether there is room for it.
//!
//! Must never let a port speak for addresses that are not reached by it: who is called, and who is to answer for what
//! a call takes, would be told a lie.

use alloc::format;

use super::core::Daemon;
use super::share::Origin;
use crate::address::Address;
use crate::q2931::{Cause, Reason};

impl Daemon {
    /// Whether a call that came by this port may say that this is who calls. Where the network begins only addresses
    /// that are routed to the port may call; who says none calls as nobody. Neighbours inside have looked themselves.
    pub(super) fn screen(&self, port: u16, calling: Option<Address>) -> Result<(), Reason> {
        let Some(link) = self.links.get(&port).filter(|link| link.port.edge) else {
            return Ok(());
        };
        match calling {
            Some(calling)
                if !calling.is_null() && !self.routes.lookup(&calling).contains(&port) =>
            {
                let name = &link.port.name;
                let why = format!("port {name}: the calling address is not routed to it");
                Err(Reason::from(Cause::CallRejected).saying(&why))
            }
            _ => Ok(()),
        }
    }

    /// Why one more call from there is refused.
    pub(super) fn no_room(&self, origin: Origin) -> Reason {
        let link = origin.and_then(|port| self.links.get(&port));
        let from = link.map_or_else(
            || "this daemon's applications".into(),
            |link| format!("port {}", link.port.name),
        );
        let has = self.share.of(origin);
        let all = self.configuration.calls;
        let why =
            format!("{from}: has {has} of {all} calls, and the others' parts are kept for them");
        Reason::from(Cause::ResourcesUnavailable).saying(&why)
    }
}
