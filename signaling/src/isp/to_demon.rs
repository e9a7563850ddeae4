//! What the kernel side may say to the demon, each message with the fields of its row in Table 1 and no other.

use alloc::vec::Vec;

use super::DecodeError;
use super::field::{Aal, ErrorCode, Pvc, Sap, Vcc};
use super::message::{Message, Type};
use super::table::{Field, Refused, Row};
use crate::{Address, Qos};

/// A message from the kernel side to the demon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToDemon {
    /// Is this local SAP acceptable? (3.5)
    Bind {
        /// The socket.
        vcc: Vcc,
        /// Adaptation layer.
        aal: Aal,
        /// The SAP; null address: choose one.
        svc: Sap,
    },
    /// Set up a connection (3.6).
    Connect {
        /// The socket.
        vcc: Vcc,
        /// Adaptation layer.
        aal: Aal,
        /// Calling party; null: choose one.
        local: Address,
        /// What is asked for.
        qos: Qos,
        /// Called party.
        svc: Sap,
    },
    /// Register a SAP for incoming calls (3.7).
    Listen {
        /// The socket.
        vcc: Vcc,
        /// Adaptation layer.
        aal: Aal,
        /// What is acceptable.
        qos: Qos,
        /// The SAP.
        svc: Sap,
    },
    /// Accept the first call that is not answered, on a new socket (3.9).
    Accept {
        /// The new socket.
        vcc: Vcc,
        /// The listening socket.
        listen_vcc: Vcc,
    },
    /// Reject the first call that is not answered (3.10).
    Reject {
        /// The listening socket.
        listen_vcc: Vcc,
        /// Why.
        reply: ErrorCode,
    },
    /// End a connection or a registration (3.4).
    Close {
        /// The socket.
        vcc: Vcc,
    },
    /// The local addresses of an interface have changed (5.1).
    ItfNotify {
        /// Number of the interface.
        interface: u16,
    },
}

impl ToDemon {
    /// Its row in Table 1.
    #[must_use]
    pub fn row(&self) -> Row {
        match self {
            Self::Bind { .. } => Row::Bind,
            Self::Connect { .. } => Row::Connect,
            Self::Listen { .. } => Row::Listen,
            Self::Accept { .. } => Row::Accept,
            Self::Reject { .. } => Row::Reject,
            Self::Close { .. } => Row::CloseToDemon,
            Self::ItfNotify { .. } => Row::ItfNotify,
        }
    }

    /// Its octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Message::from(self).octets()
    }

    /// The message that these octets are.
    ///
    /// # Errors
    /// They are no message, it has not the fields of its row, or it is not sent to the demon.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self::try_from(&Message::decode(octets)?)?)
    }
}

impl From<&ToDemon> for Message {
    fn from(typed: &ToDemon) -> Self {
        let mut message = Self::new(typed.row().kind());
        match typed {
            ToDemon::Bind { vcc, aal, svc } => {
                message.vcc = Some(*vcc);
                message.aal = Some(*aal);
                message.set_sap(svc);
            }
            ToDemon::Connect {
                vcc,
                aal,
                local,
                qos,
                svc,
            } => {
                message.vcc = Some(*vcc);
                message.aal = Some(*aal);
                message.local = Some(*local);
                message.qos = Some(*qos);
                message.set_sap(svc);
            }
            ToDemon::Listen { vcc, aal, qos, svc } => {
                message.vcc = Some(*vcc);
                message.aal = Some(*aal);
                message.qos = Some(*qos);
                message.set_sap(svc);
            }
            ToDemon::Accept { vcc, listen_vcc } => {
                message.vcc = Some(*vcc);
                message.listen_vcc = Some(*listen_vcc);
            }
            ToDemon::Reject { listen_vcc, reply } => {
                message.listen_vcc = Some(*listen_vcc);
                message.reply = reply.get();
            }
            ToDemon::Close { vcc } => message.vcc = Some(*vcc),
            ToDemon::ItfNotify { interface } => {
                message.pvc = Some(Pvc {
                    interface: *interface,
                    vn: 0,
                    label: 0,
                });
            }
        }
        message
    }
}

impl TryFrom<&Message> for ToDemon {
    type Error = Refused;

    fn try_from(message: &Message) -> Result<Self, Refused> {
        let row = match message.kind {
            Type::Bind => Row::Bind,
            Type::Connect => Row::Connect,
            Type::Listen => Row::Listen,
            Type::Accept => Row::Accept,
            Type::Reject => Row::Reject,
            Type::Close => Row::CloseToDemon,
            Type::ItfNotify => Row::ItfNotify,
            found @ (Type::Okay | Type::Error | Type::Indicate) => {
                return Err(Refused::Way {
                    found,
                    to: "demon",
                    allowed: "as_bind, as_connect, as_listen, as_accept, as_reject, as_close, as_itf_notify",
                });
            }
        };
        row.check(message)?;
        let has = message.of(row);
        Ok(match row {
            Row::Bind => Self::Bind {
                vcc: has.vcc()?,
                aal: has.aal()?,
                svc: has.sap()?,
            },
            Row::Connect => Self::Connect {
                vcc: has.vcc()?,
                aal: has.aal()?,
                local: has.local()?,
                qos: has.qos()?,
                svc: has.sap()?,
            },
            Row::Listen => Self::Listen {
                vcc: has.vcc()?,
                aal: has.aal()?,
                qos: has.qos()?,
                svc: has.sap()?,
            },
            Row::Accept => Self::Accept {
                vcc: has.vcc()?,
                listen_vcc: has.listen_vcc()?,
            },
            Row::Reject => Self::Reject {
                listen_vcc: has.listen_vcc()?,
                reply: has.error_code()?,
            },
            Row::ItfNotify => {
                let pvc = has.pvc()?;
                if pvc.vn != 0 || pvc.label != 0 {
                    return Err(Refused::NotAllowed {
                        row,
                        field: Field::Pvc,
                    });
                }
                Self::ItfNotify {
                    interface: pvc.interface,
                }
            }
            _ => Self::Close { vcc: has.vcc()? },
        })
    }
}
