//! Messages from octets, and what is wrong with them, by ITU-T Q.2931 5.6 and 5.7.
//!
//! Must not know the state of a call: what a wrong message does to it is for whoever has it.

use alloc::vec::Vec;

use thiserror::Error;

use super::contents::{
    read_address, read_bearer, read_blli, read_connection, read_hops, read_reason, read_state,
    read_traffic, read_words,
};
use super::element::{Action, Coding, Element, MOST_ELEMENTS, identifier, read};
use super::encode::{DISCRIMINATOR, REFERENCE_OCTETS};
use super::message::{Body, CallReference, LAST_REFERENCE, Message, MessageType};
use super::reason::Reason;
use super::setup::MOST_BLLI;
use super::{Cause, Setup, contents};

/// A message that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The message.
    pub message: Message,
    /// What was left out of it and is to be reported: an element that is not known (99) or has wrong contents
    /// (100); for a RELEASE also that its cause is missing (96).
    pub report: Option<Reason>,
}

/// What is wrong with octets that are no message, or none that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Too short for a message; it is ignored, as are those of the next four.
    #[error("{octets} octets are no message; allowed: 9 and more")]
    Short {
        /// How many.
        octets: usize,
    },
    /// Of another protocol.
    #[error("protocol discriminator {found} is not known; allowed: {DISCRIMINATOR}")]
    Discriminator {
        /// What stands there.
        found: u8,
    },
    /// The call reference has another length.
    #[error("a call reference has {octets} octets; allowed: {REFERENCE_OCTETS}")]
    Reference {
        /// Its octets.
        octets: u8,
    },
    /// The message is not complete.
    #[error("{said} octets of elements are announced and {there} there")]
    Length {
        /// What it says.
        said: u16,
        /// What there is.
        there: usize,
    },
    /// Too many elements.
    #[error("a message has more than {MOST_ELEMENTS} elements")]
    ManyElements,
    /// It says that it may be ignored if it is not understood.
    #[error("a message that is not understood may be ignored, as it says")]
    Ignored,
    /// A type that is not known: cause 97.
    #[error("message type {found:#04x} is not known")]
    Type {
        /// Of which call.
        reference: CallReference,
        /// What stands there.
        found: u8,
        /// Whether the call is to be cleared, as the message says.
        clear: bool,
    },
    /// An element is missing (cause 96), wrong (100, 65), or not known and not to be left out (99).
    #[error("{kind:?}, element {element:#04x}: {cause}")]
    Element {
        /// Of which call.
        reference: CallReference,
        /// The message's type.
        kind: MessageType,
        /// The element.
        element: u8,
        /// What is wrong with it.
        cause: Cause,
        /// Whether the call is to be cleared, as the element says.
        clear: bool,
    },
}

/// Which elements a message has, and whether it must.
fn known(kind: MessageType) -> &'static [(u8, bool)] {
    match kind {
        MessageType::Setup => &[
            (identifier::CALLED_PARTY_NUMBER, true),
            (identifier::TRAFFIC_DESCRIPTOR, true),
            (identifier::BEARER_CAPABILITY, true),
            (identifier::QOS_PARAMETER, true),
            (identifier::CONNECTION_IDENTIFIER, true),
            (identifier::CALLING_PARTY_NUMBER, false),
            (identifier::BLLI, false),
            (identifier::HOPS, false),
        ],
        MessageType::Connect => &[(identifier::TRAFFIC_DESCRIPTOR, true)],
        // Without its cause, RELEASE still releases (5.6.7.1).
        MessageType::Release | MessageType::ReleaseComplete => {
            &[(identifier::CAUSE, false), (identifier::WORDS, false)]
        }
        MessageType::Status => &[(identifier::CAUSE, true), (identifier::CALL_STATE, true)],
        MessageType::CallProceeding
        | MessageType::ConnectAcknowledge
        | MessageType::StatusEnquiry => &[],
    }
}

/// A message on its way from octets.
struct Reading<'a> {
    reference: CallReference,
    kind: MessageType,
    elements: Vec<Element<'a>>,
    report: Option<Reason>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// [`DecodeError`]; the last two are to be answered.
    pub fn decode(octets: &[u8]) -> Result<Decoded, DecodeError> {
        let &[
            discriminator,
            reference_octets,
            high,
            middle,
            low,
            kind,
            flags,
            length_high,
            length_low,
            ref rest @ ..,
        ] = octets
        else {
            let octets = octets.len();
            return Err(DecodeError::Short { octets });
        };
        if discriminator != DISCRIMINATOR {
            let found = discriminator;
            return Err(DecodeError::Discriminator { found });
        }
        if reference_octets != REFERENCE_OCTETS {
            let octets = reference_octets;
            return Err(DecodeError::Reference { octets });
        }
        let value = u32::from_be_bytes([0, high, middle, low]);
        let reference = CallReference {
            to_originator: value > LAST_REFERENCE,
            value: value & LAST_REFERENCE,
        };
        let said = u16::from_be_bytes([length_high, length_low]);
        let there = rest.len();
        // What is behind the message is not part of it (5.6.2).
        let rest = rest
            .get(..usize::from(said))
            .ok_or(DecodeError::Length { said, there })?;
        let kind = MessageType::from_number(kind).ok_or(unknown_type(reference, kind, flags))?;
        Reading {
            reference,
            kind,
            elements: read(rest).ok_or(DecodeError::ManyElements)?,
            report: None,
        }
        .message()
    }
}

fn unknown_type(reference: CallReference, found: u8, flags: u8) -> DecodeError {
    match (flags & 0x10 != 0, flags & 0b11) {
        (true, 0b01) => DecodeError::Ignored,
        (instructed, action) => DecodeError::Type {
            reference,
            found,
            clear: instructed && action == 0b00,
        },
    }
}

impl<'a> Reading<'a> {
    fn message(mut self) -> Result<Decoded, DecodeError> {
        self.check()?;
        let body = match self.kind {
            MessageType::Setup => Body::Setup(self.setup()?),
            MessageType::CallProceeding => Body::CallProceeding,
            MessageType::Connect => Body::Connect {
                qos: self.need(
                    identifier::TRAFFIC_DESCRIPTOR,
                    Coding::Network,
                    read_traffic,
                )?,
            },
            MessageType::ConnectAcknowledge => Body::ConnectAcknowledge,
            MessageType::Release => {
                let reason = self.ended();
                if reason.is_none() && self.report.is_none() {
                    self.report(Cause::MandatoryElementMissing, identifier::CAUSE);
                }
                Body::Release {
                    reason: reason.unwrap_or(Cause::NormalUnspecified.into()),
                }
            }
            MessageType::ReleaseComplete => Body::ReleaseComplete {
                reason: self.ended(),
            },
            MessageType::StatusEnquiry => Body::StatusEnquiry,
            MessageType::Status => Body::Status {
                reason: self.need(identifier::CAUSE, Coding::ItuT, read_reason)?,
                state: self.need(identifier::CALL_STATE, Coding::ItuT, read_state)?,
            },
        };
        Ok(Decoded {
            message: Message {
                reference: self.reference,
                body,
            },
            report: self.report,
        })
    }

    /// Why a call ends, with words if there are any; words without a cause are of none.
    fn ended(&mut self) -> Option<Reason> {
        let reason = self.may(identifier::CAUSE, Coding::ItuT, read_reason);
        let words = self.may(identifier::WORDS, Coding::Network, read_words);
        Some(reason?.saying(&words.unwrap_or_default()))
    }

    fn setup(&mut self) -> Result<Setup, DecodeError> {
        let called = self.need(identifier::CALLED_PARTY_NUMBER, Coding::ItuT, read_address)?;
        let qos = self.need(
            identifier::TRAFFIC_DESCRIPTOR,
            Coding::Network,
            read_traffic,
        )?;
        if !self.need(identifier::BEARER_CAPABILITY, Coding::ItuT, read_bearer)? {
            let cause = Cause::BearerCapabilityNotImplemented;
            return Err(self.wrong(identifier::BEARER_CAPABILITY, cause));
        }
        self.need(identifier::QOS_PARAMETER, Coding::Network, |octets| {
            (octets == contents::qos_parameter(&qos)).then_some(())
        })?;
        let connection = self.need(
            identifier::CONNECTION_IDENTIFIER,
            Coding::Network,
            read_connection,
        )?;
        let calling = self.may(identifier::CALLING_PARTY_NUMBER, Coding::ItuT, read_address);
        let hops = self.may(identifier::HOPS, Coding::Network, read_hops);
        let found = self.elements.iter();
        let blli: Vec<Option<Vec<u8>>> = found
            .filter(|element| element.identifier == identifier::BLLI)
            .take(MOST_BLLI)
            .map(|element| element.contents(Coding::ItuT).and_then(read_blli))
            .collect();
        if blli.contains(&None) {
            self.report(Cause::InvalidElementContents, identifier::BLLI);
        }
        Ok(Setup {
            called,
            calling,
            qos,
            connection,
            blli: blli.into_iter().flatten().collect(),
            hops: hops.unwrap_or(0),
        })
    }

    /// That nothing is missing, and what becomes of elements that are not known here. Those of the messages that
    /// end a call are left out, whatever they say: it must end.
    fn check(&mut self) -> Result<(), DecodeError> {
        let known = known(self.kind);
        let missing = known.iter().find(|(identifier, mandatory)| {
            *mandatory && self.elements.iter().all(|e| e.identifier != *identifier)
        });
        if let Some((element, _)) = missing {
            return Err(self.wrong(*element, Cause::MandatoryElementMissing));
        }
        let ends = matches!(
            self.kind,
            MessageType::Release | MessageType::ReleaseComplete
        );
        let mut unknown = None;
        for element in &self.elements {
            if known
                .iter()
                .any(|(identifier, _)| *identifier == element.identifier)
            {
                continue;
            }
            let cause = Cause::ElementNonExistent;
            match element.action() {
                Action::ClearCall if !ends => {
                    let mut wrong = self.wrong(element.identifier, cause);
                    if let DecodeError::Element { clear, .. } = &mut wrong {
                        *clear = true;
                    }
                    return Err(wrong);
                }
                Action::DiscardMessage if !ends => return Err(DecodeError::Ignored),
                Action::DiscardMessageAndReport if !ends => {
                    return Err(self.wrong(element.identifier, cause));
                }
                Action::DiscardElementAndReport => unknown = Some(element.identifier),
                _ => {}
            }
        }
        if let Some(element) = unknown {
            self.report(Cause::ElementNonExistent, element);
        }
        Ok(())
    }

    fn report(&mut self, cause: Cause, element: u8) {
        self.report = Some(Reason::new(cause, &[element]));
    }

    fn wrong(&self, element: u8, cause: Cause) -> DecodeError {
        DecodeError::Element {
            reference: self.reference,
            kind: self.kind,
            element,
            cause,
            clear: false,
        }
    }

    /// The first element of this identifier: others are ignored (5.6.6.2).
    fn first(&self, identifier: u8) -> Option<&Element<'a>> {
        let mut elements = self.elements.iter();
        elements.find(|element| element.identifier == identifier)
    }

    /// What a mandatory element says.
    fn need<T>(
        &self,
        identifier: u8,
        coding: Coding,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, DecodeError> {
        self.first(identifier)
            .and_then(|element| element.contents(coding))
            .and_then(read)
            .ok_or_else(|| self.wrong(identifier, Cause::InvalidElementContents))
    }

    /// What another element says, if it is there; wrong contents are reported.
    fn may<T>(
        &mut self,
        identifier: u8,
        coding: Coding,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let read = self.first(identifier)?.contents(coding).and_then(read);
        if read.is_none() {
            self.report(Cause::InvalidElementContents, identifier);
        }
        read
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
