//! The two-level phase scheduler: cycle, gate, level 2 queues, bounds; pure, time injected.
