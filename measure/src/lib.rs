//! Source, sink, statistics and reports: what a network node is measured with.
//!
//! A [`stream`] says what frames look like and when they are due; a [`source`] sends streams, a
//! [`sink`] takes them and counts what befell each frame by its [`signature`]; a [`wire`] is a source
//! and a sink behind a port of the node, in the worker's own bursts, read by a probe from another
//! thread; a [`meter`] makes figures of what the probes read, and a [`report`] shows them to people. All is pure, clocks are
//! injected. Only [`path`], which makes trials, [`limits`], which measures the tester itself,
//! and the account that a wire keeps of its own time read one.
//!
//! ```
//! use pinode_measure::{sink::Sink, source::Source, stats, stream::{Stream, StreamSpec}};
//!
//! let streams = Stream::all([StreamSpec::new(1, 1, 79, 1e6)])?;
//! let (mut source, mut sink) = (Source::new(&streams, 64), Sink::new(&streams));
//! let mut latency = [stats::latency()];
//! source.start(0);
//! let mut slot = [0; 75];
//! source.next(0).expect("the first frame is due at the start").write(&mut slot);
//! sink.absorb(250, &slot, &mut latency);
//! assert_eq!(sink.received().next().unwrap().frames, 1);
//! assert_eq!(latency[0].max(), 250);
//! # Ok::<(), pinode_measure::stream::StreamError>(())
//! ```

pub mod burst;
pub mod compare;
pub mod deliver;
pub mod export;
pub mod fit;
mod frame;
pub mod imix;
pub mod import;
pub mod limits;
pub mod meter;
pub mod method;
pub mod order;
pub mod pace;
pub mod path;
pub mod pause;
pub mod plan;
pub mod report;
pub mod results;
pub mod seed;
pub mod serve;
pub mod signature;
pub mod sink;
pub mod source;
pub mod stats;
pub mod stream;
pub mod trial;
pub mod wire;
