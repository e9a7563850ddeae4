//! The `pinode` command.
fn main() {}
