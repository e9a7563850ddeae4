//! What became of frames, by the port they came in by.
//!
//! Received = switched + punted + dropped, by cause, exactly.

macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident = $name:literal,)*) => {
        /// Why a frame that came in was dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Cause {
            $($(#[$doc])* $cause,)*
        }

        impl Cause {
            /// All of them, in order.
            pub const ALL: &'static [Cause] = &[$(Cause::$cause,)*];

            /// What its counter is called.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Cause::$cause => $name,)*
                }
            }
        }
    };
}

causes! {
    /// Too short for the header.
    Truncated = "truncated",
    /// Another EtherType or PI.
    Foreign = "foreign",
    /// Its port does not carry that virtual network.
    UnknownVn = "unknown_vn",
    /// For another station.
    OtherStation = "other_station",
    /// A label stack of more than one entry: S is not 1.
    Stack = "stack",
    /// A control word that does not begin with 0000, or whose length is not the frame's (RFC 4385 3).
    ControlWord = "control_word",
    /// A special-purpose label other than 1 (RFC 7274 2.1).
    ReservedLabel = "reserved_label",
    /// No connection has this label.
    UnknownLabel = "unknown_label",
    /// TTL (RFC 3032 2.4.1).
    Expired = "expired",
    /// Larger than the port it was to leave by carries.
    TooBig = "too_big",
    /// It came too early for what its connection was promised.
    Policed = "policed",
    /// Signalling, of which too much waits.
    PuntFull = "punt_full",
}

/// Causes there are.
const CAUSES: usize = Cause::ALL.len();

/// What became of frames at a port.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fates {
    /// Came in.
    pub received: u64,
    /// Of these, went on.
    pub switched: u64,
    /// Of these, were signalling and were taken.
    pub punted: u64,
    dropped: [u64; CAUSES],
    /// Frames of connections that left by it.
    pub sent: u64,
    /// PDUs of the host that left by it.
    pub injected: u64,
}

impl Fates {
    /// One was dropped.
    #[inline]
    pub(crate) fn drop(&mut self, cause: Cause) {
        if let Some(dropped) = self.dropped.get_mut(cause as usize) {
            *dropped += 1;
        }
    }

    /// Those that were dropped, by cause.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL.iter().copied().zip(self.dropped)
    }
}
