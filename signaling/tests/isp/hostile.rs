//! Octets as a hostile other side, for each machine: messages of any content in any order, and calls between them.
//!
//! No panic; bounds hold; what was decoded has the octets it came from; what is refused changes nothing; and what was
//! taken can all be released.

use pinode_signaling::isp::table::Row;
use pinode_signaling::isp::{Aal, Demon, Kernel, Limits, Message, Okay, ToDemon, ToKernel, Vcc};

use crate::sample::{address, code, of_row, pvc, qos, sap, vcc};

/// Bounds that scripts run into.
const LIMITS: Limits = Limits {
    sockets: 5,
    indications: 4,
};

/// Sockets that messages name.
const SOCKETS: u8 = 8;

/// What is left of the octets.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn vcc(&mut self) -> Option<Vcc> {
        Some(vcc(1 + u64::from(self.octet()? % SOCKETS)))
    }

    /// Octets of a message of a row, some of them changed.
    fn message(&mut self, rows: &[Row]) -> Option<Vec<u8>> {
        let row = rows[usize::from(self.octet()?) % rows.len()];
        let mut message = of_row(row);
        if message.vcc.is_some() {
            message.vcc = Some(self.vcc()?);
        }
        if message.listen_vcc.is_some() {
            message.listen_vcc = Some(self.vcc()?);
        }
        let mut octets = message.encode(row).expect("its own fields");
        for _ in 0..self.octet()?.saturating_sub(192) % 4 {
            let (at, value) = (usize::from(self.octet()?), self.octet()?);
            match octets.get_mut(at) {
                Some(octet) => *octet = value,
                None => octets.push(value),
            }
        }
        Some(octets)
    }

    fn raw(&mut self) -> Option<Vec<u8>> {
        let length = usize::from(self.octet()?).min(self.0.len());
        let (raw, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(raw.to_vec())
    }
}

/// Plays a script against both machines.
pub fn play(octets: &[u8]) {
    let mut script = Script(octets);
    let mut demon = Demon::new(LIMITS);
    let mut kernel = Kernel::new(LIMITS);
    while step(&mut script, &mut demon, &mut kernel).is_some() {
        assert!(demon.sockets() <= LIMITS.sockets && demon.calls() <= LIMITS.indications);
        assert!(kernel.sockets() <= LIMITS.sockets && kernel.calls() <= LIMITS.indications);
    }
    let (sockets, calls) = (demon.sockets(), demon.calls());
    let left = demon.gone();
    assert_eq!(left.calls.len(), calls, "no call is forgotten");
    assert!(left.sockets.len() <= sockets);
    assert_eq!((demon.sockets(), demon.calls()), (0, 0));
    for vcc in kernel.transport_lost() {
        assert!(kernel.close(vcc).expect("allowed").gone);
    }
    assert_eq!((kernel.sockets(), kernel.calls()), (0, 0));
}

fn step(script: &mut Script<'_>, demon: &mut Demon, kernel: &mut Kernel) -> Option<()> {
    match script.octet()? % 7 {
        0 | 1 => {
            let to_demon = Row::ALL.map(|row| row.to_demon().then_some(row));
            let rows: Vec<Row> = to_demon.into_iter().flatten().collect();
            demon_hears(demon, &script.message(&rows)?);
        }
        2 | 3 => {
            let to_kernel = Row::ALL.map(|row| (!row.to_demon()).then_some(row));
            let rows: Vec<Row> = to_kernel.into_iter().flatten().collect();
            kernel_hears(kernel, &script.message(&rows)?);
        }
        4 => call_demon(script, demon)?,
        5 => call_kernel(script, kernel)?,
        _ => {
            let raw = script.raw()?;
            demon_hears(demon, &raw);
            kernel_hears(kernel, &raw);
        }
    }
    Some(())
}

fn demon_hears(demon: &mut Demon, octets: &[u8]) {
    // A message that may not be sent can be read all the same.
    let Ok(message) = ToDemon::decode(octets) else {
        let _ = Message::decode(octets);
        return;
    };
    assert_eq!(message.encode(), octets);
    let before = demon.clone();
    if demon.hears(message).is_err() {
        assert_eq!(*demon, before, "what is refused changes nothing");
    }
}

fn kernel_hears(kernel: &mut Kernel, octets: &[u8]) {
    let Ok(message) = kernel.decode(octets) else {
        return;
    };
    assert_eq!(message.encode(), octets);
    let before = kernel.clone();
    if kernel.hears(message).is_err() {
        assert_eq!(*kernel, before, "what is refused changes nothing");
    }
}

fn call_demon(script: &mut Script<'_>, demon: &mut Demon) -> Option<()> {
    let before = demon.clone();
    let (what, vcc) = (script.octet()? % 8, script.vcc()?);
    let said = match what {
        0 => demon.okay_bind(vcc, sap(1)),
        1 => demon.okay_connect(vcc, pvc(16), address(1), qos()),
        2 => demon.okay_listen(vcc),
        3 => demon.okay_accept(vcc, address(1)),
        4 => demon.error(vcc, code()),
        5 => demon.close(vcc, None),
        _ => demon.indicate(vcc, 1, pvc(16), qos(), sap(9)),
    };
    match said {
        Ok(said) => {
            let asked = match &said {
                ToKernel::Okay { answer, .. } => Some(Okay::request(answer)),
                _ => None,
            };
            assert_eq!(ToKernel::decode(&said.encode(), |_| asked), Ok(said));
        }
        Err(_) => assert_eq!(*demon, before, "what is refused changes nothing"),
    }
    Some(())
}

fn call_kernel(script: &mut Script<'_>, kernel: &mut Kernel) -> Option<()> {
    let before = kernel.clone();
    let (what, vcc) = (script.octet()? % 8, script.vcc()?);
    let said = match what {
        0 | 1 => kernel.socket().map(|_| None),
        2 => kernel.bind(vcc, Aal::FIVE, sap(0)).map(Some),
        3 => {
            let said = kernel.connect(vcc, Aal::FIVE, address(0), qos(), sap(9));
            said.map(Some)
        }
        4 => kernel.listen(vcc, Aal::FIVE, qos(), sap(1)).map(Some),
        5 => kernel.accept(vcc).map(|accepting| Some(accepting.send)),
        6 => kernel.reject(vcc, code()).map(|(_, said)| Some(said)),
        _ => kernel.close(vcc).map(|closing| closing.send),
    };
    match said {
        Ok(Some(said)) => assert_eq!(ToDemon::decode(&said.encode()), Ok(said)),
        Ok(None) => {}
        Err(_) => assert_eq!(*kernel, before, "what is refused changes nothing"),
    }
    Some(())
}
