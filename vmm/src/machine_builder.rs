//! The pieces of a machine, made one after the other: the VM with its interrupt controllers, the devices on their
//! slots, the vCPUs at their entry.

use std::io;
use std::sync::Arc;

use kvm_bindings::{KVM_PIT_SPEAKER_DUMMY, kvm_pit_config};
use kvm_ioctls::{IoEventAddress, VmFd};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::boot::layout;
use crate::boot::registers::Entry;
use crate::bus::Bus;
use crate::config::MachineConfig;
use crate::cpuid;
use crate::device_thread::Served;
use crate::devices::console::{self, ConsoleDevice};
use crate::devices::net::{self, Net};
use crate::devices::net_control::NetControl;
use crate::devices::serial::SerialPort;
use crate::irq::{self, Interrupt};
use crate::kvm::KvmHost;
use crate::machine::MachineError;
use crate::memory::GuestRam;
use crate::mmio::registers::offset;
use crate::mmio::slot::{Slot, VirtioDevice};
use crate::mmio::transport::{Identity, Transport};
use crate::vcpu::{Shared, Vcpu};

/// What all steps need.
pub(crate) struct Builder<'a> {
    pub host: &'a KvmHost,
    pub config: &'a MachineConfig,
    pub ram: &'a Arc<GuestRam>,
}

/// The devices of a machine.
pub(crate) struct Parts {
    pub bus: Arc<Bus>,
    pub serial: Arc<SerialPort>,
    pub console: Arc<ConsoleDevice>,
    pub served: Vec<(Served, Arc<Slot>, String)>,
}

impl Builder<'_> {
    fn kvm_error(&self, call: &'static str) -> impl Fn(kvm_ioctls::Error) -> MachineError {
        let name = self.config.name.clone();
        move |source| MachineError::Kvm {
            name: name.clone(),
            call,
            source,
        }
    }

    pub fn host_error(&self, call: &'static str) -> impl Fn(io::Error) -> MachineError {
        let name = self.config.name.clone();
        move |source| MachineError::Host {
            name: name.clone(),
            call,
            source,
        }
    }

    /// A VM with RAM and in-kernel interrupt controllers, its interrupts routed as the image wants them.
    pub fn vm(&self, msi: bool) -> Result<VmFd, MachineError> {
        let vm = loop {
            match self.host.kvm().create_vm() {
                Err(error) if error.errno() == libc::EINTR => {}
                other => break other.map_err(self.kvm_error("KVM_CREATE_VM"))?,
            }
        };
        vm.set_identity_map_address(layout::KVM_IDENTITY_MAP)
            .map_err(self.kvm_error("KVM_SET_IDENTITY_MAP_ADDR"))?;
        vm.set_tss_address(layout::KVM_TSS)
            .map_err(self.kvm_error("KVM_SET_TSS_ADDR"))?;
        self.ram
            .attach(&vm)
            .map_err(self.kvm_error("KVM_SET_USER_MEMORY_REGION"))?;
        vm.create_irq_chip()
            .map_err(self.kvm_error("KVM_CREATE_IRQCHIP"))?;
        if msi {
            let end = layout::FIRST_GSI + self.config.devices() as u32;
            irq::route_as_msi(&vm, layout::SERIAL_GSI..end)
                .map_err(self.kvm_error("KVM_SET_GSI_ROUTING"))?;
        } else {
            // A guest that is not ours (Linux) may calibrate its clock by the timer chip.
            let pit = kvm_pit_config {
                flags: KVM_PIT_SPEAKER_DUMMY,
                ..Default::default()
            };
            vm.create_pit2(pit)
                .map_err(self.kvm_error("KVM_CREATE_PIT2"))?;
        }
        Ok(vm)
    }

    /// The serial port, the console and the vifs, each with its interrupt and its kicks.
    pub fn devices(&self, vm: &VmFd, shared: &Arc<Shared>) -> Result<Parts, MachineError> {
        let serial = Arc::new(SerialPort::new(
            self.interrupt(vm, layout::SERIAL_GSI)?,
            shared.log.clone(),
        ));
        let (mut slots, mut served) = (Vec::new(), Vec::new());

        let interrupt = self.interrupt(vm, layout::FIRST_GSI)?;
        let console = ConsoleDevice::new(
            self.ram.clone(),
            interrupt.clone(),
            shared.log.clone(),
            shared.clone(),
        );
        let console = Arc::new(console.map_err(self.host_error("eventfd"))?);
        self.connect_kicks(vm, 0, 0..console::QUEUES, console.event())?;
        let slot = join(
            "console",
            console::identity(),
            interrupt,
            Box::new(console.clone()),
        );
        served.push((
            Served::Console(console.clone()),
            slot.clone(),
            "console".into(),
        ));
        slots.push(slot);

        for (index, config) in self.config.nets.iter().enumerate() {
            let place = 1 + index as u32;
            let interrupt = self.interrupt(vm, layout::FIRST_GSI + place)?;
            let control = NetControl::new(interrupt.clone());
            let control = Arc::new(control.map_err(self.host_error("eventfd"))?);
            let identity = net::identity(config);
            let queues = identity.queue_sizes.len() as u16;
            // The control queue is the last one, or queue 2 for a driver without MQ: both wake the device thread. Of
            // the others, a kick on one that the guest receives by has nothing to say to anybody.
            let controls = if config.queue_pairs > 1 {
                [2, queues - 1]
            } else {
                [queues; 2]
            };
            let unheard = EventFd::new(EFD_NONBLOCK).map_err(self.host_error("eventfd"))?;
            let heard = self
                .config
                .kicks
                .get(index)
                .map_or(&unheard, |kick| kick.as_ref());
            for queue in 0..queues {
                let event = if controls.contains(&queue) {
                    control.event()
                } else if queue % 2 == 1 {
                    heard
                } else {
                    &unheard
                };
                self.connect_kicks(vm, place, [queue], event)?;
            }
            let device = Net::new(
                index,
                config,
                self.ram.clone(),
                interrupt.clone(),
                shared.clone(),
                control.clone(),
            );
            let label = format!("vif {index}");
            let slot = join(&label, identity, interrupt, Box::new(device));
            if config.queue_pairs > 1 {
                served.push((Served::NetControl(control), slot.clone(), label));
            }
            slots.push(slot);
        }
        let bus = Arc::new(Bus::new(slots, serial.clone()));
        Ok(Parts {
            bus,
            serial,
            console,
            served,
        })
    }

    fn interrupt(&self, vm: &VmFd, gsi: u32) -> Result<Interrupt, MachineError> {
        let interrupt = Interrupt::new().map_err(self.host_error("eventfd"))?;
        interrupt
            .connect(vm, gsi)
            .map_err(self.kvm_error("KVM_IRQFD"))?;
        Ok(interrupt)
    }

    /// Lets the kernel take the kicks of `queues`, which spares the vCPU an exit to this process.
    fn connect_kicks(
        &self,
        vm: &VmFd,
        place: u32,
        queues: impl IntoIterator<Item = u16>,
        event: &EventFd,
    ) -> Result<(), MachineError> {
        let base = layout::MMIO_BASE + u64::from(place) * layout::MMIO_STRIDE;
        let address = IoEventAddress::Mmio(base + offset::QUEUE_NOTIFY);
        for queue in queues {
            vm.register_ioevent(event, &address, u32::from(queue))
                .map_err(self.kvm_error("KVM_IOEVENTFD"))?;
        }
        Ok(())
    }

    /// The vCPUs: the first at the image's entry, the others waiting for its INIT and SIPI.
    pub fn vcpus(
        &self,
        vm: &VmFd,
        entry: Entry,
        bus: &Arc<Bus>,
        shared: &Arc<Shared>,
    ) -> Result<Vec<Vcpu>, MachineError> {
        let mut leaves =
            cpuid::supported(self.host.kvm()).map_err(self.kvm_error("KVM_GET_SUPPORTED_CPUID"))?;
        let count = self.config.vcpus;
        (0..count)
            .map(|id| {
                let fd = vm
                    .create_vcpu(u64::from(id))
                    .map_err(self.kvm_error("KVM_CREATE_VCPU"))?;
                cpuid::identify(&mut leaves, id, count);
                fd.set_cpuid2(&leaves)
                    .map_err(self.kvm_error("KVM_SET_CPUID2"))?;
                if id == 0 {
                    let mut system = fd.get_sregs().map_err(self.kvm_error("KVM_GET_SREGS"))?;
                    entry.system(&mut system);
                    fd.set_sregs(&system)
                        .map_err(self.kvm_error("KVM_SET_SREGS"))?;
                    fd.set_regs(&entry.general())
                        .map_err(self.kvm_error("KVM_SET_REGS"))?;
                }
                let (bus, shared, ram) = (bus.clone(), shared.clone(), self.ram.clone());
                Ok(Vcpu {
                    fd,
                    id,
                    bus,
                    shared,
                    ram,
                })
            })
            .collect()
    }
}

fn join(
    label: &str,
    identity: Identity,
    interrupt: Interrupt,
    device: Box<dyn VirtioDevice>,
) -> Arc<Slot> {
    Arc::new(Slot::new(
        label.to_string(),
        Transport::new(identity, interrupt),
        device,
    ))
}
