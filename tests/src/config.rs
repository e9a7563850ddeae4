//! Text of node.toml files for the tests, written as a user would write them.

use std::fmt::Write as _;

/// One `[[port]]`.
#[derive(Clone, Debug)]
pub struct Port {
    /// Name in the file.
    pub name: &'static str,
    /// Backend string, as `af_xdp:IF`.
    pub backend: String,
    /// PI of an access port; `None`: a trunk.
    pub access: Option<&'static str>,
}

impl Port {
    /// A trunk port.
    #[must_use]
    pub fn trunk(name: &'static str, backend: impl Into<String>) -> Self {
        Self {
            name,
            backend: backend.into(),
            access: None,
        }
    }
}

/// One `[pi.NAME]`.
#[derive(Clone, Debug)]
pub struct Pi {
    /// Name in the file.
    pub name: &'static str,
    /// PI code.
    pub code: u8,
    /// Guest: `builtin:patch` or a path.
    pub guest: String,
    /// Further lines of its table.
    pub more: String,
}

impl Pi {
    /// A PI served by `builtin:patch`.
    #[must_use]
    pub fn patch(name: &'static str, code: u8) -> Self {
        Self {
            name,
            code,
            guest: "builtin:patch".into(),
            more: String::new(),
        }
    }
}

/// A whole node.toml.
#[derive(Clone, Debug)]
pub struct NodeToml {
    /// `kvm` or `thread`.
    pub isolation: &'static str,
    /// Ports in order.
    pub ports: Vec<Port>,
    /// PIs in order; each gets one phase of 100 us in each port's cycle.
    pub pis: Vec<Pi>,
}

impl NodeToml {
    /// Two trunk ports `west` and `east` and the three PIs, each with `builtin:patch`.
    #[must_use]
    pub fn patch(
        isolation: &'static str,
        west: impl Into<String>,
        east: impl Into<String>,
    ) -> Self {
        Self {
            isolation,
            ports: vec![Port::trunk("west", west), Port::trunk("east", east)],
            pis: crate::frame::PIS
                .map(|(name, code)| Pi::patch(name, code))
                .into(),
        }
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "[node]\nname = \"n1\"\nisolation = \"{}\"\n",
            self.isolation
        );
        let phases: Vec<String> = self
            .pis
            .iter()
            .map(|pi| format!("{{ pi = \"{}\", for = \"100us\" }}", pi.name))
            .collect();
        for port in &self.ports {
            let mode = match port.access {
                None => "mode = \"trunk\"".to_owned(),
                Some(pi) => format!("mode = \"access\"\npi = \"{pi}\""),
            };
            let _ = write!(
                text,
                "\n[[port]]\nname = \"{}\"\nbackend = \"{}\"\n{mode}\ncapacity = \"1Gbps\"\n\
                 [port.cycle]\nphases = [ {} ]\n",
                port.name,
                port.backend,
                phases.join(", ")
            );
        }
        for pi in &self.pis {
            let _ = write!(
                text,
                "\n[pi.{}]\ncode = {}\nguest = \"{}\"\n{}\n",
                pi.name, pi.code, pi.guest, pi.more
            );
        }
        text
    }
}
