//! The states of a flow, what packets make of them, and how long each lasts.
//!
//! ```text
//! new          packets of the one who began it only
//! answered     the other end has answered
//! established  the one who began it has spoken again after that: both ends are there. It is not displaced
//!              for others, since whoever forges a source address does not know of the answer
//! closing      TCP: an end has sent FIN
//! reset        TCP: an end has sent RST; it may be displaced again
//! ```
//!
//! Sequence numbers are not looked at (RFC 9293 3.4 is for the ends). A SYN that comes to a closing or reset flow is
//! no packet of it: it asks for another connection, which the rules decide on.

use super::clock;
use super::limits::Timeouts;
use crate::packet::Fields;
use crate::packet::fields::{Upper, protocol};
use crate::units::Duration;

/// A state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    New,
    Answered,
    Established,
    Closing,
    Reset,
}

/// Kinds of flows that differ in how long they last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Tcp,
    Udp,
    Echo,
    Other,
    Fragments,
}

/// Class and state of a flow: `class * 8 + state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Phase(u8);

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// No state: the packet is not of this flow.
const ANOTHER: u8 = 7;

/// What of a packet moves the state: 0 nothing, 1 SYN without ACK, 2 FIN, 3 RST. By the low five TCP flags.
const KINDS: [u8; 32] = {
    let mut kinds = [0; 32];
    let mut flags = 0;
    while flags < 32 {
        let f = flags as u8;
        kinds[flags] = if f & RST != 0 {
            3
        } else if f & FIN != 0 {
            2
        } else if f & (SYN | ACK) == SYN {
            1
        } else {
            0
        };
        flags += 1;
    }
    kinds
};

/// The next state, by `state * 8 + kind * 2 + direction`; direction 1 is the answering one.
const NEXT: [u8; 64] = {
    const N: u8 = State::New as u8;
    const A: u8 = State::Answered as u8;
    const E: u8 = State::Established as u8;
    const C: u8 = State::Closing as u8;
    const R: u8 = State::Reset as u8;
    const X: u8 = ANOTHER;
    let rows = [
        // nothing, SYN, FIN, RST: of the first sender, and of the other end
        [N, A, N, A, N, C, N, R], // new: only an answer counts
        [E, A, A, A, C, C, R, R], // answered
        [E, E, E, E, C, C, R, R], // established; a stray SYN is the ends' affair (RFC 5961 4)
        [C, C, X, X, C, C, R, R], // closing
        [R, R, X, X, R, R, R, R], // reset
        [X; 8],
        [X; 8],
        [X; 8],
    ];
    let mut next = [0; 64];
    let mut at = 0;
    while at < 64 {
        next[at] = rows[at / 8][at % 8];
        at += 1;
    }
    next
};

/// Packets that leave the state as it is: by state, a bit for `TCP flags * 2 + direction`.
const STAYS: [u64; 8] = {
    let mut stays = [0; 8];
    let mut at = 0;
    while at < 8 * 64 {
        let (state, flags, direction) = (at / 64, at / 2 % 32, at % 2);
        if NEXT[state << 3 | (KINDS[flags] as usize) << 1 | direction] as usize == state {
            stays[state] |= 1 << (at % 64);
        }
        at += 1;
    }
    stays
};

impl Phase {
    /// Of no flow.
    pub const NONE: Self = Phase(0);

    /// That of a new flow of this protocol.
    #[inline]
    pub fn new(protocol: u8) -> Self {
        let class = match protocol {
            protocol::TCP => Class::Tcp,
            protocol::UDP | protocol::UDP_LITE => Class::Udp,
            protocol::ICMPV6 => Class::Echo,
            _ => Class::Other,
        };
        Phase((class as u8) << 3)
    }

    /// That of the fragments of a packet.
    #[inline]
    pub fn fragments() -> Self {
        Phase((Class::Fragments as u8) << 3)
    }

    /// The phase after a packet with these TCP flags (0 of other protocols); none if it is not of this flow.
    #[inline]
    pub fn after(self, answers: bool, tcp_flags: u8) -> Option<Self> {
        let kind = KINDS[usize::from(tcp_flags & 31)];
        let at = (self.0 & 7) << 3 | kind << 1 | u8::from(answers);
        let next = NEXT[usize::from(at & 63)];
        (next != ANOTHER).then_some(Phase(self.0 & !7 | next))
    }

    /// Whether [`after`](Self::after) a packet it is the same: TCP flags and, lowest, whether the packet answers.
    #[inline]
    pub fn stays(self, packet: u8) -> bool {
        STAYS[usize::from(self.0 & 7)] >> (packet & 63) & 1 != 0
    }

    #[inline]
    pub fn state(self) -> State {
        match self.0 & 7 {
            0 => State::New,
            1 => State::Answered,
            2 => State::Established,
            3 => State::Closing,
            _ => State::Reset,
        }
    }

    /// Whether it is a flow nobody has answered: what the limit by source counts.
    #[inline]
    pub fn is_unanswered(self) -> bool {
        self.0 & 7 == State::New as u8 && self != Self::fragments()
    }

    /// As it is listed.
    pub fn name(self) -> &'static str {
        if self == Self::fragments() {
            return "fragments";
        }
        match self.state() {
            State::New => "new",
            State::Answered => "answered",
            State::Established => "established",
            State::Closing => "closing",
            State::Reset => "reset",
        }
    }
}

/// Whether a flow may begin with `packet`. TCP connections begin with a SYN; one that was there before is picked up
/// at any segment with ACK that does not end it, as nf_conntrack does. An echo begins with its request. Later
/// fragments begin nothing.
pub(super) fn may_begin(packet: &Fields) -> bool {
    let flags = packet.tcp_flags & (FIN | SYN | RST | ACK);
    match packet.protocol {
        _ if packet.upper == Upper::LaterFragment => false,
        protocol::TCP => flags == SYN || flags == ACK,
        protocol::ICMPV6 => packet.source_port == super::key::ECHO_REQUEST,
        _ => true,
    }
}

/// How long each phase lasts, in steps of the clock of flows.
#[derive(Debug, Clone)]
pub(super) struct Lasting([u32; 64]);

impl Lasting {
    pub fn new(timeouts: &Timeouts) -> Self {
        let steps = |time: Duration| clock::steps(time.0);
        let t = timeouts;
        let mut lasting = [0; 64];
        let mut set = |class: Class, times: [Duration; 5]| {
            for (state, time) in times.into_iter().enumerate() {
                lasting[(class as usize) << 3 | state] = steps(time);
            }
        };
        set(
            Class::Tcp,
            [
                t.tcp_new,
                t.tcp_new,
                t.tcp_established,
                t.tcp_closing,
                t.tcp_reset,
            ],
        );
        set(Class::Udp, [t.udp, t.udp, t.udp_established, t.udp, t.udp]);
        set(Class::Echo, [t.icmp_echo; 5]);
        set(Class::Other, [t.other; 5]);
        set(Class::Fragments, [t.fragment; 5]);
        Lasting(lasting)
    }

    #[inline]
    pub fn of(&self, phase: Phase) -> u32 {
        self.0[usize::from(phase.0 & 63)]
    }
}
