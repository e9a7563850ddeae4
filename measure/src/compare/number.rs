//! Numbers as C's `%g` prints them, which ministat(1) uses.

/// `%.{digits}g` (ISO C 7.21.6.1): so many significant digits, without zeros at the end; with an exponent where it is
/// below -4 or not below `digits`.
#[must_use]
pub fn general(value: f64, digits: u8) -> String {
    if !value.is_finite() {
        let sign = if value.is_sign_negative() { "-" } else { "" };
        return format!("{sign}{}", if value.is_nan() { "nan" } else { "inf" });
    }
    let digits = usize::from(digits.max(1));
    // The exponent is that of the rounded value: 999999.9 has six digits and becomes 1e+06.
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let precision = i32::try_from(digits).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= precision {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs());
    }
    let behind = usize::try_from(precision - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{value:.behind$}")).to_owned()
}

/// Without zeros behind the point, and without a point that nothing is behind.
fn trimmed(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As printf(1) of coreutils prints them, which is C's.
    #[test]
    fn as_c_prints_them() {
        let six = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (100_000.0, "100000"),
            (999_999.0, "999999"),
            (999_999.4, "999999"),
            (999_999.5, "1e+06"),
            (1e6, "1e+06"),
            (1_136_710.9, "1.13671e+06"),
            (440_068.3, "440068"),
            (0.000_1, "0.0001"),
            (0.000_099_999_99, "0.0001"),
            (0.000_012_345_678, "1.23457e-05"),
            (0.163_429_04, "0.163429"),
            (1e-300, "1e-300"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            // Half to even on the exact value: 2.5 and 0.5 are exact doubles.
            (2.5, "2.5"),
            (1_234_565.0, "1.23456e+06"),
            (1_234_575.0, "1.23458e+06"),
        ];
        for (value, printed) in six {
            assert_eq!(general(value, 6), printed);
        }
        let eight = [
            (4_648_293.8, "4648293.8"),
            (94_545.404, "94545.404"),
            (10_939_210.0, "10939210"),
            (123_456_789.0, "1.2345679e+08"),
        ];
        for (value, printed) in eight {
            assert_eq!(general(value, 8), printed);
        }
        assert_eq!((general(2.5, 1), general(3.5, 1)), ("2".into(), "4".into()));
        assert_eq!(general(9.9, 0), "1e+01");
    }
}
