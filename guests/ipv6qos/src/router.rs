//! The router: a [`Function`] that forwards IPv6 packets as it is configured.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pinode_guest_runtime::{Config, Frames, Function, Output, VifIndex};
use serde_json::Value;

use crate::config::{Configuration, Limits, Problem};
use crate::counters::Counters;
use crate::diffserv::Diffserv;
use crate::filter::Filter;
use crate::icmp::Limit;
use crate::interface::{Interfaces, Names};
use crate::neighbour::{Discovery, Fate, Outbox};
use crate::packet::Form;
use crate::path::{Held, Io};
use crate::reassembly::Reassembly;
use crate::routing::Routing;
use crate::rules::{SLICE, Tables};

/// The IPv6 router of a guest.
#[derive(Debug, Default)]
pub struct Router {
    running: Option<Box<Running>>,
}

/// A configured router: what it knows, and nothing of how it came to know it.
#[derive(Debug)]
pub(crate) struct Running {
    pub form: Form,
    pub limits: Limits,
    pub names: Names,
    pub interfaces: Interfaces,
    pub routing: Routing,
    pub discovery: Discovery<Held>,
    pub outbox: Outbox<Held>,
    /// Takes the outbox's frames while they are dealt with.
    pub settled: Vec<(Fate, Held)>,
    pub limit: Limit,
    pub reassembly: Reassembly,
    pub tables: Tables,
    pub filter: Filter,
    pub diffserv: Diffserv,
    pub counters: Counters,
    /// The time of the last burst, tick or request, nanoseconds.
    pub now_ns: u64,
}

impl Router {
    /// Reads `config` and tries all of it, as a guest does that gets it.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn check(config: &Config) -> Result<(), Vec<Problem>> {
        Running::new(config, &Configuration::read(config)?).map(|_| ())
    }
}

impl Function for Router {
    fn name(&self) -> &'static str {
        "ipv6qos"
    }

    fn memory(&self, config: &Config) -> u64 {
        Configuration::read(config)
            .map_or(0, |configuration| Running::memory(config, &configuration))
    }

    fn configure(&mut self, config: &Config) -> Result<(), String> {
        let running = Configuration::read(config)
            .and_then(|configuration| Running::new(config, &configuration))
            .map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
                problems.join("; ")
            })?;
        self.running = Some(Box::new(running));
        Ok(())
    }

    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        if let Some(running) = &mut self.running {
            running.burst(from, &mut Io { frames, out });
        }
    }

    fn tick(&mut self, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        if let Some(running) = &mut self.running {
            running.tick(&mut Io { frames, out });
        }
    }

    fn request(&mut self, now_ns: u64, request: &Value) -> Result<Value, String> {
        match &mut self.running {
            Some(running) => running.request(now_ns, request),
            None => Err(format!("{} is not configured", self.name())),
        }
    }

    fn work(&mut self) -> bool {
        let running = self.running.as_mut();
        // While packets are held, all is told again, and done at the end of it.
        running.is_none_or(|running| running.filter.is_held() || running.work(SLICE))
    }
}
