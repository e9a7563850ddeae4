//! Times of the link layer, named as in ITU-T Q.2110 7.6. They never depend on what is heard.

/// Times of a link, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Timer_CC: between two BGN while the neighbour does not answer.
    pub connection_control_ns: u64,
    /// Timer_KEEP-ALIVE: a POLL goes out when nothing was heard for so long.
    pub keep_alive_ns: u64,
    /// Timer_NO-RESPONSE: the link is down when nothing was heard for so long.
    pub no_response_ns: u64,
    /// The first wait for the acknowledgement of an SD; it doubles with each repetition, four times at most.
    pub retransmit_ns: u64,
}

const MS: u64 = 1_000_000;

impl Default for Timers {
    /// A dead neighbour is noticed within 3 s, and five POLLs may get lost before.
    fn default() -> Self {
        Self {
            connection_control_ns: 500 * MS,
            keep_alive_ns: 500 * MS,
            no_response_ns: 3000 * MS,
            retransmit_ns: 50 * MS,
        }
    }
}
