//! Requests, done and answered.
//!
//! ```text
//! change   items added, replaced, deleted
//! ask      where a packet would go; what is to be forgotten
//! list/    what there is, a page at a time
//! ```

mod ask;
mod change;
mod list;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::request::{Answer, Op, Request};
use crate::control::Item;
use crate::router::Running;
use list::Wanted;

impl Running {
    /// Does what `request` asks.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is allowed.
    pub(crate) fn request(&mut self, now_ns: u64, request: &Value) -> Result<Value, String> {
        self.now_ns = self.now_ns.max(now_ns);
        let request: Request =
            serde_path_to_error::deserialize(request).map_err(|error| error.to_string())?;
        let answer = match request {
            Request::Change { op, items } => self.changes(op, &items),
            Request::List {
                what,
                vn,
                of,
                after,
                most,
            } => self.list(&Wanted {
                what,
                vn,
                of: of.as_deref(),
                after: after.as_deref(),
                most: most.clamp(1, list::MOST) as usize,
            })?,
            Request::RouteGet { to, vn } => self.route_get(to, vn)?,
            Request::Flush { what, vn, of } => self.flush(what, vn, of.as_deref())?,
            Request::Replayed {} => self.replayed()?,
        };
        serde_json::to_value(answer).map_err(|error| error.to_string())
    }

    /// One change after the other; the first that cannot be ends it. Those of rules are in force when
    /// [`work`](Self::work) is done: the runtime answers then.
    fn changes(&mut self, op: Op, items: &[Item]) -> Answer {
        let mut done = Vec::new();
        let mut error = None;
        for item in items {
            match self.change(op, item) {
                Ok(item) => done.push(item),
                Err(refusal) => {
                    error = Some(refusal);
                    break;
                }
            }
        }
        Answer::Changed {
            items: done,
            kind: error.as_ref().map(|refusal| refusal.kind),
            error: error.map(|refusal| refusal.what),
        }
    }

    /// All that was changed before has been told again: it is brought into force, and packets are forwarded.
    fn replayed(&mut self) -> Result<Answer, String> {
        // Nothing passes meanwhile, so it need not be done in slices.
        while !self.work(u32::MAX) {}
        if self.filter.is_starved() {
            let what = "no memory to bring the filter's rules into force; give the guest more";
            return Err(what.to_string());
        }
        self.filter.hold(false);
        Ok(Answer::Replayed {})
    }
}
