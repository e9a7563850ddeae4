//! Source, sink, statistics and reports: what a network node is measured with.
