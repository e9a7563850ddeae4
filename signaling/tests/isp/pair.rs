//! Both machines, joined by a queue each way. What is on its way is octets.

use std::collections::VecDeque;

use pinode_signaling::isp::{Demon, Kernel, Limits, Okay, Request, ToDemon, ToKernel, Vcc};
use pinode_signaling::isp::{demon, kernel};

/// Both machines and what is on its way between them.
pub struct Pair {
    pub kernel: Kernel,
    pub demon: Demon,
    to_demon: VecDeque<Vec<u8>>,
    to_kernel: VecDeque<Vec<u8>>,
    /// Every message, in the order in which they were sent.
    said: Vec<String>,
}

impl Pair {
    pub fn new(kernel: Limits, demon: Limits) -> Self {
        Self {
            kernel: Kernel::new(kernel),
            demon: Demon::new(demon),
            to_demon: VecDeque::new(),
            to_kernel: VecDeque::new(),
            said: Vec::new(),
        }
    }

    /// The kernel side sends.
    pub fn kernel_says(&mut self, message: &ToDemon) {
        self.said.push(format!("-> {}", to_demon_text(message)));
        self.to_demon.push_back(message.encode());
    }

    /// The demon sends.
    pub fn demon_says(&mut self, message: &ToKernel) {
        self.said.push(format!("<- {}", to_kernel_text(message)));
        self.to_kernel.push_back(message.encode());
    }

    /// The demon takes the next message; none: nothing is on its way. The rejects of a listening socket that is gone
    /// are sent by [`Pair::kernel_hears`].
    pub fn demon_hears(&mut self) -> Option<demon::Event> {
        let octets = self.to_demon.pop_front()?;
        let message = ToDemon::decode(&octets).expect("what the kernel side says can be read");
        Some(self.demon.hears(message).expect("and is allowed"))
    }

    /// The kernel side takes the next message; none: nothing is on its way.
    pub fn kernel_hears(&mut self) -> Option<kernel::Event> {
        let octets = self.to_kernel.pop_front()?;
        let message = self.kernel.decode(&octets);
        let message = message.expect("what the demon says can be read");
        let event = self.kernel.hears(message).expect("and is allowed");
        if let kernel::Event::Gone { send, .. } = &event {
            for reject in send {
                self.kernel_says(reject);
            }
        }
        Some(event)
    }

    pub fn nothing_on_its_way(&self) -> bool {
        self.to_demon.is_empty() && self.to_kernel.is_empty()
    }

    /// The messages so far, in the order in which they were sent, and nothing else is on its way.
    pub fn ends_with(&self, said: &[&str]) {
        assert_eq!(self.said, said);
        assert!(self.nothing_on_its_way(), "all of them have arrived");
    }
}

pub fn to_demon_text(message: &ToDemon) -> String {
    match message {
        ToDemon::Bind { vcc, .. } => format!("bind {vcc}"),
        ToDemon::Connect { vcc, .. } => format!("connect {vcc}"),
        ToDemon::Listen { vcc, .. } => format!("listen {vcc}"),
        ToDemon::Accept { vcc, listen_vcc } => format!("accept {vcc} of {listen_vcc}"),
        ToDemon::Reject { listen_vcc, .. } => format!("reject of {listen_vcc}"),
        ToDemon::Close { vcc } => format!("close {vcc}"),
        ToDemon::ItfNotify { interface } => format!("itf_notify {interface}"),
    }
}

pub fn to_kernel_text(message: &ToKernel) -> String {
    match message {
        ToKernel::Okay { vcc, answer } => format!("okay {vcc} to {}", request_text(answer)),
        ToKernel::Error { vcc, .. } => format!("error {vcc}"),
        ToKernel::Indicate { listen_vcc, .. } => format!("indicate at {listen_vcc}"),
        ToKernel::Close { vcc, .. } => format!("close {vcc}"),
    }
}

fn request_text(answer: &Okay) -> &'static str {
    match answer.request() {
        Request::Bind => "bind",
        Request::Connect => "connect",
        Request::Listen => "listen",
        Request::Accept => "accept",
    }
}

/// The socket that an event of the kernel side is about.
pub fn socket_of(event: &kernel::Event) -> Vcc {
    match event {
        kernel::Event::Bound { vcc, .. }
        | kernel::Event::Connected { vcc, .. }
        | kernel::Event::Listening { vcc }
        | kernel::Event::Incoming { listen_vcc: vcc }
        | kernel::Event::Accepted { vcc, .. }
        | kernel::Event::Failed { vcc, .. }
        | kernel::Event::Closed { vcc, .. }
        | kernel::Event::Crossed { vcc }
        | kernel::Event::Gone { vcc, .. } => *vcc,
    }
}
