//! The node in this process, as what trials are made on: booted, with a tester at each of its ports.
//!
//! Must never be measured before all guests forward, nor outlive its measurement.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use pinode_measure::path::Wires;
use pinode_measure::trial::{DeviceError, Reset, Side};
use pinode_ports::{InlinePort, Port, slot_octets_for};

use super::plan::NodePlan;
use crate::control::{Control as _, ControlError, GuestAction};
use crate::operator::Operator;
use crate::running::RunningNode;
use crate::status::{Status, violations};

/// Guests that do not forward by then never will.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// A command that ends within this time has its exit code looked at before the trial goes on.
const AT_ONCE: Duration = Duration::from_millis(300);

/// A node with a tester at both ends.
pub struct NodeUnderTest {
    node: RunningNode,
    /// The tester.
    pub wires: Wires,
}

impl NodeUnderTest {
    /// Boots the node of `plan` and waits until its guests forward, or `interrupted` is set.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from running.
    pub fn boot(plan: &NodePlan, largest: u32, interrupted: &AtomicBool) -> anyhow::Result<Self> {
        let config = &plan.config;
        let capacity_bps = [Side::West, Side::East].map(|side| plan.port(side).capacity_bps);
        let largest = u16::try_from(largest).unwrap_or(u16::MAX);
        let (mut wires, ends) = Wires::new(capacity_bps, largest, plan.describe());
        // A PI that is offered more than its ceiling may be offered more than the link has.
        wires.may_exceed_line(true);
        let ports = config
            .ports
            .iter()
            .zip(ends)
            .map(|(port, wire)| -> Vec<Box<dyn Port>> {
                vec![Box::new(InlinePort::new(wire, slot_octets_for(port.mtu)))]
            });
        let node = RunningNode::start(config.clone(), ports.collect())?;
        let ready = node.wait_ready(READY_LIMIT, || interrupted.load(Ordering::Relaxed));
        if let Err(error) = ready {
            node.stop();
            return Err(error);
        }
        let operator = Arc::clone(node.operator());
        wires.reset_by(Reset::Software, move || restart_all(&operator));
        Ok(Self { node, wires })
    }

    /// Flavour of KVM, where guests are machines.
    ///
    /// # Errors
    ///
    /// The worker does not answer.
    pub fn kvm(&self) -> anyhow::Result<Option<String>> {
        Ok(self.status()?.kvm)
    }

    /// What the node's operator is asked.
    #[must_use]
    pub fn operator(&self) -> Arc<Operator> {
        Arc::clone(self.node.operator())
    }

    /// Whether the sums of the node's counters hold, which they do however it was treated.
    ///
    /// # Errors
    ///
    /// The worker does not answer.
    pub fn sums_note(&self) -> anyhow::Result<String> {
        let broken = violations(&self.status()?);
        if broken.is_empty() {
            return Ok(
                "Every frame is accounted for: the sums of the node's counters hold exactly."
                    .to_owned(),
            );
        }
        let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
        Ok(format!(
            "Sums of the node's counters do not hold, a mistake of pinode: {}.",
            broken.join("; ")
        ))
    }

    fn status(&self) -> anyhow::Result<Status> {
        let status = self.node.operator().status();
        status.map_err(|error| anyhow!("the node's counters: {error}"))
    }

    /// Ends the guests and the workers.
    pub fn stop(self) {
        self.node.stop();
    }
}

/// Starts all guests again, as `pinode guest restart` does with one.
fn restart_all(operator: &Operator) -> Result<(), DeviceError> {
    let failed = |error: ControlError| DeviceError::Reset {
        what: Reset::Software,
        why: error.to_string(),
    };
    for guest in operator.guests().map_err(failed)? {
        operator
            .guest_action(&guest.pi, GuestAction::Restart)
            .map_err(failed)?;
    }
    Ok(())
}

/// What runs the user's own command to reset the device. One that fails at once, such as one that is not there, fails
/// the test; a longer one is waited for elsewhere, and the trial goes on meanwhile.
pub fn reset_by_command(command: String) -> impl Fn() -> Result<(), DeviceError> {
    move || {
        let failed = |error: &dyn std::fmt::Display| DeviceError::Reset {
            what: Reset::Command,
            why: format!("{command}: {error}"),
        };
        let started = Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::null())
            // Stdout is for results.
            .stdout(Stdio::null())
            .spawn();
        let mut child = started.map_err(|error| failed(&error))?;
        let given_up = Instant::now() + AT_ONCE;
        while Instant::now() < given_up {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(failed(&status)),
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(failed(&error)),
            }
        }
        let line = command.clone();
        let waits = thread::Builder::new()
            .name("reset".into())
            .spawn(move || match child.wait() {
                Ok(status) if status.success() => {}
                Ok(status) => tracing::error!("--reset-command {line}: {status}"),
                Err(error) => tracing::error!("--reset-command {line}: {error}"),
            });
        waits.map(drop).map_err(|error| failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_command_that_fails_at_once_is_an_error() {
        let said =
            |command: &str| reset_by_command(command.to_owned())().map_err(|e| e.to_string());
        assert_eq!(said("true"), Ok(()));
        let error = said("exit 3").unwrap_err();
        assert!(
            error.contains("exit 3") && error.contains("exit status: 3"),
            "{error}"
        );
    }
}
