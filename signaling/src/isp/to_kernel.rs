//! What the demon may say to the kernel side, each message with the fields of its row in Table 1 and no other.

use alloc::vec::Vec;

use super::DecodeError;
use super::field::{ErrorCode, Pvc, Sap, Vcc};
use super::message::{Message, Type};
use super::table::{Refused, Row};
use crate::{Address, Qos};

/// A message from the demon to the kernel side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToKernel {
    /// The request was done (3.2).
    Okay {
        /// The socket.
        vcc: Vcc,
        /// To what, and what it returns.
        answer: Okay,
    },
    /// The request failed; the demon knows nothing of the socket any more (3.3).
    Error {
        /// The socket.
        vcc: Vcc,
        /// Why.
        reply: ErrorCode,
    },
    /// An incoming call (3.8).
    Indicate {
        /// The listening socket.
        listen_vcc: Vcc,
        /// Where the connection is.
        pvc: Pvc,
        /// What it is made with.
        qos: Qos,
        /// Calling party, and the low layers it asked for.
        svc: Sap,
    },
    /// The connection has ended, or the kernel's close is acknowledged (3.4).
    Close {
        /// The socket.
        vcc: Vcc,
        /// Why; none: normal.
        reply: Option<ErrorCode>,
    },
}

/// A request that is answered by `as_okay` or `as_error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// `as_bind`
    Bind,
    /// `as_connect`
    Connect,
    /// `as_listen`
    Listen,
    /// `as_accept`
    Accept,
}

/// What an `as_okay` returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Okay {
    /// To `as_bind`.
    Bind {
        /// The SAP, perhaps another than was asked for.
        svc: Sap,
    },
    /// To `as_connect`.
    Connect {
        /// Where the connection is.
        pvc: Pvc,
        /// Calling party.
        local: Address,
        /// What was granted.
        qos: Qos,
    },
    /// To `as_listen`.
    Listen,
    /// To `as_accept`.
    Accept {
        /// Address of the new socket.
        local: Address,
    },
}

impl Request {
    /// The row of the `as_okay` that answers it.
    #[must_use]
    pub const fn okay(self) -> Row {
        match self {
            Self::Bind => Row::OkayBind,
            Self::Connect => Row::OkayConnect,
            Self::Listen => Row::OkayListen,
            Self::Accept => Row::OkayAccept,
        }
    }
}

impl Okay {
    /// What it answers.
    #[must_use]
    pub const fn request(&self) -> Request {
        match self {
            Self::Bind { .. } => Request::Bind,
            Self::Connect { .. } => Request::Connect,
            Self::Listen => Request::Listen,
            Self::Accept { .. } => Request::Accept,
        }
    }
}

impl ToKernel {
    /// Its row in Table 1.
    #[must_use]
    pub fn row(&self) -> Row {
        match self {
            Self::Okay { answer, .. } => answer.request().okay(),
            Self::Error { .. } => Row::Error,
            Self::Indicate { .. } => Row::Indicate,
            Self::Close { .. } => Row::CloseToKernel,
        }
    }

    /// Its octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Message::from(self).octets()
    }

    /// The message that these octets are. `asked` says what a socket waits for: an `as_okay` has no field that does.
    ///
    /// # Errors
    /// They are no message, it has not the fields of its row, it is not sent to the kernel, or nothing was asked.
    pub fn decode(
        octets: &[u8],
        asked: impl FnOnce(Vcc) -> Option<Request>,
    ) -> Result<Self, DecodeError> {
        let message = Message::decode(octets)?;
        let row = match message.kind {
            Type::Okay => {
                // Which fields an okay must have is known by its socket alone.
                let vcc = message.of(Row::OkayListen).vcc()?;
                asked(vcc).ok_or(DecodeError::Unasked { vcc })?.okay()
            }
            Type::Error => Row::Error,
            Type::Indicate => Row::Indicate,
            Type::Close => Row::CloseToKernel,
            found => {
                return Err(DecodeError::Refused(Refused::Way {
                    found,
                    to: "kernel",
                    allowed: "as_okay, as_error, as_indicate, as_close",
                }));
            }
        };
        Ok(Self::of_row(row, &message)?)
    }

    fn of_row(row: Row, message: &Message) -> Result<Self, Refused> {
        row.check(message)?;
        let has = message.of(row);
        let okay = |answer| -> Result<Self, Refused> {
            Ok(Self::Okay {
                vcc: has.vcc()?,
                answer,
            })
        };
        match row {
            Row::OkayBind => okay(Okay::Bind { svc: has.sap()? }),
            Row::OkayConnect => okay(Okay::Connect {
                pvc: has.pvc()?,
                local: has.local()?,
                qos: has.qos()?,
            }),
            Row::OkayListen => okay(Okay::Listen),
            Row::OkayAccept => okay(Okay::Accept {
                local: has.local()?,
            }),
            Row::Indicate => Ok(Self::Indicate {
                listen_vcc: has.listen_vcc()?,
                pvc: has.pvc()?,
                qos: has.qos()?,
                svc: has.sap()?,
            }),
            Row::Error => Ok(Self::Error {
                vcc: has.vcc()?,
                reply: has.error_code()?,
            }),
            _ => Ok(Self::Close {
                vcc: has.vcc()?,
                reply: ErrorCode::new(message.reply),
            }),
        }
    }
}

impl From<&ToKernel> for Message {
    fn from(typed: &ToKernel) -> Self {
        let mut message = Self::new(typed.row().kind());
        match typed {
            ToKernel::Okay { vcc, answer } => {
                message.vcc = Some(*vcc);
                match answer {
                    Okay::Bind { svc } => message.set_sap(svc),
                    Okay::Connect { pvc, local, qos } => {
                        message.pvc = Some(*pvc);
                        message.local = Some(*local);
                        message.qos = Some(*qos);
                    }
                    Okay::Listen => {}
                    Okay::Accept { local } => message.local = Some(*local),
                }
            }
            ToKernel::Error { vcc, reply } => {
                message.vcc = Some(*vcc);
                message.reply = reply.get();
            }
            ToKernel::Indicate {
                listen_vcc,
                pvc,
                qos,
                svc,
            } => {
                message.listen_vcc = Some(*listen_vcc);
                message.pvc = Some(*pvc);
                message.qos = Some(*qos);
                message.set_sap(svc);
            }
            ToKernel::Close { vcc, reply } => {
                message.vcc = Some(*vcc);
                message.reply = reply.map_or(0, ErrorCode::get);
            }
        }
        message
    }
}
