//! Octets of messages, ITU-T Q.2931 4.1.
//!
//! | octets | field |
//! |---|---|
//! | 0 | protocol discriminator, 9 |
//! | 1 | octets of the call reference, 3 |
//! | 2..4 | call reference: flag 1 bit, value 23 bits |
//! | 5 | message type |
//! | 6 | bit 8: 1; bit 5: whether bits 2, 1 say what is to be done by who does not understand the type: 00 clear the call, 01 discard, 10 discard and report |
//! | 7..8 | octets of what follows |
//! | 9.. | information elements |

use alloc::vec::Vec;

use super::contents;
use super::element::{Coding, identifier, write};
use super::message::{Body, LAST_REFERENCE, Message};
use super::reason::Reason;

/// Protocol discriminator of Q.2931.
pub const DISCRIMINATOR: u8 = 9;
/// Octets of a call reference.
pub(super) const REFERENCE_OCTETS: u8 = 3;
/// No instruction.
const TYPE_FLAGS: u8 = 0x80;

impl Message {
    /// Its octets: 400 at most.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let elements = self.body.elements();
        let flag = u32::from(self.reference.to_originator) << 23;
        let [_, high, middle, low] = (flag | self.reference.value & LAST_REFERENCE).to_be_bytes();
        let mut octets = Vec::with_capacity(9 + elements.len());
        octets.extend_from_slice(&[DISCRIMINATOR, REFERENCE_OCTETS, high, middle, low]);
        octets.extend_from_slice(&[self.body.kind().number(), TYPE_FLAGS]);
        octets.extend_from_slice(&(elements.len() as u16).to_be_bytes());
        octets.extend_from_slice(&elements);
        octets
    }
}

impl Body {
    fn elements(&self) -> Vec<u8> {
        let mut to = Vec::new();
        let cause = |to: &mut Vec<u8>, reason: &Reason| {
            write(
                to,
                identifier::CAUSE,
                Coding::ItuT,
                &contents::reason(reason),
            );
        };
        let ended = |to: &mut Vec<u8>, reason: &Reason| {
            cause(to, reason);
            if !reason.words().is_empty() {
                write(
                    to,
                    identifier::WORDS,
                    Coding::Network,
                    reason.words().as_bytes(),
                );
            }
        };
        match self {
            Self::Setup(setup) => {
                let traffic = contents::traffic(&setup.qos);
                write(
                    &mut to,
                    identifier::TRAFFIC_DESCRIPTOR,
                    Coding::Network,
                    &traffic,
                );
                let bearer = contents::bearer(&setup.qos);
                write(
                    &mut to,
                    identifier::BEARER_CAPABILITY,
                    Coding::ItuT,
                    &bearer,
                );
                for blli in &setup.blli {
                    write(&mut to, identifier::BLLI, Coding::ItuT, blli);
                }
                if setup.hops > 0 {
                    write(&mut to, identifier::HOPS, Coding::Network, &[setup.hops]);
                }
                let called = contents::address(&setup.called);
                write(
                    &mut to,
                    identifier::CALLED_PARTY_NUMBER,
                    Coding::ItuT,
                    &called,
                );
                if let Some(calling) = &setup.calling {
                    let calling = contents::address(calling);
                    write(
                        &mut to,
                        identifier::CALLING_PARTY_NUMBER,
                        Coding::ItuT,
                        &calling,
                    );
                }
                let connection = contents::connection(setup.connection);
                write(
                    &mut to,
                    identifier::CONNECTION_IDENTIFIER,
                    Coding::Network,
                    &connection,
                );
                let qos = contents::qos_parameter(&setup.qos);
                write(&mut to, identifier::QOS_PARAMETER, Coding::Network, &qos);
            }
            Self::Connect { qos } => {
                let traffic = contents::traffic(qos);
                write(
                    &mut to,
                    identifier::TRAFFIC_DESCRIPTOR,
                    Coding::Network,
                    &traffic,
                );
            }
            Self::Release { reason } => ended(&mut to, reason),
            Self::ReleaseComplete { reason } => {
                if let Some(reason) = reason {
                    ended(&mut to, reason);
                }
            }
            Self::Status { reason, state } => {
                cause(&mut to, reason);
                write(
                    &mut to,
                    identifier::CALL_STATE,
                    Coding::ItuT,
                    &[state.number()],
                );
            }
            Self::CallProceeding | Self::ConnectAcknowledge | Self::StatusEnquiry => {}
        }
        to
    }
}
