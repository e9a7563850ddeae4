//! What an operator asks of the signalling of a switch.

use pinode_signaling::Prefix;
use pinode_signaling::daemon::RouteConfiguration;

use super::Operator;
use crate::control::ControlError;
use crate::dss::{Shown, Signalling, SignallingError};

impl Operator {
    /// That of `guest`.
    pub(super) fn signalling_of(&self, guest: &str) -> Result<&Signalling, ControlError> {
        let slot = self.slot("guest", guest)?;
        let all = self.signalling.get();
        let own = all.and_then(|all| all.get(slot)).and_then(Option::as_deref);
        own.ok_or_else(|| ControlError::Unknown {
            kind: "guest with signalling",
            name: guest.to_owned(),
            known: self
                .config
                .pis
                .iter()
                .filter(|pi| pi.signaling.is_some())
                .map(|pi| pi.name.clone())
                .collect(),
        })
    }

    pub(super) fn signalling_shown(&self, guest: &str, after: u64) -> Result<Shown, ControlError> {
        let shown = self.signalling_of(guest)?.show(after);
        shown.map_err(|error| refused(guest, error))
    }

    pub(super) fn change_call_route(
        &self,
        guest: &str,
        delete: bool,
        prefix: Prefix,
        port: &str,
    ) -> Result<(), ControlError> {
        let signalling = self.signalling_of(guest)?;
        let port = self.port(port)?;
        let route = RouteConfiguration {
            prefix,
            // A node has 32 ports at most.
            port: port as u16,
        };
        let changed = signalling.change_route(delete, route);
        changed.map_err(|error| refused(guest, error))
    }

    pub(super) fn release_one_call(&self, guest: &str, call: u64) -> Result<(), ControlError> {
        let released = self.signalling_of(guest)?.release(call);
        released.map_err(|error| refused(guest, error))
    }
}

pub(super) fn refused(guest: &str, error: SignallingError) -> ControlError {
    let at = format!("guest.{guest}.signaling");
    match error {
        SignallingError::Refused(what) => ControlError::Refused { at, what },
        down @ SignallingError::Down => ControlError::Conflict {
            at,
            what: down.to_string(),
        },
        failed @ SignallingError::NoAnswer => ControlError::Failed {
            at,
            what: failed.to_string(),
        },
    }
}
