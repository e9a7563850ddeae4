//! Messages of the model through the code's state machines. Each message of the model must be what the code says then,
//! arrive as it was said, and mean the same to both.

use std::collections::{BTreeMap, VecDeque};

use pinode_signaling::isp::{Aal, Demon, Kernel, Limits, Message, ToDemon, ToKernel, Vcc};
use pinode_signaling::isp::{demon, kernel};

use crate::sample::{address, code, pvc, qos, sap};

/// All that a line can be (see [`kinds`]), over both models.
pub const ALL_KINDS: [&str; 33] = [
    "D hears as_accept accepting",
    "D hears as_bind binding",
    "D hears as_close closed",
    "D hears as_close released",
    "D hears as_close stray",
    "D hears as_connect connecting",
    "D hears as_listen registering",
    "D hears as_reject rejected",
    "D says as_close none",
    "D says as_error none",
    "D says as_indicate none",
    "D says as_okay as_accept",
    "D says as_okay as_bind",
    "D says as_okay as_connect",
    "D says as_okay as_listen",
    "K drops none none",
    "K hears as_close closed",
    "K hears as_close gone",
    "K hears as_error failed",
    "K hears as_error gone",
    "K hears as_indicate incoming",
    "K hears as_okay accepted",
    "K hears as_okay bound",
    "K hears as_okay connected",
    "K hears as_okay crossed",
    "K hears as_okay listening",
    "K says as_accept none",
    "K says as_bind none",
    "K says as_close none",
    "K says as_connect none",
    "K says as_listen none",
    "K says as_reject none",
    "M ends none none",
];

/// A line without its numbers: who, what, type, and what was made of it.
pub fn kinds(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, who, verb, kind, _, _, _, made] = words[..] else {
        return None;
    };
    Some(format!("{who} {verb} {kind} {made}"))
}

/// Calls have labels from here.
const FIRST_LABEL: u32 = 16;

/// Both machines of the code, led by lines of the model.
pub struct Replay {
    kernel: Kernel,
    demon: Demon,
    to_demon: VecDeque<Vec<u8>>,
    to_kernel: VecDeque<Vec<u8>>,
    /// The code's socket for each of the model's.
    vccs: BTreeMap<u32, Vcc>,
    /// What the code still has to say of listening sockets that are gone.
    rejects: BTreeMap<u32, VecDeque<ToDemon>>,
    ended: bool,
}

/// One line.
struct Line<'a> {
    kind: &'a str,
    vcc: u32,
    listen_vcc: u32,
    call: u32,
    made: &'a str,
}

fn number(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("{word:?} is no number"))
}

impl Replay {
    pub fn new() -> Self {
        let limits = Limits::default();
        Self {
            kernel: Kernel::new(limits),
            demon: Demon::new(limits),
            to_demon: VecDeque::new(),
            to_kernel: VecDeque::new(),
            vccs: BTreeMap::new(),
            rejects: BTreeMap::new(),
            ended: false,
        }
    }

    /// Whether the run came to its end.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Does with the code what the line says.
    pub fn step(&mut self, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let ["isp", who, verb, kind, vcc, listen_vcc, call, made] = words[..] else {
            return Err(format!("{text:?} is no line of the model"));
        };
        let line = Line {
            kind,
            vcc: number(vcc)?,
            listen_vcc: number(listen_vcc)?,
            call: number(call)?,
            made,
        };
        let done = match (who, verb) {
            ("K", "says") => self.kernel_says(&line),
            ("K", "drops") => self.kernel_drops(&line),
            ("K", "hears") => self.kernel_hears(&line),
            ("D", "says") => self.demon_says(&line),
            ("D", "hears") => self.demon_hears(&line),
            ("M", "ends") => self.ends(),
            _ => Err("unknown".to_owned()),
        };
        done.map_err(|why| format!("{text}: {why}"))
    }

    /// The code's socket for one of the model's, made when it is first used.
    fn socket(&mut self, vcc: u32) -> Result<Vcc, String> {
        if let Some(known) = self.vccs.get(&vcc) {
            return Ok(*known);
        }
        let made = self.kernel.socket().map_err(|e| e.to_string())?;
        self.vccs.insert(vcc, made);
        Ok(made)
    }

    fn known(&self, vcc: u32) -> Result<Vcc, String> {
        let known = self.vccs.get(&vcc).copied();
        known.ok_or_else(|| format!("the code knows no socket {vcc}"))
    }

    fn kernel_says(&mut self, line: &Line<'_>) -> Result<(), String> {
        let message = match line.kind {
            "as_bind" => {
                let vcc = self.socket(line.vcc)?;
                self.kernel.bind(vcc, Aal::FIVE, sap(0))
            }
            "as_connect" => {
                let vcc = self.socket(line.vcc)?;
                self.kernel
                    .connect(vcc, Aal::FIVE, address(0), qos(), sap(9))
            }
            "as_listen" => {
                let vcc = self.socket(line.vcc)?;
                self.kernel.listen(vcc, Aal::FIVE, qos(), sap(1))
            }
            "as_accept" => {
                let listen_vcc = self.known(line.listen_vcc)?;
                let accepting = self.kernel.accept(listen_vcc).map_err(|e| e.to_string())?;
                same("call", accepting.call.pvc.label, FIRST_LABEL + line.call)?;
                self.vccs.insert(line.vcc, accepting.vcc);
                Ok(accepting.send)
            }
            "as_reject" => return self.kernel_rejects(line),
            "as_close" => {
                let vcc = self.known(line.vcc)?;
                let closing = self.kernel.close(vcc).map_err(|e| e.to_string())?;
                Ok(closing.send.ok_or("the code says nothing here")?)
            }
            kind => return Err(format!("the kernel side never says {kind}")),
        };
        self.to_demon
            .push_back(message.map_err(|e| e.to_string())?.encode());
        Ok(())
    }

    fn kernel_rejects(&mut self, line: &Line<'_>) -> Result<(), String> {
        let owed = self.rejects.get_mut(&line.listen_vcc);
        let message = match owed {
            Some(owed) => owed.pop_front().ok_or("the code rejects no more calls")?,
            None => {
                let listen_vcc = self.known(line.listen_vcc)?;
                let rejected = self.kernel.reject(listen_vcc, code());
                let (call, message) = rejected.map_err(|e| e.to_string())?;
                same("call", call.pvc.label, FIRST_LABEL + line.call)?;
                message
            }
        };
        self.to_demon.push_back(message.encode());
        Ok(())
    }

    fn kernel_drops(&mut self, line: &Line<'_>) -> Result<(), String> {
        let vcc = self.socket(line.vcc)?;
        let closing = self.kernel.close(vcc).map_err(|e| e.to_string())?;
        same("what is sent", closing.send, None)?;
        same("gone", closing.gone, true)
    }

    fn demon_says(&mut self, line: &Line<'_>) -> Result<(), String> {
        let vcc = self.known(line.vcc)?;
        let call = FIRST_LABEL + line.call;
        let message = match (line.kind, line.made) {
            ("as_okay", "as_bind") => self.demon.okay_bind(vcc, sap(1)),
            ("as_okay", "as_connect") => self.demon.okay_connect(vcc, pvc(9), address(1), qos()),
            ("as_okay", "as_listen") => self.demon.okay_listen(vcc),
            ("as_okay", "as_accept") => self.demon.okay_accept(vcc, address(1)),
            ("as_error", _) => self.demon.error(vcc, code()),
            ("as_close", _) => self.demon.close(vcc, None),
            ("as_indicate", _) => {
                self.demon
                    .indicate(vcc, u64::from(line.call), pvc(call), qos(), sap(9))
            }
            _ => return Err("the demon never says this".to_owned()),
        };
        self.to_kernel
            .push_back(message.map_err(|e| e.to_string())?.encode());
        Ok(())
    }

    fn demon_hears(&mut self, line: &Line<'_>) -> Result<(), String> {
        let octets = self.to_demon.pop_front().ok_or("nothing is on its way")?;
        self.arrives(line, &octets, line.vcc, line.listen_vcc)?;
        let message = ToDemon::decode(&octets).map_err(|e| e.to_string())?;
        let event = self.demon.hears(message).map_err(|e| e.to_string())?;
        let (made, call) = match event {
            demon::Event::Bind { .. } => ("binding", None),
            demon::Event::Connect { .. } => ("connecting", None),
            demon::Event::Listen { .. } => ("registering", None),
            demon::Event::Accept { call, .. } => ("accepting", Some(call)),
            demon::Event::Reject { call, .. } => ("rejected", Some(call)),
            demon::Event::Close { .. } => ("closed", None),
            demon::Event::Gone { .. } => ("released", None),
            demon::Event::Stray { .. } => ("stray", None),
            demon::Event::ItfNotify { .. } => ("notified", None),
            demon::Event::Full { .. } => ("full", None),
        };
        same("what it means", made, line.made)?;
        same("call", call.unwrap_or(0), u64::from(line.call))
    }

    fn kernel_hears(&mut self, line: &Line<'_>) -> Result<(), String> {
        let octets = self.to_kernel.pop_front().ok_or("nothing is on its way")?;
        let (vcc, listen_vcc) = match line.kind {
            "as_indicate" => (0, line.vcc),
            _ => (line.vcc, 0),
        };
        self.arrives(line, &octets, vcc, listen_vcc)?;
        let message: ToKernel = self.kernel.decode(&octets).map_err(|e| e.to_string())?;
        let event = self.kernel.hears(message).map_err(|e| e.to_string())?;
        let made = match event {
            kernel::Event::Bound { .. } => "bound",
            kernel::Event::Connected { .. } => "connected",
            kernel::Event::Listening { .. } => "listening",
            kernel::Event::Incoming { .. } => "incoming",
            kernel::Event::Accepted { pvc, .. } => {
                same("label", pvc.label > FIRST_LABEL, true)?;
                "accepted"
            }
            kernel::Event::Failed { .. } => "failed",
            kernel::Event::Closed { .. } => "closed",
            kernel::Event::Crossed { .. } => "crossed",
            kernel::Event::Gone { send, .. } => {
                self.rejects.insert(line.vcc, send.into());
                "gone"
            }
        };
        same("what it means", made, line.made)
    }

    /// What arrives is of the type and for the socket that the model says.
    fn arrives(
        &self,
        line: &Line<'_>,
        octets: &[u8],
        vcc: u32,
        listen_vcc: u32,
    ) -> Result<(), String> {
        let message = Message::decode(octets).map_err(|e| e.to_string())?;
        same("type", message.kind.to_string().as_str(), line.kind)?;
        let of = |vcc| -> Result<Option<Vcc>, String> {
            if vcc == 0 {
                Ok(None)
            } else {
                self.known(vcc).map(Some)
            }
        };
        same("vcc", message.vcc, of(vcc)?)?;
        same("listen_vcc", message.listen_vcc, of(listen_vcc)?)
    }

    fn ends(&mut self) -> Result<(), String> {
        self.ended = true;
        let owed: usize = self.rejects.values().map(VecDeque::len).sum();
        let left = [
            ("sockets", self.kernel.sockets()),
            ("calls", self.kernel.calls()),
            ("sockets of the demon", self.demon.sockets()),
            ("calls of the demon", self.demon.calls()),
            ("messages to the demon", self.to_demon.len()),
            ("messages to the kernel side", self.to_kernel.len()),
            ("calls to reject", owed),
        ];
        left.iter().try_for_each(|(what, n)| same(what, *n, 0))
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, code: T, model: T) -> Result<(), String> {
    if code == model {
        return Ok(());
    }
    Err(format!(
        "{what}: {code:?} in the code, {model:?} in the model"
    ))
}
