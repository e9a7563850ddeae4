//! The two registers by which a guest ends itself: the ACPI sleep/reset register and the keyboard controller's
//! reset pulse (what Linux writes with `reboot=k`).

/// I/O port of the ACPI sleep control, sleep status and reset registers (one octet, all the same).
pub const PORT: u16 = 0x600;
/// Value that resets.
pub const RESET: u8 = 1;
/// `SLP_TYP` of S5 (off).
pub const SLEEP_TYPE_OFF: u8 = 5;
/// `SLP_EN` beside `SLP_TYP` in the sleep control register (ACPI 6.5, 4.8.3.7).
const SLEEP: u8 = SLEEP_TYPE_OFF << 2 | 1 << 5;
/// Command port of the keyboard controller.
pub const KEYBOARD: u16 = 0x64;
/// Its command that pulses the reset line.
const PULSE_RESET: u8 = 0xfe;

/// Why a guest ended of its own will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It switched itself off.
    Shutdown,
    /// It asked for a reset.
    Reset,
}

/// What a write to an I/O port means for the machine.
pub fn decode(port: u16, value: u8) -> Option<StopReason> {
    match (port, value) {
        (PORT, SLEEP) => Some(StopReason::Shutdown),
        (PORT, RESET) | (KEYBOARD, PULSE_RESET) => Some(StopReason::Reset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_values_end_a_guest() {
        assert_eq!(decode(PORT, 0x34), Some(StopReason::Shutdown));
        assert_eq!(decode(PORT, 1), Some(StopReason::Reset));
        assert_eq!(decode(0x64, 0xfe), Some(StopReason::Reset));
        let ends = (0..=0xff)
            .filter(|value| decode(PORT, *value).is_some())
            .count();
        assert_eq!(ends, 2);
    }
}
