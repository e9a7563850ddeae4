//! `[pi.NAME.config]` of a router (`builtin:ipv6qos`): whether the router will take it.
//!
//! The guest library reads and tries it here as the guest will.

use pinode_guest_ipv6qos::Router;

use super::node::NodeConfig;
use super::reader::Item;
use crate::ipv6;

/// Reports all that is wrong with the configurations of routers.
pub(super) fn check(config: &NodeConfig, pis: &Item<'_, '_>) {
    for pi in config.pis.iter().filter(|pi| ipv6::is_router(pi)) {
        let checked = Router::check(&config.guest_config(pi, 0));
        for problem in checked.err().into_iter().flatten() {
            let place = match &*problem.place {
                "" => format!("{}.config", pi.name),
                place => format!("{}.config.{place}", pi.name),
            };
            pis.problem_at(&place, problem.what);
        }
    }
}
