//! What a neighbour claims is held to bounds: a bare neighbour against one node's daemon.

use pinode_signaling::daemon::{
    Configuration, Daemon, Output, PortConfiguration, RouteConfiguration,
};
use pinode_signaling::entity::{Entity, Event, Limits};
use pinode_signaling::q2931::{Cause, ConnectionIdentifier, Setup};
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
        let port = |number| PortConfiguration {
            number,
            name: format!("p{number}"),
            edge: false,
            vn: None,
        };
        let configuration = Configuration {
            ports: vec![port(0), port(1)],
            routes: vec![RouteConfiguration {
                prefix: Prefix::new(Address::NULL, 0).unwrap(),
                port: 1,
            }],
            ..Configuration::default()
        };
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
            Some(Event::Released { cause, .. }) => cause,
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
