//! Bodies of changes: an item, or a list of them; each mistake with its place.

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Refusal;

/// The items of a body, `most` at most.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], most: usize) -> Result<Vec<T>, Refusal> {
    let bad = |at: &str, what: String| Refusal::new(StatusCode::BAD_REQUEST, at, what);
    let body: Value =
        serde_json::from_slice(body).map_err(|error| bad("body", error.to_string()))?;
    let values = match body {
        Value::Array(values) => values,
        value @ Value::Object(_) => vec![value],
        _ => {
            return Err(bad(
                "body",
                "allowed: an item, or an array of items".to_owned(),
            ));
        }
    };
    if values.len() > most {
        let what = format!("{} items; allowed: {most}", values.len());
        return Err(bad("items", what));
    }
    let read = |(index, value): (usize, &Value)| {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let inside = error.path().to_string();
            let dot = if inside.starts_with('[') { "" } else { "." };
            let at = match inside.as_str() {
                "." => format!("items[{index}]"),
                inside => format!("items[{index}]{dot}{inside}"),
            };
            let what = error.inner().to_string();
            bad(&at, what.replace(", expected ", "; allowed: "))
        })
    };
    values.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinode_guest_ipv6qos::control::item::FilterRule;

    const MOST: usize = 3;

    fn problem(body: &str) -> (u16, String) {
        let Refusal(status, problem) = read::<FilterRule>(body.as_bytes(), MOST).unwrap_err();
        (status.as_u16(), format!("{}: {}", problem.at, problem.what))
    }

    #[test]
    fn one_item_or_many() {
        let one = br#"{"action":"drop"}"#;
        assert_eq!(read::<FilterRule>(one, MOST).unwrap().len(), 1);
        let two = br#"[{"action":"drop"},{"priority":1,"action":"accept"}]"#;
        assert_eq!(read::<FilterRule>(two, MOST).unwrap().len(), 2);
    }

    #[test]
    fn a_mistake_has_its_place() {
        let good = r#"{"action":"drop"}"#;
        for (body, at, what) in [
            ("{", "body", "EOF"),
            ("7", "body", "allowed: an item"),
            (&format!("[{good},7]"), "items[1]", "invalid type"),
            (
                &format!("[{good},{{}}]"),
                "items[1]",
                "missing field `action`",
            ),
            (
                r#"[{"action":"dorp"}]"#,
                "items[0].action",
                "allowed: one of `accept`",
            ),
            (
                r#"[{"action":"drop","match":{"to":"2001:db8::1/32"}}]"#,
                "items[0].match.to",
                "allowed: 2001:db8::/32",
            ),
            (
                r#"[{"action":"drop","match":{"form":"::/0"}}]"#,
                "items[0].match.form",
                "unknown field `form`; allowed: one of",
            ),
        ] {
            let (status, problem) = problem(body);
            assert_eq!(status, 400);
            assert!(problem.starts_with(&format!("{at}: ")), "{problem}");
            assert!(problem.contains(what), "{problem}");
        }
    }
}
