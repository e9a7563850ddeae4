//! A message as octets can say it: any type, any fields. [`super::layout`] reads and writes it, [`super::table`] tells
//! whether it may be sent.
//!
//! Must never be what either side acts on: that is [`super::ToDemon`] and [`super::ToKernel`].

use alloc::vec::Vec;
use core::fmt;

use super::field::{Aal, Bllis, ErrorCode, Pvc, Sap, Vcc};
use super::table::{Field, Refused, Row};
use crate::{Address, Qos};

/// Type of a message (3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `as_bind`
    Bind,
    /// `as_connect`
    Connect,
    /// `as_accept`
    Accept,
    /// `as_reject`
    Reject,
    /// `as_listen`
    Listen,
    /// `as_okay`
    Okay,
    /// `as_error`
    Error,
    /// `as_indicate`
    Indicate,
    /// `as_close`
    Close,
    /// `as_itf_notify`
    ItfNotify,
}

/// A message of any type with any fields: what octets can say. [`Row::check`] tells whether it may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `type`
    pub kind: Type,
    /// `vcc`
    pub vcc: Option<Vcc>,
    /// `listen_vcc`
    pub listen_vcc: Option<Vcc>,
    /// `reply`; 0: absent, or normal.
    pub reply: i32,
    /// `pvc`
    pub pvc: Option<Pvc>,
    /// `local`
    pub local: Option<Address>,
    /// `qos`
    pub qos: Option<Qos>,
    /// `aal`
    pub aal: Option<Aal>,
    /// `session`; 0: absent.
    pub session: u32,
    /// `svc`, the address of a SAP.
    pub svc: Option<Address>,
    /// `blli`; empty: absent.
    pub bllis: Bllis,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bind => "as_bind",
            Self::Connect => "as_connect",
            Self::Accept => "as_accept",
            Self::Reject => "as_reject",
            Self::Listen => "as_listen",
            Self::Okay => "as_okay",
            Self::Error => "as_error",
            Self::Indicate => "as_indicate",
            Self::Close => "as_close",
            Self::ItfNotify => "as_itf_notify",
        })
    }
}

impl Message {
    /// A message of this type with no field.
    #[must_use]
    pub fn new(kind: Type) -> Self {
        Self {
            kind,
            vcc: None,
            listen_vcc: None,
            reply: 0,
            pvc: None,
            local: None,
            qos: None,
            aal: None,
            session: 0,
            svc: None,
            bllis: Bllis::new(),
        }
    }

    /// Whether it has the field. A `reply` of 0 counts as absent.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        match field {
            Field::Vcc => self.vcc.is_some(),
            Field::ListenVcc => self.listen_vcc.is_some(),
            Field::Reply => self.reply != 0,
            Field::Aal => self.aal.is_some(),
            Field::Pvc => self.pvc.is_some(),
            Field::Local => self.local.is_some(),
            Field::Qos => self.qos.is_some(),
            Field::Svc => self.svc.is_some(),
            Field::Blli => !self.bllis.is_empty(),
            Field::Session => self.session != 0,
        }
    }

    /// Octets of this message, which is of this row.
    ///
    /// # Errors
    /// It is of another type, or has not the fields of the row.
    pub fn encode(&self, row: Row) -> Result<Vec<u8>, Refused> {
        if self.kind != row.kind() {
            return Err(Refused::Type {
                row,
                found: self.kind,
            });
        }
        row.check(self)?;
        Ok(self.octets())
    }

    pub(super) fn set_sap(&mut self, sap: &Sap) {
        self.svc = Some(sap.address);
        self.bllis = sap.bllis.clone();
    }

    pub(super) fn of(&self, row: Row) -> Fields<'_> {
        Fields { message: self, row }
    }
}

/// The fields of a message of a row, of which each is missing if it is not there.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    message: &'a Message,
    row: Row,
}

impl Fields<'_> {
    fn missing(self, field: Field) -> Refused {
        Refused::Missing {
            row: self.row,
            field,
        }
    }

    pub(super) fn vcc(self) -> Result<Vcc, Refused> {
        self.message.vcc.ok_or(self.missing(Field::Vcc))
    }

    pub(super) fn listen_vcc(self) -> Result<Vcc, Refused> {
        let vcc = self.message.listen_vcc;
        vcc.ok_or(self.missing(Field::ListenVcc))
    }

    pub(super) fn error_code(self) -> Result<ErrorCode, Refused> {
        ErrorCode::new(self.message.reply).ok_or(self.missing(Field::Reply))
    }

    pub(super) fn aal(self) -> Result<Aal, Refused> {
        self.message.aal.ok_or(self.missing(Field::Aal))
    }

    pub(super) fn pvc(self) -> Result<Pvc, Refused> {
        self.message.pvc.ok_or(self.missing(Field::Pvc))
    }

    pub(super) fn local(self) -> Result<Address, Refused> {
        self.message.local.ok_or(self.missing(Field::Local))
    }

    pub(super) fn qos(self) -> Result<Qos, Refused> {
        self.message.qos.ok_or(self.missing(Field::Qos))
    }

    pub(super) fn sap(self) -> Result<Sap, Refused> {
        Ok(Sap {
            address: self.message.svc.ok_or(self.missing(Field::Svc))?,
            bllis: self.message.bllis.clone(),
        })
    }
}
