//! Values as Python writes them.

/// A text as a Python literal: ASCII, whatever it holds.
pub(super) fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out += &format!("\\U{:08x}", u32::from(c)),
        }
    }
    out.push('"');
    out
}

/// A finite number that Python reads back as the same one.
pub(super) fn number(number: f64) -> String {
    format!("{number:?}")
}
