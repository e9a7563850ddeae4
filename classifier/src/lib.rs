//! The Parallel Internet Header, the 256-entry classification table, access ports, policers.
