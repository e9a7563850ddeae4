//! Why a change was not done: its words for a person, and the kind that programs tell apart.

use alloc::format;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use crate::diffserv::{ClassError, PolicerError};
use crate::neighbour::{LinkError, NeighbourError};
use crate::routing::RouteError;
use crate::rules::{RuleError, TableError};

/// What is in the way of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The item itself: it can never be so.
    Invalid,
    /// What there is: the item is there already, or not there, something else needs it, or a limit is reached.
    Conflict,
}

/// Why a change was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its kind.
    pub kind: Kind,
    /// What is wrong, where, and what is allowed.
    pub what: String,
}

impl Refusal {
    /// What there is is in the way.
    pub fn conflict(what: String) -> Self {
        Refusal {
            kind: Kind::Conflict,
            what,
        }
    }

    /// The same, with the key that it is about in front.
    pub fn of_key(self, key: &str) -> Self {
        Refusal {
            what: format!("{key}: {}", self.what),
            ..self
        }
    }

    fn new(what: &dyn ToString, conflict: bool) -> Self {
        let kind = match conflict {
            true => Kind::Conflict,
            false => Kind::Invalid,
        };
        Refusal {
            kind,
            what: what.to_string(),
        }
    }
}

/// What names nothing that there is, or is no name.
impl From<String> for Refusal {
    fn from(what: String) -> Self {
        Refusal {
            kind: Kind::Invalid,
            what,
        }
    }
}

impl From<RouteError> for Refusal {
    fn from(error: RouteError) -> Self {
        use RouteError as E;
        let conflict = matches!(
            error,
            E::Exists { .. }
                | E::Missing { .. }
                | E::NotStatic { .. }
                | E::TooMany(_)
                | E::TooManyHops(_)
                | E::Memory
        );
        Refusal::new(&error, conflict)
    }
}

impl From<NeighbourError> for Refusal {
    fn from(error: NeighbourError) -> Self {
        Refusal::new(&error, matches!(error, NeighbourError::Full(_)))
    }
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        use LinkError as E;
        let conflict = matches!(
            error,
            E::Exists | E::AddressExists | E::AddressUnknown | E::Full
        );
        Refusal::new(&error, conflict)
    }
}

impl From<TableError> for Refusal {
    fn from(error: TableError) -> Self {
        Refusal::new(&error, is_conflict_of_table(&error))
    }
}

fn is_conflict_of_table(error: &TableError) -> bool {
    !matches!(error, TableError::Name(_))
}

impl From<RuleError> for Refusal {
    fn from(error: RuleError) -> Self {
        Refusal::new(&error, is_conflict_of_rule(&error))
    }
}

fn is_conflict_of_rule(error: &RuleError) -> bool {
    use RuleError as E;
    match error {
        E::Table(error) => is_conflict_of_table(error),
        error => matches!(
            error,
            E::Full(_) | E::Exists(_) | E::Missing(_) | E::NoPriority(_) | E::Busy | E::OutOfMemory
        ),
    }
}

impl From<PolicerError> for Refusal {
    fn from(error: PolicerError) -> Self {
        use PolicerError as E;
        let conflict = matches!(
            error,
            E::Exists(_) | E::Unknown(_) | E::Named { .. } | E::Full { .. }
        );
        Refusal::new(&error, conflict)
    }
}

impl From<ClassError> for Refusal {
    fn from(error: ClassError) -> Self {
        let conflict = match &error {
            ClassError::Rule(error) => is_conflict_of_rule(error),
            ClassError::Policer(_) => true,
        };
        Refusal::new(&error, conflict)
    }
}
