//! Why a rule or a table's entry is refused.

use alloc::string::String;

use super::MAX_TABLES;
use crate::control::matching::Protocol;
use crate::prefix::Prefix;
use crate::vn::Vn;

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// There are as many as there can be.
    #[error("there are {0} rules, and no more are allowed; delete some first, or configure more")]
    Full(usize),
    /// The priority is taken.
    #[error("there is a rule with priority {0}; allowed: replace, or another priority")]
    Exists(u32),
    /// There is no such rule.
    #[error("there is no rule with priority {0}")]
    Missing(u32),
    /// Nothing names the rule.
    #[error("priority is missing; it is what names the rule to be deleted")]
    Unnamed,
    /// No priority is left behind the last rule's.
    #[error("no priority is left behind {0}, the last rule's; give one that is free")]
    NoPriority(u32),
    /// No packet could match: ports of a protocol that has none.
    #[error(
        "{field} with protocol {protocol}: no packet could match; allowed with tcp, udp, udplite, sctp or without protocol"
    )]
    PortsOf {
        /// `sport` or `dport`.
        field: &'static str,
        /// The protocol.
        protocol: Protocol,
    },
    /// No packet could match: a type of a protocol that has none.
    #[error(
        "type with protocol {0}: no packet could match; allowed with icmpv6 or without protocol"
    )]
    TypeOf(Protocol),
    /// No packet could match: ICMPv6 has no ports.
    #[error("{0} with type: no packet could match, as ICMPv6 has no ports; allowed: one of both")]
    PortsAndType(&'static str),
    /// No packet could match: types have 8 bits.
    #[error("type {0}: no packet could match; allowed: 0 to 255")]
    Type(crate::control::matching::Range),
    /// No packet could match: the interface is in another virtual network.
    #[error("dev {dev} is in vn {of}: no packet could match vn {vn}; allowed: {of}, or no vn")]
    OtherVn {
        /// The interface.
        dev: String,
        /// Its virtual network.
        of: Vn,
        /// The one that the rule wants.
        vn: Vn,
    },
    /// No packet could match: ports and types are in first fragments.
    #[error(
        "{0} with fragment true: no packet could match, as fragments behind the first have no upper-layer header"
    )]
    Fragment(&'static str),
    /// The interface is not known.
    #[error("dev: {0}")]
    Interface(String),
    /// A table that it names cannot be.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Too many changes wait to be in force.
    #[error("too many changes of rules are not in force yet; try again in a second")]
    Busy,
    /// The heap is full.
    #[error("no memory is left for another rule; give the guest more")]
    OutOfMemory,
}

/// Why a table, or an entry of one, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// There are as many as there can be.
    #[error("table {0}: there are {MAX_TABLES} tables, and no more are allowed")]
    TooMany(String),
    /// The name is none.
    #[error("{0}")]
    Name(String),
    /// The prefix is in the table.
    #[error("table {table} has {prefix} already")]
    Exists {
        /// The table.
        table: String,
        /// The prefix.
        prefix: Prefix,
    },
    /// The prefix is not in the table.
    #[error("table {table} has no {prefix}")]
    Missing {
        /// The table.
        table: String,
        /// The prefix.
        prefix: Prefix,
    },
    /// There are as many prefixes as are configured.
    #[error(
        "there are {0} prefixes in tables already; allowed: as many as limits.table_prefixes says"
    )]
    Full(usize),
    /// There is no such table.
    #[error("there is no table {0}")]
    NoTable(String),
    /// The heap is full.
    #[error("no memory is left for another prefix of a table; give the guest more")]
    OutOfMemory,
}
