//! Hosts and nodes with real daemons in virtual time: links that lose and delay, switches that hold capacities, and
//! applications that are the socket side of the protocol.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pinode_signaling::daemon::switch::{Op, OpId, Place, Refusal, Span, Way, What};
use pinode_signaling::daemon::{
    ClientId, Configuration, Daemon, Output, PortConfiguration, RouteConfiguration,
};
use pinode_signaling::entity::Limits;
use pinode_signaling::isp::kernel::Event;
use pinode_signaling::isp::{self, Kernel, ToDemon, ToKernel, Words};
use pinode_signaling::{Address, Class, Peak, Prefix, Qos, Traffic};

/// How long a PDU takes over a link.
const WIRE_NS: u64 = 10_000;
/// How long a message takes between an application and its daemon.
const LOCAL_NS: u64 = 3_000;
/// How long a switch takes.
const SWITCH_NS: u64 = 50_000;

/// The address of host `host`.
pub fn host(host: u8) -> Address {
    let mut octets = [0x47; 20];
    octets[18] = host;
    octets[19] = 0;
    Address(octets)
}

/// An application of host `host`.
pub fn application(host_number: u8, selector: u8) -> Address {
    let mut address = host(host_number);
    address.0[19] = selector;
    address
}

/// All applications of a host.
fn applications(number: u8) -> Prefix {
    Prefix::new(host(number), 152).unwrap()
}

/// A constant rate, one way.
pub fn cbr(bps: u64) -> Qos {
    Qos {
        transmit: Some(Traffic {
            class: Class::Cbr,
            peak: Some(Peak::Bits(bps)),
            cdvt_ns: 1_000_000,
            max_sdu: 1_000,
        }),
        receive: None,
    }
}

/// What a switch has.
#[derive(Default)]
pub struct Switch {
    pub entries: BTreeMap<Place, Place>,
    pub reserved: BTreeMap<Place, u64>,
    /// What may be reserved at each port, bits/s.
    pub capacity_bps: u64,
    /// Ways that were unset.
    pub unset: Vec<Way>,
}

impl Switch {
    fn does(&mut self, op: &Op) -> Result<(), Refusal> {
        match op.what {
            What::Unset => {
                for way in &op.ways {
                    if let Some(from) = way.from {
                        self.entries.remove(&from);
                    }
                    self.reserved.remove(&way.to);
                    self.unset.push(*way);
                }
                Ok(())
            }
            What::Set => {
                for way in &op.ways {
                    let port = way.to.port;
                    let before = self.reserved.iter().filter(|(place, _)| place.port == port);
                    let before: u64 = before.map(|(_, bps)| bps).sum();
                    let sum = before + way.traffic.reserved_bps();
                    if sum > self.capacity_bps {
                        return Err(Refusal::Rate(format!(
                            "port p{port}: {before} of {} taken",
                            self.capacity_bps
                        )));
                    }
                    assert!(
                        !self.reserved.contains_key(&way.to),
                        "reserved twice: {way:?}"
                    );
                }
                for way in &op.ways {
                    self.reserved.insert(way.to, way.traffic.reserved_bps());
                    if let Some(from) = way.from {
                        let before = self.entries.insert(from, way.to);
                        assert_eq!(before, None, "set twice: {way:?}");
                    }
                }
                Ok(())
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.reserved.is_empty()
    }
}

/// An application.
pub struct Application {
    pub kernel: Kernel,
    pub heard: VecDeque<Event>,
}

/// A host or a node.
pub struct Station {
    configuration: Configuration,
    pub daemon: Daemon,
    pub switch: Switch,
    pub applications: BTreeMap<ClientId, Application>,
    /// Daemons that it has had: what is under way for an earlier one is lost.
    life: u64,
}

#[derive(Debug)]
enum Under {
    Pdu(usize, u16, Vec<u8>),
    Asked(usize, u64, ClientId, Option<Span>, ToDemon),
    Told(usize, u64, ClientId, ToKernel),
    Op(usize, u64, Op),
    Done(usize, u64, OpId, Result<(), Refusal>),
}

/// All of it.
pub struct World {
    pub now_ns: u64,
    pub stations: Vec<Station>,
    cables: BTreeMap<(usize, u16), (usize, u16)>,
    under_way: BTreeMap<(u64, u64), Under>,
    sequence: u64,
    seed: u64,
    /// Of a thousand PDUs so many are lost.
    pub lost_per_mille: u64,
    /// Of a thousand operations that set something, a switch refuses so many, though there is room.
    pub refused_per_mille: u64,
    /// Applications that were let go of.
    pub dropped: Vec<(usize, ClientId)>,
    /// What applications were told in words.
    pub explained: Vec<(usize, ClientId, String)>,
}

impl World {
    /// A chain of `nodes`, with hosts of these numbers: each at a node.
    pub fn chain(nodes: usize, hosts: &[(u8, usize)], capacity_bps: u64, seed: u64) -> Self {
        Self::chain_with(nodes, hosts, capacity_bps, seed, |_| ())
    }

    /// The same, and all daemons configured otherwise.
    pub fn chain_with(
        nodes: usize,
        hosts: &[(u8, usize)],
        capacity_bps: u64,
        seed: u64,
        change: impl Fn(&mut Configuration),
    ) -> Self {
        let mut world = Self {
            now_ns: 0,
            stations: Vec::new(),
            cables: BTreeMap::new(),
            under_way: BTreeMap::new(),
            sequence: 0,
            seed,
            lost_per_mille: 0,
            refused_per_mille: 0,
            dropped: Vec::new(),
            explained: Vec::new(),
        };
        // Ports of a node: 0 to the one before, 1 to the one behind, from 2 on hosts.
        let mut configurations: Vec<Configuration> = (0..nodes)
            .map(|_| Configuration {
                switch: true,
                ..Configuration::default()
            })
            .collect();
        let port = |number: u16, edge| PortConfiguration {
            number,
            name: format!("p{number}"),
            edge,
            vn: edge.then_some(0),
            labels: Vec::new(),
        };
        for (node, configuration) in configurations.iter_mut().enumerate() {
            if node > 0 {
                configuration.ports.push(port(0, false));
                world.cable((node, 0), (node - 1, 1));
            }
            if node + 1 < nodes {
                configuration.ports.push(port(1, false));
            }
        }
        for (index, &(number, at)) in hosts.iter().enumerate() {
            for (node, configuration) in configurations.iter_mut().enumerate() {
                let by = match node.cmp(&at) {
                    std::cmp::Ordering::Less => 1,
                    std::cmp::Ordering::Greater => 0,
                    std::cmp::Ordering::Equal => {
                        let by = 2 + u16::from(number);
                        configuration.ports.push(port(by, true));
                        by
                    }
                };
                configuration.routes.push(RouteConfiguration {
                    prefix: applications(number),
                    port: by,
                });
            }
            world.cable((nodes + index, 0), (at, 2 + u16::from(number)));
        }
        for &(number, _) in hosts {
            configurations.push(Configuration {
                ports: vec![port(0, false)],
                routes: vec![RouteConfiguration {
                    prefix: Prefix::new(Address::NULL, 0).unwrap(),
                    port: 0,
                }],
                host: Some(host(number)),
                ..Configuration::default()
            });
        }
        for mut configuration in configurations {
            change(&mut configuration);
            let daemon = world.daemon(&configuration);
            world.stations.push(Station {
                configuration,
                daemon,
                switch: Switch {
                    capacity_bps,
                    ..Switch::default()
                },
                applications: BTreeMap::new(),
                life: 0,
            });
        }
        world.run(2_000_000_000);
        world
    }

    fn cable(&mut self, a: (usize, u16), b: (usize, u16)) {
        self.cables.insert(a, b);
        self.cables.insert(b, a);
    }

    /// splitmix64.
    pub fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn daemon(&mut self, configuration: &Configuration) -> Daemon {
        Daemon::new(configuration.clone(), Limits::default(), || self.random()).unwrap()
    }

    /// The daemon of a station is killed, and another one started: what it had set is taken away, and its
    /// applications find it gone.
    pub fn crash(&mut self, station: usize) {
        let configuration = self.stations[station].configuration.clone();
        let daemon = self.daemon(&configuration);
        let station = &mut self.stations[station];
        station.daemon = daemon;
        station.switch.entries.clear();
        station.switch.reserved.clear();
        station.life += 1;
        for application in station.applications.values_mut() {
            application.kernel.transport_lost();
        }
        station.applications.clear();
    }

    /// An application comes to a host.
    pub fn application(&mut self, station: usize, number: u64) -> ClientId {
        let client = ClientId(number);
        let place = &mut self.stations[station];
        place.daemon.client_comes(client);
        let application = Application {
            kernel: Kernel::new(isp::Limits::default()),
            heard: VecDeque::new(),
        };
        place.applications.insert(client, application);
        self.collect(station);
        client
    }

    /// An application is killed.
    pub fn kill(&mut self, station: usize, client: ClientId) {
        let now_ns = self.now_ns;
        let place = &mut self.stations[station];
        place.applications.remove(&client);
        place.daemon.client_goes(now_ns, client);
        self.collect(station);
    }

    pub fn kernel(&mut self, station: usize, client: ClientId) -> &mut Kernel {
        let station = &mut self.stations[station];
        &mut station.applications.get_mut(&client).unwrap().kernel
    }

    /// What an application says to its daemon.
    pub fn say(&mut self, station: usize, client: ClientId, message: ToDemon) {
        self.say_at(station, client, None, message);
    }

    /// What a socket says to its daemon that stands for places of the switch.
    pub fn say_at(&mut self, station: usize, client: ClientId, at: Option<Span>, message: ToDemon) {
        let life = self.stations[station].life;
        self.later(LOCAL_NS, Under::Asked(station, life, client, at, message));
    }

    /// What an application has heard.
    pub fn heard(&mut self, station: usize, client: ClientId) -> Vec<Event> {
        let application = self.stations[station].applications.get_mut(&client);
        application.map_or_else(Vec::new, |application| {
            application.heard.drain(..).collect()
        })
    }

    fn later(&mut self, in_ns: u64, what: Under) {
        self.sequence += 1;
        let at = (self.now_ns + in_ns, self.sequence);
        self.under_way.insert(at, what);
    }

    fn collect(&mut self, station: usize) {
        let life = self.stations[station].life;
        while let Some(output) = self.stations[station].daemon.output() {
            match output {
                Output::Say(client, message) => {
                    self.later(LOCAL_NS, Under::Told(station, life, client, message));
                }
                Output::Explain(client, words) => {
                    // As octets, as they really go.
                    let words = Words::decode(&words.encode()).unwrap();
                    self.explained.push((station, client, words.into_text()));
                }
                Output::Drop(client, why) => {
                    assert!(
                        why.contains("acknowledged"),
                        "{client:?} broke the protocol: {why}"
                    );
                    self.stations[station].applications.remove(&client);
                    self.dropped.push((station, client));
                }
                Output::Pdu(port, pdu) => {
                    let Some(&(to, by)) = self.cables.get(&(station, port)) else {
                        continue;
                    };
                    if self.random() % 1000 >= self.lost_per_mille {
                        self.later(WIRE_NS, Under::Pdu(to, by, pdu));
                    }
                }
                Output::Switch(op) => self.later(SWITCH_NS, Under::Op(station, life, op)),
            }
        }
    }

    /// A switch that has no more entries, or cannot do it now.
    fn refuses(&mut self, what: What) -> Option<Refusal> {
        let random = self.random();
        let refuses = what == What::Set && random % 1000 < self.refused_per_mille;
        refuses.then(|| match random >> 32 & 1 {
            0 => Refusal::Full("all entries are taken".into()),
            _ => Refusal::Failed("the guest does not answer".into()),
        })
    }

    fn happens(&mut self, what: Under) {
        let now_ns = self.now_ns;
        let (at, life) = match &what {
            Under::Pdu(at, ..) => (*at, self.stations[*at].life),
            Under::Asked(at, life, ..)
            | Under::Told(at, life, ..)
            | Under::Op(at, life, _)
            | Under::Done(at, life, ..) => (*at, *life),
        };
        let station = &mut self.stations[at];
        if station.life != life {
            return;
        }
        match what {
            Under::Pdu(_, port, pdu) => station.daemon.pdu(now_ns, port, &pdu),
            Under::Asked(_, _, client, at, message) => {
                // As octets, as they really go.
                let message = ToDemon::decode(&message.encode()).unwrap();
                station.daemon.client_says_at(now_ns, client, at, message);
            }
            Under::Told(_, _, client, message) => {
                let Some(application) = station.applications.get_mut(&client) else {
                    return;
                };
                let message = application.kernel.decode(&message.encode()).unwrap();
                let event = application.kernel.hears(message).unwrap();
                let mut replies = Vec::new();
                if let Event::Gone { send, .. } = &event {
                    replies.extend(send.iter().cloned());
                }
                application.heard.push_back(event);
                for reply in replies {
                    self.say(at, client, reply);
                }
            }
            Under::Op(_, _, op) => {
                let refused = self.refuses(op.what);
                let station = &mut self.stations[at];
                let done = refused.map_or_else(|| station.switch.does(&op), Err);
                self.later(SWITCH_NS, Under::Done(at, life, op.id, done));
            }
            Under::Done(_, _, op, done) => station.daemon.switched(now_ns, op, done),
        }
        self.collect(at);
    }

    /// Lets so much time pass.
    pub fn run(&mut self, for_ns: u64) {
        let end_ns = self.now_ns + for_ns;
        loop {
            let happens = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let due = self.stations.iter().filter_map(|s| s.daemon.due_ns()).min();
            let Some(next) = happens
                .into_iter()
                .chain(due)
                .min()
                .filter(|at| *at <= end_ns)
            else {
                break;
            };
            self.now_ns = self.now_ns.max(next);
            if happens.is_some_and(|at| at <= self.now_ns) {
                let (_, what) = self.under_way.pop_first().unwrap();
                self.happens(what);
            }
            for station in 0..self.stations.len() {
                let now_ns = self.now_ns;
                let daemon = &mut self.stations[station].daemon;
                if daemon.due_ns().is_some_and(|due| due <= now_ns) {
                    daemon.tick(now_ns);
                    self.collect(station);
                }
            }
        }
        self.now_ns = end_ns;
    }

    /// What is left anywhere of calls: nothing, if all have ended.
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (index, station) in self.stations.iter().enumerate() {
            let view = station.daemon.view(0);
            if view.call_count > 0 || view.switching > 0 || !station.switch.is_empty() {
                left.push(format!(
                    "{index}: {} calls, {} operations, {} entries, {} reserved: {:?}",
                    view.call_count,
                    view.switching,
                    station.switch.entries.len(),
                    station.switch.reserved.len(),
                    view.calls
                ));
            }
            if view.edge_labels > 0 {
                left.push(format!("{index}: {} labels at edges", view.edge_labels));
            }
            for link in &view.links {
                if link.labels > 0 || link.calls > 0 {
                    left.push(format!("{index}: {link:?}"));
                }
            }
        }
        left
    }

    /// All links are up.
    pub fn is_up(&self) -> bool {
        let links = self
            .stations
            .iter()
            .map(|station| station.daemon.view(0).links);
        let mut links = links.flatten().peekable();
        links.peek().is_some() && links.all(|link| link.up)
    }

    /// Follows a frame from where a host sends it to the host that gets it, by the entries of switches.
    pub fn follow(&self, from: usize, label: u32) -> Option<(usize, u32)> {
        let (station, port) = *self.cables.get(&(from, 0))?;
        let (station, place) = self.follow_from(station, port, label)?;
        let (host, _) = *self.cables.get(&(station, place.port))?;
        Some((host, place.label))
    }

    /// Follows a frame from where it comes into a switch to where it leaves the last one.
    pub fn follow_from(&self, station: usize, port: u16, label: u32) -> Option<(usize, Place)> {
        let (mut station, mut port, mut label) = (station, port, label);
        let mut seen = BTreeSet::new();
        loop {
            let vn = 0;
            let to = self.stations[station]
                .switch
                .entries
                .get(&Place { port, vn, label })?;
            assert!(seen.insert((station, *to)), "a loop");
            label = to.label;
            let next = self.cables.get(&(station, to.port)).copied();
            match next.filter(|(next, _)| self.stations[*next].configuration.host.is_none()) {
                Some(next) => (station, port) = next,
                None => return Some((station, *to)),
            }
        }
    }
}
