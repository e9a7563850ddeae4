//! Numbers as people read them. Must never make a figure of what is no number.

/// Thousands apart by a narrow space.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// With this many decimals, thousands apart, a true minus sign.
pub fn fixed(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.decimals$}", x.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let zero = text.bytes().all(|b| b == b'0' || b == b'.');
    let sign = if x < 0.0 && !zero { "−" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    if rest.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest}")
    }
}

/// As [`fixed`], with a plus sign where it is more than nothing.
pub fn signed(x: f64, decimals: usize) -> String {
    let text = fixed(x, decimals);
    if x > 0.0 { format!("+{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_people_read_them() {
        assert_eq!(
            [count(0), count(999), count(1_234_567)],
            ["0", "999", "1\u{202f}234\u{202f}567"]
        );
        assert_eq!(fixed(12_345.67, 1), "12\u{202f}345.7");
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-3.2, 0), "−3");
        assert_eq!(fixed(f64::NAN, 1), "–");
        assert_eq!([signed(2.0, 1), signed(-2.0, 1)], ["+2.0", "−2.0"]);
    }
}
