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
use serde::Serialize;
use serde_json::Value;

use self::args::{Dss, Route, Switch};
use super::change::segment;
use super::client::{Client, ClientError};
use super::failure::Failure;
use super::{print, print_json};
use crate::api::CallRoute;
use crate::dss::{End, GUEST, Permanent, PermanentShown, Shown};
use crate::status::GuestStatus;

pub(super) fn run(args: Dss) -> Result<(), Failure> {
    match args {
        Dss::List(args) => {
            let signalling = Signalling::find(&args.switch)?;
            let (shown, permanents) = (signalling.shown()?, signalling.permanents()?);
            if args.format.json {
                print_json(&Listed { shown, permanents })
            } else {
                print(&(show::all(&shown) + &show::permanents(&permanents)))
            }
        }
        Dss::Show(args) => {
            let signalling = Signalling::find(&args.switch)?;
            let call = call(&signalling, args.call)?;
            if args.format.json {
                return print_json(&call);
            }
            let permanents = signalling.permanents()?;
            let own = |end: &&PermanentShown| end.calls.iter().any(|own| own.call == call.id);
            print(&show::one(&call, permanents.iter().find(own)))
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
        Dss::Permanent(args) => permanent(args),
        Dss::Pipe(args) => pipe::pipe(&args),
        Dss::Connect(args) => stream::connect(&args),
        Dss::Listen(args) => stream::listen(&args),
        Dss::Daemon(args) => daemon::run(args),
    }
}

/// What `pinode dss list` prints as JSON.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    shown: Shown,
    permanents: Vec<PermanentShown>,
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

    fn permanents(&self) -> Result<Vec<PermanentShown>, ClientError> {
        self.client.get(&format!("{}/permanents", self.path))
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

fn call(signalling: &Signalling, number: u64) -> Result<CallView, Failure> {
    let shown = signalling.behind(number.saturating_sub(1))?;
    let mut calls = shown.daemon.calls.into_iter();
    calls
        .find(|call| call.id == number)
        .ok_or_else(|| Failure::Failed(anyhow::anyhow!("there is no call {number}")))
}

fn permanent(args: args::Permanent) -> Result<(), Failure> {
    match args {
        args::Permanent::Add(args) => {
            let signalling = Signalling::find(&args.switch)?;
            let end = match (args.called, args.listen) {
                (Some(called), _) => End::Call {
                    called,
                    address: args.address,
                    qos: args.promise.qos(),
                },
                (None, Some(address)) => End::Listen {
                    address,
                    labels: args.labels,
                    max_sdu: args.promise.listening(),
                },
                (None, None) => {
                    let what = "needs --called or --listen";
                    return Err(Failure::Usage(what.into()));
                }
            };
            let permanent = Permanent {
                name: args.name,
                port: args.port,
                vn: args.vn,
                label: args.label,
                end,
            };
            let path = format!("{}/permanents", signalling.path);
            let method = hyper::Method::POST;
            let _: Value = signalling.client.send(method, &path, &permanent)?;
            Ok(())
        }
        args::Permanent::Del(args) => {
            let signalling = Signalling::find(&args.switch)?;
            let name = segment("permanent end", &args.name)?;
            let path = format!("{}/permanents/{name}", signalling.path);
            let _: Value = signalling.client.delete(&path)?;
            Ok(())
        }
        args::Permanent::List(args) => {
            let permanents = Signalling::find(&args.switch)?.permanents()?;
            if args.format.json {
                print_json(&permanents)
            } else {
                print(&show::permanents(&permanents))
            }
        }
    }
}
