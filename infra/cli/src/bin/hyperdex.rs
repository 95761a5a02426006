//! The program `hyperdex`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hyperdex_cli::main()
}
