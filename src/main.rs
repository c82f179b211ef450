//! The `tidegate` program.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::cli::main()
}
