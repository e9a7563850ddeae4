//! Causes of Q.2931 as error codes of the internal protocol, and back.
//!
//! Codes down to -511 are left to the operating system's (errno); a cause is -512 less its number, so that an
//! application is told exactly why its call was refused.

use crate::isp::ErrorCode;
use crate::q2931::Cause;

const CAUSES: i32 = -512;

/// The error code of a cause.
#[must_use]
pub fn code(cause: Cause) -> Option<ErrorCode> {
    ErrorCode::new(CAUSES - i32::from(cause.number()))
}

/// The cause of an error code; of the operating system's none.
#[must_use]
pub fn cause(code: ErrorCode) -> Option<Cause> {
    let number = CAUSES.checked_sub(code.get())?;
    match u8::try_from(number) {
        Ok(number @ 1..=127) => Some(Cause::from_number(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for &known in Cause::ALL {
            assert_eq!(code(known).and_then(cause), Some(known));
        }
        for no_cause in [-1, -111, -511, -512, -512 - 128, i32::MIN] {
            assert_eq!(ErrorCode::new(no_cause).and_then(cause), None);
        }
    }
}
