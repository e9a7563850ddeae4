//! `pinode dss`: connections of PI DSS.
//!
//! ```text
//! args   what clap reads
//! show   neighbours and calls as text
//! daemon the daemon of a node or a host
//! stream connections of this host
//! pipe   stdin and stdout on one
//! ```

pub(super) mod args;
mod daemon;
mod pipe;
mod show;
mod stream;

use pinode_signaling::daemon::view::CallView;
use serde_json::Value;

use self::args::{Dss, OneCall, Route, Switch};
use super::change::segment;
use super::client::{Client, ClientError};
use super::failure::Failure;
use super::{print, print_json};
use crate::api::CallRoute;
use crate::dss::{GUEST, Shown};
use crate::status::GuestStatus;

pub(super) fn run(args: Dss) -> Result<(), Failure> {
    match args {
        Dss::List(args) => {
            let shown = Signalling::find(&args.switch)?.shown()?;
            if args.format.json {
                print_json(&shown)
            } else {
                print(&show::all(&shown))
            }
        }
        Dss::Show(args) => {
            let call = call(&args)?;
            if args.format.json {
                print_json(&call)
            } else {
                print(&show::one(&call))
            }
        }
        Dss::Close(args) => {
            let signalling = Signalling::find(&args.switch)?;
            let path = format!("{}/calls/{}", signalling.path, args.call);
            let done: Value = signalling.client.delete(&path)?;
            if args.format.json {
                print_json(&done)
            } else {
                Ok(())
            }
        }
        Dss::Route(route) => {
            let (method, route) = match route {
                Route::Add(route) => (hyper::Method::POST, route),
                Route::Del(route) => (hyper::Method::DELETE, route),
            };
            let signalling = Signalling::find(&route.switch)?;
            let path = format!("{}/routes", signalling.path);
            let (prefix, port) = (route.prefix, route.port);
            let body = CallRoute { prefix, port };
            let _: Value = signalling.client.send(method, &path, &body)?;
            Ok(())
        }
        Dss::Pipe(args) => pipe::pipe(&args),
        Dss::Connect(args) => stream::connect(&args),
        Dss::Listen(args) => stream::listen(&args),
        Dss::Daemon(args) => daemon::run(args),
    }
}

/// The signalling of a running node.
struct Signalling {
    client: Client,
    /// Where it is in the API.
    path: String,
}

impl Signalling {
    fn find(switch: &Switch) -> Result<Self, Failure> {
        let client = Client::new(switch.node.socket.as_deref())?;
        let guest = match &switch.guest {
            Some(name) => name.clone(),
            None => only_switch(&client.get::<Vec<GuestStatus>>("/v1/guests")?)?,
        };
        let path = format!("/v1/guests/{}/dss", segment("guest", &guest)?);
        Ok(Self { client, path })
    }

    /// All of it, page by page.
    fn shown(&self) -> Result<Shown, ClientError> {
        let mut shown = self.behind(0)?;
        while let Some(last) = shown.daemon.calls.last().map(|call| call.id) {
            let more = self.behind(last)?.daemon.calls;
            if more.is_empty() {
                break;
            }
            shown.daemon.calls.extend(more);
        }
        Ok(shown)
    }

    fn behind(&self, after: u64) -> Result<Shown, ClientError> {
        self.client.get(&format!("{}?after={after}", self.path))
    }
}

fn only_switch(guests: &[GuestStatus]) -> Result<String, Failure> {
    let image = format!("builtin:{GUEST}");
    let names = guests.iter().filter(|guest| guest.image == image);
    let names: Vec<&str> = names.map(|guest| guest.pi.as_str()).collect();
    match names[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(Failure::Usage(format!("this node runs no {image}"))),
        _ => Err(Failure::Usage(format!(
            "several guests are {image}; choose one with --guest: {}",
            names.join(", ")
        ))),
    }
}

fn call(args: &OneCall) -> Result<CallView, Failure> {
    let shown = Signalling::find(&args.switch)?.behind(args.call.saturating_sub(1))?;
    let mut calls = shown.daemon.calls.into_iter();
    calls
        .find(|call| call.id == args.call)
        .ok_or_else(|| Failure::Failed(anyhow::anyhow!("there is no call {}", args.call)))
}
