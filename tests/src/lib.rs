//! End to end: real machines, real interfaces, real peers.
