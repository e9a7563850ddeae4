//! Times of call control, named and set as in ITU-T Q.2931 7 (tables 7-1 and 7-2).

/// Times of call control, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// T303: SETUP sent, and nothing heard. SETUP is repeated once.
    pub t303_ns: u64,
    /// T308: RELEASE sent, and nothing heard. RELEASE is repeated once.
    pub t308_ns: u64,
    /// T309: the link is down. All calls are released when it runs out.
    pub t309_ns: u64,
    /// T310: CALL PROCEEDING heard, and no CONNECT. Holds the time an application may take to accept.
    pub t310_ns: u64,
    /// T313: CONNECT sent, and no CONNECT ACKNOWLEDGE heard.
    pub t313_ns: u64,
    /// T322: STATUS ENQUIRY sent, and no STATUS heard. STATUS ENQUIRY is repeated once.
    pub t322_ns: u64,
}

const S: u64 = 1_000_000_000;

impl Default for Timers {
    fn default() -> Self {
        Self {
            t303_ns: 4 * S,
            t308_ns: 30 * S,
            t309_ns: 10 * S,
            // The user's value, 30 to 120 s: a person or a program accepts at the far end.
            t310_ns: 60 * S,
            t313_ns: 4 * S,
            t322_ns: 4 * S,
        }
    }
}
