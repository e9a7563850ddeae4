//! What becomes of the items of a body: done, or refused with the place.

use axum::http::StatusCode;
use pinode_guest_ipv6qos::control::Item;
use pinode_guest_ipv6qos::control::refusal::Kind;
use pinode_guest_ipv6qos::control::request::Op;
use serde_json::Value;

use super::super::problem::Refusal;
use crate::ipv6::router::Reason;
use crate::ipv6::{Router, Stopped};

/// Most items of a body.
pub(super) const ITEMS_MOST: usize = 65_536;
/// Most octets of a body.
pub(super) const OCTETS_MOST: usize = 32 << 20;

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
}
