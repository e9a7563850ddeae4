//! Lists, which may have millions of entries, as one JSON array in many pieces: of what is listed no more is in the
//! node's memory than a page that waits for the reader and a page that the router is asked for.
//!
//! Must never end a list that was cut off as if it were whole: the connection breaks instead.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use pinode_guest_ipv6qos::Vn;
use pinode_guest_ipv6qos::control::request::Kind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::super::problem::Refusal;
use super::super::routes::ask;
use crate::control::{Control, ControlError};
use crate::ipv6::Router;
use crate::ipv6::router::LISTED_MOST;

/// A list of a router.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The router.
    pub guest: String,
    /// Of which kind.
    pub what: Kind,
    /// Only of this virtual network.
    pub vn: Option<Vn>,
    /// Only of this interface, or, of tables, of this table.
    pub of: Option<String>,
}

/// The list, whose entries are `V`s. What is wrong with the question shows by the first page: it is a refusal then.
pub(super) async fn listed<V>(control: Arc<dyn Control>, asked: Asked) -> Result<Response, Refusal>
where
    V: DeserializeOwned + Serialize + Send + 'static,
{
    let mut text = vec![b'['];
    let first = page::<V>(&control, &asked, None).await?;
    let (mut count, mut next) = (first.0.len(), first.1);
    write(&mut text, &first.0)?;
    drop(first.0);
    let body = match &next {
        None => {
            text.push(b']');
            Body::from(text)
        }
        Some(_) => {
            // One page waits for the reader, and one is made: so a slow reader holds up its own list alone.
            let (sender, pieces) = mpsc::channel(1);
            tokio::spawn(async move {
                let mut piece = Ok(Bytes::from(text));
                loop {
                    let is_last = piece.is_err() || next.is_none();
                    if sender.send(piece).await.is_err() || is_last {
                        return;
                    }
                    let more = page::<V>(&control, &asked, next.take()).await;
                    piece = more.map_err(|Refusal(_, problem)| problem.what).and_then(
                        |(entries, behind)| {
                            count += entries.len();
                            if count > LISTED_MOST {
                                return Err("the router's list has no end".to_owned());
                            }
                            let mut text = Vec::new();
                            // A page may be empty though others follow, the first too.
                            if !entries.is_empty() && count > entries.len() {
                                text.push(b',');
                            }
                            write(&mut text, &entries)
                                .map_err(|Refusal(_, problem)| problem.what)?;
                            if behind.is_none() {
                                text.push(b']');
                            }
                            next = behind;
                            Ok(Bytes::from(text))
                        },
                    );
                }
            });
            Body::new(Pieces(pieces))
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// A page: its entries, and where the next begins.
async fn page<V: DeserializeOwned + Send + 'static>(
    control: &Arc<dyn Control>,
    asked: &Asked,
    after: Option<String>,
) -> Result<(Vec<V>, Option<String>), Refusal> {
    let asked = asked.clone();
    ask(Arc::clone(control), move |node| {
        let Asked {
            guest,
            what,
            vn,
            of,
        } = asked;
        Router::of(node, &guest)?.page(what, vn, of.as_deref(), after)
    })
    .await
}

/// The entries of an array, without its brackets.
fn write<V: Serialize>(text: &mut Vec<u8>, entries: &[V]) -> Result<(), Refusal> {
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut *text, entry).map_err(|error| {
            Refusal::from(ControlError::Failed {
                at: "node".to_owned(),
                what: error.to_string(),
            })
        })?;
    }
    Ok(())
}

/// Pieces of a body, the last of which may be why there are no more.
struct Pieces(mpsc::Receiver<Result<Bytes, String>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
