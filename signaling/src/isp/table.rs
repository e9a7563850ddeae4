//! Which fields a message has (4.2, Table 1): each row names those that it must have; all others it must not have.
//!
//! `blli` may stand wherever `svc` does, and may be left out (4.1.10). `session` is in no row. `as_itf_notify` (5.1)
//! is no row of the document's table; it has `pvc` alone, of that the interface alone.
//!
//! Must never let through what the typed messages could not say.

use core::fmt;

use thiserror::Error;

use super::message::{Message, Type};

/// A row of Table 1: a message, which way it goes, and of an `as_okay` what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Row {
    /// `as_bind`, kernel to demon.
    Bind,
    /// `as_okay` to `as_bind`.
    OkayBind,
    /// `as_connect`, kernel to demon.
    Connect,
    /// `as_okay` to `as_connect`.
    OkayConnect,
    /// `as_listen`, kernel to demon.
    Listen,
    /// `as_okay` to `as_listen`.
    OkayListen,
    /// `as_indicate`, demon to kernel.
    Indicate,
    /// `as_accept`, kernel to demon.
    Accept,
    /// `as_okay` to `as_accept`.
    OkayAccept,
    /// `as_reject`, kernel to demon.
    Reject,
    /// `as_error`, demon to kernel.
    Error,
    /// `as_close`, kernel to demon.
    CloseToDemon,
    /// `as_close`, demon to kernel.
    CloseToKernel,
    /// `as_itf_notify`, kernel to demon.
    ItfNotify,
}

/// A field of a message, named as in `struct atmsvc_msg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// `vcc`
    Vcc,
    /// `listen_vcc`
    ListenVcc,
    /// `reply`
    Reply,
    /// `aal`
    Aal,
    /// `pvc`
    Pvc,
    /// `local`
    Local,
    /// `qos`
    Qos,
    /// `svc`
    Svc,
    /// `blli`
    Blli,
    /// `session`
    Session,
}

/// A message that has not the fields of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// A field that the row wants is all zero.
    #[error("{row}: {field} is missing")]
    Missing {
        /// The row.
        row: Row,
        /// The field.
        field: Field,
    },
    /// A field that the row does not have is not zero.
    #[error("{row}: {field} is not allowed")]
    NotAllowed {
        /// The row.
        row: Row,
        /// The field.
        field: Field,
    },
    /// An error code that is none.
    #[error("{row}: reply is {reply}; allowed: {}", if *.row == Row::CloseToKernel { "0 (normal) or below" } else { "below 0" })]
    Reply {
        /// The row.
        row: Row,
        /// What stands there.
        reply: i32,
    },
    /// A message of another type than its row.
    #[error("{row}: the type is {found}")]
    Type {
        /// The row.
        row: Row,
        /// What it is.
        found: Type,
    },
    /// A message that only the other side may send.
    #[error("{found} is not sent to the {to}; allowed: {allowed}")]
    Way {
        /// What it is.
        found: Type,
        /// Whom it was sent to.
        to: &'static str,
        /// What may be.
        allowed: &'static str,
    },
}

impl Row {
    /// All rows, in the order of Table 1, and `as_itf_notify`.
    pub const ALL: [Self; 14] = [
        Self::Bind,
        Self::OkayBind,
        Self::Connect,
        Self::OkayConnect,
        Self::Listen,
        Self::OkayListen,
        Self::Indicate,
        Self::Accept,
        Self::OkayAccept,
        Self::Reject,
        Self::Error,
        Self::CloseToDemon,
        Self::CloseToKernel,
        Self::ItfNotify,
    ];

    /// The fields that it must have. Of `reply` in `as_close` to the kernel 0 is a value: it is never missing.
    #[must_use]
    pub const fn required(self) -> &'static [Field] {
        use Field::{Aal, ListenVcc, Local, Pvc, Qos, Reply, Svc, Vcc};
        match self {
            Self::Bind => &[Vcc, Aal, Svc],
            Self::OkayBind => &[Vcc, Svc],
            Self::Connect => &[Vcc, Aal, Local, Qos, Svc],
            Self::OkayConnect => &[Vcc, Pvc, Local, Qos],
            Self::Listen => &[Vcc, Aal, Qos, Svc],
            Self::OkayListen | Self::CloseToDemon => &[Vcc],
            Self::Indicate => &[ListenVcc, Pvc, Qos, Svc],
            Self::Accept => &[Vcc, ListenVcc],
            Self::OkayAccept => &[Vcc, Local],
            Self::Reject => &[ListenVcc, Reply],
            Self::Error | Self::CloseToKernel => &[Vcc, Reply],
            Self::ItfNotify => &[Pvc],
        }
    }

    /// The type of its messages.
    #[must_use]
    pub const fn kind(self) -> Type {
        match self {
            Self::Bind => Type::Bind,
            Self::Connect => Type::Connect,
            Self::Listen => Type::Listen,
            Self::OkayBind | Self::OkayConnect | Self::OkayListen | Self::OkayAccept => Type::Okay,
            Self::Indicate => Type::Indicate,
            Self::Accept => Type::Accept,
            Self::Reject => Type::Reject,
            Self::Error => Type::Error,
            Self::CloseToDemon | Self::CloseToKernel => Type::Close,
            Self::ItfNotify => Type::ItfNotify,
        }
    }

    /// Whether the kernel side sends it.
    #[must_use]
    pub const fn to_demon(self) -> bool {
        matches!(
            self,
            Self::Bind
                | Self::Connect
                | Self::Listen
                | Self::Accept
                | Self::Reject
                | Self::CloseToDemon
                | Self::ItfNotify
        )
    }

    /// Checks that a message has the fields of this row and no other. Its type is the row's.
    ///
    /// # Errors
    /// The first field, in the order of the table, that is missing or not allowed; or a reply that is no error code.
    pub fn check(self, message: &Message) -> Result<(), Refused> {
        let required = self.required();
        for field in Field::ALL {
            let has = message.has(field);
            let optional = matches!((self, field), (Self::CloseToKernel, Field::Reply))
                || (field == Field::Blli && required.contains(&Field::Svc));
            if required.contains(&field) && !has && !optional {
                return Err(Refused::Missing { row: self, field });
            }
            if has && !optional && !required.contains(&field) {
                return Err(Refused::NotAllowed { row: self, field });
            }
        }
        if message.reply > 0 {
            return Err(Refused::Reply {
                row: self,
                reply: message.reply,
            });
        }
        Ok(())
    }
}

impl Field {
    /// All fields but the type, in the order of Table 1's columns.
    pub const ALL: [Self; 10] = [
        Self::Vcc,
        Self::ListenVcc,
        Self::Reply,
        Self::Aal,
        Self::Pvc,
        Self::Local,
        Self::Qos,
        Self::Svc,
        Self::Blli,
        Self::Session,
    ];
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bind => "as_bind",
            Self::OkayBind => "as_okay to as_bind",
            Self::Connect => "as_connect",
            Self::OkayConnect => "as_okay to as_connect",
            Self::Listen => "as_listen",
            Self::OkayListen => "as_okay to as_listen",
            Self::Indicate => "as_indicate",
            Self::Accept => "as_accept",
            Self::OkayAccept => "as_okay to as_accept",
            Self::Reject => "as_reject",
            Self::Error => "as_error",
            Self::CloseToDemon => "as_close to the demon",
            Self::CloseToKernel => "as_close to the kernel",
            Self::ItfNotify => "as_itf_notify",
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vcc => "vcc",
            Self::ListenVcc => "listen_vcc",
            Self::Reply => "reply",
            Self::Aal => "aal",
            Self::Pvc => "pvc",
            Self::Local => "local",
            Self::Qos => "qos",
            Self::Svc => "svc",
            Self::Blli => "blli",
            Self::Session => "session",
        })
    }
}
