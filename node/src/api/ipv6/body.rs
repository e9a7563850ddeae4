//! Bodies of changes: an item, or a list of them; each mistake with its place.

use axum::http::StatusCode;
use pinode_guest_ipv6qos::control::Item;
use pinode_guest_ipv6qos::control::refusal::Kind;
use pinode_guest_ipv6qos::control::request::Op;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::problem::Refusal;
use crate::ipv6::router::Reason;
use crate::ipv6::{Router, Stopped};

/// Most items of a body.
pub(super) const ITEMS_MOST: usize = 65_536;
/// Most octets of a body.
pub(super) const OCTETS_MOST: usize = 32 << 20;

/// The items of a body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, Refusal> {
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
    if values.len() > ITEMS_MOST {
        let what = format!("{} items; allowed: {ITEMS_MOST}", values.len());
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

/// Has the router do it, and shows the items as they are now, without their kind.
pub(super) fn change(router: &Router<'_>, op: Op, items: &[Item]) -> Result<Vec<Value>, Refusal> {
    match router.change(op, items) {
        Ok(now) => Ok(now.iter().map(bare).collect()),
        Err(stopped) => Err(refusal(stopped)),
    }
}

/// Where it stopped, why, and what stays done.
fn refusal(Stopped { done, why }: Stopped) -> Refusal {
    let done = done.len();
    let (status, what) = match why {
        Reason::Item(Kind::Conflict, what) => (StatusCode::CONFLICT, what),
        Reason::Item(Kind::Invalid, what) => (StatusCode::UNPROCESSABLE_ENTITY, what),
        Reason::Guest(error) if done == 0 => return error.into(),
        Reason::Guest(error) => (Refusal::from(error.clone()).0, error.to_string()),
    };
    let before = match done {
        0 => String::new(),
        1 => "; items[0] is done".to_owned(),
        done => format!("; items[0] to items[{}] are done", done - 1),
    };
    Refusal::new(status, format!("items[{done}]"), what + &before)
}

/// An item without the name of its kind.
fn bare(item: &Item) -> Value {
    match serde_json::to_value(item) {
        Ok(Value::Object(kinds)) => kinds.into_iter().next().map_or(Value::Null, |(_, it)| it),
        Ok(other) => other,
        // Items hold nothing that JSON cannot carry.
        Err(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinode_guest_ipv6qos::control::item::FilterRule;

    fn problem(body: &str) -> (u16, String) {
        let Refusal(status, problem) = read::<FilterRule>(body.as_bytes()).unwrap_err();
        (status.as_u16(), format!("{}: {}", problem.at, problem.what))
    }

    #[test]
    fn what_is_in_the_way_is_told_from_a_mistake_whatever_the_words_are() {
        let refused = |kind, done: usize| {
            let item: FilterRule = serde_json::from_str(r#"{"action":"drop"}"#).unwrap();
            let done = vec![Item::Filter(item); done];
            let why = Reason::Item(kind, "there is no word for it".to_owned());
            let Refusal(status, problem) = refusal(Stopped { done, why });
            (status.as_u16(), problem.at, problem.what)
        };
        let (status, at, what) = refused(Kind::Invalid, 0);
        assert_eq!((status, at.as_str()), (422, "items[0]"));
        assert_eq!(what, "there is no word for it");
        let (status, at, what) = refused(Kind::Conflict, 2);
        assert_eq!((status, at.as_str()), (409, "items[2]"));
        assert!(what.ends_with("; items[0] to items[1] are done"), "{what}");
    }

    #[test]
    fn one_item_or_many() {
        let one = br#"{"action":"drop"}"#;
        assert_eq!(read::<FilterRule>(one).unwrap().len(), 1);
        let two = br#"[{"action":"drop"},{"priority":1,"action":"accept"}]"#;
        assert_eq!(read::<FilterRule>(two).unwrap().len(), 2);
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
