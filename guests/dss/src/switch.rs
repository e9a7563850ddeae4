//! The switch: a [`Function`] that sends frames on by label.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pinode_guest_runtime::control::LINE_OCTETS;
use pinode_guest_runtime::{Config, Frames, Function, Output, VifIndex};
use serde_json::Value;

use crate::config::{ConfigError, Configuration};
use crate::control::{Event, Key, Mac};
use crate::counters::Fates;
use crate::packet::{Form, Station};
use crate::signalling::Signalling;
use crate::sockets::Sockets;
use crate::table::Table;

/// Octets for requests, answers and events on their way: text, and what it is read into.
const LINES: u64 = 24 * LINE_OCTETS as u64;

/// The label switch of a guest.
#[derive(Debug, Default)]
pub struct Switch {
    running: Option<Box<Running>>,
}

/// A configured switch.
#[derive(Debug)]
pub(crate) struct Running {
    pub form: Form,
    pub table: Table,
    pub ports: Vec<Port>,
    pub signalling: Signalling,
    pub sockets: Sockets,
    /// All connections are being taken down; those up to this key, if there is one, are.
    pub clearing: Option<Option<Key>>,
}

/// A port.
#[derive(Debug)]
pub(crate) struct Port {
    pub mac: Mac,
    pub station: Station,
    /// What frames that leave by it begin with, of virtual network 0.
    pub template: u128,
    /// Octets of the largest frame, without FCS.
    pub largest: usize,
    /// Virtual networks carried, a bit each.
    pub vns: u32,
    pub fates: Fates,
}

impl Switch {
    /// Reads `config` as a guest does that gets it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(config: &Config) -> Result<(), ConfigError> {
        Configuration::read(config).map(|_| ())
    }
}

impl Running {
    fn new(config: &Config, configuration: &Configuration) -> Self {
        let own = configuration.vns.first().copied().unwrap_or(0);
        let form = Form::of(config, own);
        let port = |port: &crate::config::PortConfig| Port {
            mac: port.mac,
            station: Station::of(port.mac),
            template: form.template(port.mac, Mac::ALL),
            largest: form.at + usize::from(port.mtu),
            vns: port.vns,
            fates: Fates::default(),
        };
        Running {
            form,
            table: Table::new(configuration),
            ports: configuration.ports.iter().map(port).collect(),
            signalling: Signalling::new(configuration),
            sockets: Sockets::new(configuration),
            clearing: None,
        }
    }
}

impl Function for Switch {
    fn name(&self) -> &'static str {
        "dss"
    }

    fn memory(&self, config: &Config) -> u64 {
        Configuration::read(config).map_or(0, |configuration| {
            Table::octets(&configuration)
                + Signalling::octets(&configuration)
                + Sockets::octets(&configuration)
                + LINES
        })
    }

    fn configure(&mut self, config: &Config) -> Result<(), String> {
        let configuration = Configuration::read(config).map_err(|error| error.to_string())?;
        self.running = Some(Box::new(Running::new(config, &configuration)));
        Ok(())
    }

    #[inline]
    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        if let Some(running) = &mut self.running {
            running.burst(from, frames, out);
        }
    }

    fn tick(&mut self, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        if let Some(running) = &mut self.running
            && running.signalling.is_waiting()
        {
            running.originate(frames, out);
        }
    }

    fn request(&mut self, _now_ns: u64, request: &Value) -> Result<Value, String> {
        match &mut self.running {
            Some(running) => running.request(request),
            None => Err(format!("{} is not configured", self.name())),
        }
    }

    fn work(&mut self) -> bool {
        self.running
            .as_mut()
            .is_none_or(|running| running.clear_some())
    }

    #[inline]
    fn has_event(&self) -> bool {
        match &self.running {
            Some(running) => running.signalling.has_event() || running.sockets.has_event(),
            None => false,
        }
    }

    fn event(&mut self) -> Option<Value> {
        let running = self.running.as_mut()?;
        // What sockets say is bounded, and PDUs wait for no answer.
        let said = running.sockets.event().map(Event::Isp);
        let event = said.or_else(|| running.signalling.event())?;
        serde_json::to_value(event).ok()
    }
}
