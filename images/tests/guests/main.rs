//! The images in real machines: boot by both protocols, frames, sleep and wake-up, faults.
//!
//! Needs `/dev/kvm`; without it each test says so and passes, unless `CI=true` or `PINODE_REQUIRE=all`.

mod boot;
mod dss;
mod faults;
mod frames;
mod node;
