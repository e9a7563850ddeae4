//! Tiny guests made by hand: an ELF image whose code walks a table of steps, so that a test states in Rust what
//! the guest does.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinode_vmm::{BootProtocol, EventSink, Kernel, KvmHost, MachineConfig, MachineEvent};

/// Where the images' code, step table and fault record are.
pub const CODE: u64 = 0x20_0000;
pub const STEPS: u64 = 0x30_0000;
pub const RECORD: u64 = 0x31_0000;
/// How long a test waits for something that takes milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The 64-bit interpreter. Each step is four u32: operation, address, value, unused.
///
/// ```text
///       mov ebx, 0x300000
/// next: mov eax,[rbx]; mov ecx,[rbx+4]; mov esi,[rbx+8]; add rbx,16
///       eax = 1: mov [rcx],esi            2: mov eax,[rcx], four octets of eax to port 0x3f8
///             3: rdi = 0x310000, out cx,sil   4: spin until [rcx] = esi    5: mov [rcx],si
///             6: lidt of an empty table, ud2   7: jmp $                    else: hlt; jmp next
/// ```
const INTERPRETER: [u8; 127] = [
    0xbb, 0x00, 0x00, 0x30, 0x00, 0x8b, 0x03, 0x8b, 0x4b, 0x04, 0x8b, 0x73, 0x08, 0x48, 0x83, 0xc3,
    0x10, 0x83, 0xf8, 0x01, 0x74, 0x21, 0x83, 0xf8, 0x02, 0x74, 0x20, 0x83, 0xf8, 0x03, 0x74, 0x31,
    0x83, 0xf8, 0x04, 0x74, 0x38, 0x83, 0xf8, 0x05, 0x74, 0x3b, 0x83, 0xf8, 0x06, 0x74, 0x3b, 0x83,
    0xf8, 0x07, 0x74, 0x3f, 0xf4, 0xeb, 0xce, 0x89, 0x31, 0xeb, 0xca, 0x8b, 0x01, 0xbf, 0x04, 0x00,
    0x00, 0x00, 0xba, 0xf8, 0x03, 0x00, 0x00, 0xee, 0xc1, 0xe8, 0x08, 0xff, 0xcf, 0x75, 0xf3, 0xeb,
    0xb4, 0x89, 0xca, 0x89, 0xf0, 0xbf, 0x00, 0x00, 0x31, 0x00, 0xee, 0xeb, 0xa8, 0x8b, 0x01, 0x39,
    0xf0, 0x75, 0xfa, 0xeb, 0xa0, 0x66, 0x89, 0x31, 0xeb, 0x9b, 0x0f, 0x01, 0x1d, 0x04, 0x00, 0x00,
    0x00, 0x0f, 0x0b, 0xeb, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// The 32-bit PVH guest: prints the start info's magic (four octets), then the command line, then pvpanic with
/// rdi = 0x310000.
///
/// ```text
///       mov esi,ebx; mov ecx,[esi]; mov edi,4
/// 1:    mov edx,0x3f8; mov eax,ecx; out dx,al; shr ecx,8; dec edi; jnz 1b
///       mov esi,[esi+24]
/// 2:    lodsb; test al,al; jz 3f; out dx,al; jmp 2b
/// 3:    mov edi,0x310000; mov edx,0x505; mov eax,1; out dx,al
/// 4:    hlt; jmp 4b
/// ```
pub const PVH_GUEST: [u8; 53] = [
    0x89, 0xde, 0x8b, 0x0e, 0xbf, 0x04, 0x00, 0x00, 0x00, 0xba, 0xf8, 0x03, 0x00, 0x00, 0x89, 0xc8,
    0xee, 0xc1, 0xe9, 0x08, 0x4f, 0x75, 0xf2, 0x8b, 0x76, 0x18, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee,
    0xeb, 0xf8, 0xbf, 0x00, 0x00, 0x31, 0x00, 0xba, 0x05, 0x05, 0x00, 0x00, 0xb8, 0x01, 0x00, 0x00,
    0x00, 0xee, 0xf4, 0xeb, 0xfd,
];

/// One step of the interpreter.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Stores 32 bits.
    Store(u64, u32),
    /// Stores 16 bits.
    Store16(u64, u16),
    /// Prints 32 bits to the serial port, little-endian.
    Print(u64),
    /// Writes an I/O port.
    Out(u16, u8),
    /// Spins until 32 bits have this value.
    Await(u64, u32),
    /// An exception without an interrupt table.
    TripleFault,
    /// `jmp $`.
    Spin,
}

/// Prints text to the serial port.
pub fn say(text: &str) -> Vec<Step> {
    text.bytes().map(|octet| Step::Out(0x3f8, octet)).collect()
}

/// An image to be written as ELF.
#[derive(Clone, Default)]
pub struct Image {
    pub segments: Vec<(u64, Vec<u8>)>,
    pub notes: Vec<(&'static str, u32, u32)>,
}

impl Image {
    /// An image that carries out `steps` and halts.
    pub fn of(steps: &[Step]) -> Self {
        let mut table = Vec::new();
        for step in steps {
            let (operation, address, value) = match *step {
                Step::Store(address, value) => (1, address as u32, value),
                Step::Print(address) => (2, address as u32, 0),
                Step::Out(port, value) => (3, u32::from(port), u32::from(value)),
                Step::Await(address, value) => (4, address as u32, value),
                Step::Store16(address, value) => (5, address as u32, u32::from(value)),
                Step::TripleFault => (6, 0, 0),
                Step::Spin => (7, 0, 0),
            };
            for word in [operation, address, value, 0] {
                table.extend(word.to_le_bytes());
            }
        }
        table.extend([0; 16]);
        let segments = vec![(CODE, INTERPRETER.to_vec()), (STEPS, table)];
        Self {
            segments,
            notes: vec![],
        }
    }

    /// Adds the ELF note by which an image asks for MSI.
    pub fn with_msi(mut self) -> Self {
        self.notes.push(("pinode", 1, 1));
        self
    }

    /// Adds octets of RAM.
    pub fn with(mut self, address: u64, octets: &[u8]) -> Self {
        self.segments.push((address, octets.to_vec()));
        self
    }

    /// The ELF file.
    pub fn elf(&self) -> Vec<u8> {
        let mut notes = Vec::new();
        for (owner, kind, value) in &self.notes {
            notes.extend((owner.len() as u32 + 1).to_le_bytes());
            notes.extend(4u32.to_le_bytes());
            notes.extend(kind.to_le_bytes());
            notes.extend(owner.bytes());
            notes.push(0);
            notes.resize(notes.len().next_multiple_of(4), 0);
            notes.extend(value.to_le_bytes());
        }
        let count = self.segments.len() + 1;
        let mut file = vec![0u8; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[18..20].copy_from_slice(&62u16.to_le_bytes());
        file[24..32].copy_from_slice(&CODE.to_le_bytes());
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[54..56].copy_from_slice(&56u16.to_le_bytes());
        file[56..58].copy_from_slice(&(count as u16).to_le_bytes());
        let mut body: Vec<u8> = Vec::new();
        let begin = 64 + 56 * count;
        let parts = self
            .segments
            .iter()
            .map(|(address, octets)| (1u32, *address, octets));
        for (kind, address, octets) in parts.chain([(4, 0, &notes)]) {
            file.extend(kind.to_le_bytes());
            file.extend(7u32.to_le_bytes());
            file.extend(((begin + body.len()) as u64).to_le_bytes());
            for field in [
                address,
                address,
                octets.len() as u64,
                octets.len() as u64,
                4,
            ] {
                file.extend(field.to_le_bytes());
            }
            body.extend(octets);
        }
        file.extend(body);
        file
    }

    /// A configuration that boots this image. The image is leaked: `Kernel::Embedded` wants it for ever.
    pub fn config(&self, name: &str) -> MachineConfig {
        MachineConfig {
            name: name.into(),
            memory: 32 << 20,
            vcpus: 1,
            cpus: vec![],
            kernel: Kernel::Embedded(Vec::leak(self.elf())),
            initrd: None,
            cmdline: String::new(),
            boot: BootProtocol::Auto,
            nets: vec![],
            kicks: Vec::new(),
        }
    }
}

/// A fault record as the guest runtime would leave it.
pub fn record(kind: u32, message: &str) -> Vec<u8> {
    let mut record = 0x5446_4445_444f_4e50_u64.to_le_bytes().to_vec();
    record.extend(1u32.to_le_bytes());
    record.extend(kind.to_le_bytes());
    for word in 1..=21u64 {
        record.extend(word.to_le_bytes());
    }
    record.extend((message.len() as u32).to_le_bytes());
    record.extend([0; 4]);
    let mut text = message.as_bytes().to_vec();
    text.resize(512, 0);
    record.extend(text);
    record
}

/// KVM, or `None` after saying why not. Where everything is required, its absence fails the test.
pub fn kvm(test: &str) -> Option<KvmHost> {
    match KvmHost::open() {
        Ok(host) => Some(host),
        Err(why) => {
            let required = std::env::var("CI").is_ok_and(|value| value == "true")
                || std::env::var("PINODE_REQUIRE").is_ok_and(|value| value == "all");
            assert!(!required, "{test} needs KVM: {why}");
            // Straight to the descriptor: the test harness captures what the macros print.
            let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
            None
        }
    }
}

/// A sink and what it received.
pub fn events() -> (EventSink, Receiver<MachineEvent>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let sink = move |event| {
        let _ = sender.lock().unwrap().send(event);
    };
    (Arc::new(sink), receiver)
}

/// The next event; panics when none comes.
pub fn next(events: &Receiver<MachineEvent>) -> MachineEvent {
    match events.recv_timeout(PATIENCE) {
        Ok(event) => event,
        Err(RecvTimeoutError::Timeout) => panic!("no event within {PATIENCE:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("the machine is gone"),
    }
}
