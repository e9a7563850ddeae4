//! An address of the router: verified before it is used (RFC 4862 5.4), and told to the link when it is.

use super::cache::RETRANS_NS;
use super::outbox::{Event, Message, Outbox};
use super::random::Random;
use crate::control::view::AddressState;
use crate::icmp::Nonce;
use crate::prefix::InterfaceAddress;
use crate::vn::InterfaceId;

/// Most addresses of an interface, its link-local one among them.
pub const ADDRESSES: usize = 17;

/// Longest delay of the first probe: `MAX_RTR_SOLICITATION_DELAY` (RFC 4861 10), so that what starts at the same
/// time does not speak at the same time.
const DELAY_NS: u64 = 1_000_000_000;

/// What is to be done with an address next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Ask whether somebody has it.
    Probe,
    /// Nobody answered: use it.
    Use,
    /// Tell the caller and the link.
    Tell,
    /// Nothing.
    Rest,
}

/// An address of the router.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) address: InterfaceAddress,
    pub(super) state: AddressState,
    step: Step,
    due_ns: u64,
    /// Of the probe that was sent (RFC 7527 4.1).
    nonce: Option<Nonce>,
}

impl Own {
    /// A new one; in use at once if it need not be verified.
    pub(super) fn new(
        now_ns: u64,
        address: InterfaceAddress,
        verify: bool,
        random: &mut Random,
    ) -> Self {
        let (state, step, delay_ns) = if verify {
            let delay_ns = random.between(0, DELAY_NS);
            (AddressState::Tentative, Step::Probe, delay_ns)
        } else {
            (AddressState::Preferred, Step::Tell, 0)
        };
        Own {
            address,
            state,
            step,
            due_ns: now_ns.saturating_add(delay_ns),
            nonce: None,
        }
    }

    /// It is `now_ns`. Gives when it is to be looked at next.
    pub(super) fn tick<F>(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        random: &mut Random,
        out: &mut Outbox<F>,
    ) -> u64 {
        while self.step != Step::Rest && self.due_ns <= now_ns {
            if !out.has_room(interface) {
                return now_ns;
            }
            self.step(now_ns, interface, random, out);
        }
        if self.step == Step::Rest {
            u64::MAX
        } else {
            self.due_ns
        }
    }

    fn step<F>(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        random: &mut Random,
        out: &mut Outbox<F>,
    ) {
        let target = self.address.address;
        self.step = match self.step {
            Step::Probe => {
                let nonce = new_nonce(random);
                self.nonce = Some(nonce);
                self.due_ns = now_ns.saturating_add(RETRANS_NS);
                let probe = Message::Solicitation {
                    source: 0,
                    target,
                    to: None,
                    nonce: Some(nonce),
                };
                out.send(interface, probe);
                Step::Use
            }
            Step::Use => {
                self.state = AddressState::Preferred;
                Step::Tell
            }
            Step::Tell => {
                // There is room: it was looked at.
                let event = match self.state {
                    AddressState::Duplicated => Event::Duplicated(interface, target),
                    AddressState::Preferred | AddressState::Tentative => {
                        // Who knew the address of another MAC address learns at once (RFC 4861 7.2.6).
                        out.send(interface, Message::Advertisement { target, to: None });
                        Event::Preferred(interface, target)
                    }
                };
                if out.events.try_push(event).is_err() {
                    out.lost += 1;
                }
                Step::Rest
            }
            Step::Rest => Step::Rest,
        };
    }

    /// A probe left only now: its answer is waited for from now on.
    pub(super) fn probed(&mut self, now_ns: u64, nonce: Option<Nonce>) {
        if self.step == Step::Use && nonce == self.nonce {
            self.due_ns = now_ns.saturating_add(RETRANS_NS);
        }
    }

    /// Somebody probes for the address, or claims it (RFC 4862 5.4.3, 5.4.4): while it is verified, it is not ours,
    /// unless that is our own probe (`nonce`) come back (RFC 7527 4.2). True: that changed it.
    pub(super) fn is_claimed(&mut self, now_ns: u64, nonce: Option<Nonce>) -> bool {
        let is_ours = nonce.is_some() && nonce == self.nonce;
        let lost = self.state == AddressState::Tentative && !is_ours;
        if lost {
            self.state = AddressState::Duplicated;
            self.step = Step::Tell;
            self.due_ns = now_ns;
        }
        lost
    }
}

/// Sixteen bits of each of three numbers: what is shown on the link does not tell the numbers to come.
fn new_nonce(random: &mut Random) -> Nonce {
    let mut nonce = [0; 6];
    for pair in nonce.chunks_exact_mut(2) {
        let [a, b, ..] = random.next().to_be_bytes();
        pair.copy_from_slice(&[a, b]);
    }
    nonce
}
