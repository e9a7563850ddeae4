//! What a neighbour claims is held to bounds: a bare neighbour against one node's daemon.

use pinode_signaling::daemon::{
    Configuration, Daemon, LabelRange, Output, PortConfiguration, RouteConfiguration,
};
use pinode_signaling::entity::{Entity, Event, Limits};
use pinode_signaling::q2931::{Cause, ConnectionIdentifier, Reason, Setup};
use pinode_signaling::{Address, Prefix};

use super::calls::{MBPS, MS};
use super::world::cbr;

struct Bench {
    now_ns: u64,
    daemon: Daemon,
    neighbour: Entity,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| ())
    }

    /// With another configuration.
    fn with(change: impl FnOnce(&mut Configuration)) -> Self {
        let port = |number| PortConfiguration {
            number,
            name: format!("p{number}"),
            edge: false,
            vn: None,
            labels: Vec::new(),
        };
        let mut configuration = Configuration {
            ports: vec![port(0), port(1)],
            routes: vec![RouteConfiguration {
                prefix: Prefix::new(Address::NULL, 0).unwrap(),
                port: 1,
            }],
            ..Configuration::default()
        };
        change(&mut configuration);
        let daemon = Daemon::new(configuration, Limits::default(), || 5).unwrap();
        let neighbour = Entity::new(Limits::default(), 9);
        let mut bench = Self {
            now_ns: 0,
            daemon,
            neighbour,
        };
        bench.run();
        bench
    }

    fn run(&mut self) {
        for _ in 0..2_000 {
            self.now_ns += MS;
            self.daemon.tick(self.now_ns);
            self.neighbour.tick(self.now_ns);
            while let Some(pdu) = self.neighbour.next_pdu(self.now_ns) {
                self.daemon.pdu(self.now_ns, 0, &pdu);
            }
            while let Some(output) = self.daemon.output() {
                if let Output::Pdu(0, pdu) = output {
                    self.neighbour.hears(self.now_ns, &pdu);
                }
            }
        }
    }

    /// Why a call ends that asks for this.
    fn refusal(&mut self, change: impl FnOnce(&mut Setup)) -> Cause {
        self.refused(change).cause
    }

    /// The same, and in words.
    fn refused(&mut self, change: impl FnOnce(&mut Setup)) -> Reason {
        while self.neighbour.next_event().is_some() {}
        let side = self.neighbour.side().unwrap();
        let label = 16 + u32::from(side.chooses(17));
        let mut setup = Setup {
            called: Address([0x47; 20]),
            calling: None,
            qos: cbr(MBPS),
            connection: ConnectionIdentifier::new(0, label).unwrap(),
            blli: Vec::new(),
            hops: 0,
        };
        change(&mut setup);
        self.neighbour.setup(self.now_ns, setup).unwrap();
        self.run();
        assert_eq!(self.daemon.view(0).call_count, 0);
        match self.neighbour.next_event() {
            Some(Event::Released { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_call_that_goes_round_ends() {
    let mut bench = Bench::new();
    // The neighbour that the route leads to is not there, which only a call that may go on finds out.
    assert_eq!(bench.refusal(|_| ()), Cause::DestinationOutOfOrder);
    assert_eq!(
        bench.refusal(|setup| setup.hops = 31),
        Cause::DestinationOutOfOrder
    );
    assert_eq!(
        bench.refusal(|setup| setup.hops = 32),
        Cause::ExchangeRoutingError
    );
    assert_eq!(
        bench.refusal(|setup| setup.hops = 255),
        Cause::ExchangeRoutingError
    );
}

#[test]
fn tolerances_and_networks_are_held_to_bounds() {
    let mut bench = Bench::new();
    let cdvt = |ns| move |setup: &mut Setup| setup.qos.transmit.as_mut().unwrap().cdvt_ns = ns;
    assert_eq!(
        bench.refusal(cdvt(100_000_000)),
        Cause::DestinationOutOfOrder
    );
    assert_eq!(
        bench.refusal(cdvt(100_000_001)),
        Cause::TrafficParametersNotSupported
    );
    assert_eq!(
        bench.refusal(cdvt(u64::MAX)),
        Cause::TrafficParametersNotSupported
    );
    let other = |setup: &mut Setup| {
        setup.connection = ConnectionIdentifier::new(7, setup.connection.label()).unwrap();
    };
    assert_eq!(bench.refusal(other), Cause::IdentifiedChannelDoesNotExist);
}

/// Port 0 is one where the network begins; what begins with 47 is routed to port 1, with 48 to port 0.
fn edge(configuration: &mut Configuration) {
    let access = configuration.ports.first_mut().unwrap();
    (access.edge, access.name) = (true, "west".into());
    let route = |octet: u8, port| RouteConfiguration {
        prefix: format!("{octet:02x}/8").parse().unwrap(),
        port,
    };
    configuration.routes = vec![route(0x47, 1), route(0x48, 0)];
}

#[test]
fn an_access_port_calls_as_nobody_else() {
    let from = |octet: u8| move |setup: &mut Setup| setup.calling = Some(Address([octet; 20]));
    let mut bench = Bench::with(edge);
    assert_eq!(
        bench.refusal(from(0x48)),
        Cause::DestinationOutOfOrder,
        "its own address goes on"
    );
    let refused = bench.refused(from(0x47));
    assert_eq!(refused.cause, Cause::CallRejected);
    assert!(refused.words().starts_with("port west: "), "{refused:?}");
    assert_eq!(bench.refusal(from(0x49)), Cause::CallRejected);
    // Who says nothing calls as nobody.
    assert_eq!(bench.refusal(|_| ()), Cause::DestinationOutOfOrder);

    // A neighbour inside speaks for all behind it.
    let mut bench = Bench::with(|configuration| {
        edge(configuration);
        configuration.ports.first_mut().unwrap().edge = false;
    });
    assert_eq!(bench.refusal(from(0x49)), Cause::DestinationOutOfOrder);
}

#[test]
fn labels_of_connections_that_nobody_signals_are_not_given_out() {
    let all = LabelRange {
        vn: 0,
        first: 16,
        last: (1 << 20) - 1,
    };
    let mut bench = Bench::with(|configuration| {
        configuration.ports.first_mut().unwrap().labels = vec![all];
    });
    assert_eq!(
        bench.refusal(|_| ()),
        Cause::RequestedVpciVciNotAvailable,
        "nor to a neighbour"
    );
    assert_eq!(bench.daemon.view(0).links.first().unwrap().labels, 0);
}

/// A daemon between many bare neighbours, which all want calls and get no answer to them.
struct Crowd {
    now_ns: u64,
    daemon: Daemon,
    neighbours: Vec<Entity>,
}

impl Crowd {
    fn new(ports: u16, calls: usize) -> Self {
        let port = |number| PortConfiguration {
            number,
            name: format!("p{number}"),
            edge: false,
            vn: None,
            labels: Vec::new(),
        };
        // All goes out by the last port, whose neighbour takes all of it.
        let configuration = Configuration {
            ports: (0..ports).map(port).collect(),
            routes: vec![RouteConfiguration {
                prefix: Prefix::new(Address::NULL, 0).unwrap(),
                port: ports - 1,
            }],
            calls,
            ..Configuration::default()
        };
        let few = Limits {
            most_calls: 1,
            ..Limits::default()
        };
        let mut crowd = Self {
            now_ns: 0,
            daemon: Daemon::new(configuration, few, || 5).unwrap(),
            neighbours: (0..ports)
                .map(|_| Entity::new(Limits::default(), 9))
                .collect(),
        };
        crowd.run(2_000);
        crowd
    }

    fn run(&mut self, ms: u32) {
        for _ in 0..ms {
            self.now_ns += MS;
            self.daemon.tick(self.now_ns);
            for (port, neighbour) in self.neighbours.iter_mut().enumerate() {
                neighbour.tick(self.now_ns);
                while let Some(pdu) = neighbour.next_pdu(self.now_ns) {
                    self.daemon.pdu(self.now_ns, port as u16, &pdu);
                }
            }
            while let Some(output) = self.daemon.output() {
                if let Output::Pdu(port, pdu) = output {
                    let neighbour = &mut self.neighbours[usize::from(port)];
                    neighbour.hears(self.now_ns, &pdu);
                }
            }
        }
    }

    /// A neighbour asks for so many calls; why some were refused.
    fn asks(&mut self, port: usize, calls: u32) -> Vec<Reason> {
        let neighbour = &mut self.neighbours[port];
        while neighbour.next_event().is_some() {}
        let side = neighbour.side().unwrap();
        let first = 16 + u32::from(side.chooses(17));
        for call in 0..calls {
            let setup = Setup {
                called: Address([0x47; 20]),
                calling: None,
                qos: cbr(MBPS),
                connection: ConnectionIdentifier::new(0, first + 2 * call).unwrap(),
                blli: Vec::new(),
                hops: 0,
            };
            neighbour.setup(self.now_ns, setup).unwrap();
        }
        self.run(200);
        let neighbour = &mut self.neighbours[port];
        core::iter::from_fn(|| neighbour.next_event())
            .filter_map(|event| match event {
                Event::Released { reason, .. } => Some(reason),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_port_that_asks_without_end_leaves_the_others_their_part() {
    // 64 calls: half of them for who comes first, the other half for three ports and applications, 8 each.
    let mut crowd = Crowd::new(3, 64);
    let refused = crowd.asks(0, 60);
    assert_eq!(refused.len(), 60 - (32 + 8));
    for reason in refused {
        assert_eq!(reason.cause, Cause::ResourcesUnavailable);
        assert!(
            reason.words().starts_with("port p0: has 40 of 64"),
            "{reason:?}"
        );
    }
    assert_eq!(crowd.daemon.view(0).call_count, 40);
    assert_eq!(crowd.asks(1, 10).len(), 2);
    assert_eq!(crowd.daemon.view(0).call_count, 48);
}

#[test]
fn calls_of_a_port_are_as_many_as_are_configured() {
    // The entity of a port follows: it would take one call otherwise.
    let mut crowd = Crowd::new(2, 60);
    assert_eq!(crowd.asks(0, 40), []);
    assert_eq!(crowd.daemon.view(0).call_count, 40);
}
