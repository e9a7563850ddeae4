//! The `pinode` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    pinode_node::cli::main()
}
