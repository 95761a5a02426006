//! `cargo xtask`: one entry point for the repository's tasks. Each task runs a command that also
//! works without it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;

/// Run a task of the repository
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Write the generated pages of docs/reference
    Reference,
    /// Write docs/openapi.json
    #[command(name = "openapi")]
    OpenApi,
    /// Write the role matrix of the templates
    Matrix,
    /// Write the fuzzer's seeds
    Seeds,
    /// Check the templates and write the table of quotas
    Quotas,
    /// Run the gate, or one script of .ci
    Check {
        /// Script in .ci, such as prose
        #[arg(default_value = "run")]
        script: PathBuf,
        /// Arguments of the script
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

impl Task {
    /// Returns the command of the task.
    fn command(&self) -> Command {
        match self {
            Self::Reference => rewriting("WRITE_REFERENCE", "repo", "reference_pages_are_current"),
            Self::OpenApi => cargo(&["run", "--locked", "--", "openapi", "docs/openapi.json"]),
            Self::Matrix => rewriting("WRITE_MATRIX", "template", "role_matrix_matches"),
            Self::Seeds => rewriting("WRITE_SEEDS", "corpus", "corpus_seeds_match"),
            Self::Quotas => {
                let mut command = Command::new(".ci/template-checks");
                command.arg("--write");
                command
            }
            Self::Check { script, arguments } => {
                let mut command = Command::new(Path::new(".ci").join(script));
                command.args(arguments);
                command
            }
        }
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Returns the command that runs one test of a generated file, with the variable that makes the
/// test write the file first. Builds the same features as the gate.
fn rewriting(variable: &str, binary: &str, test: &str) -> Command {
    let mut command = cargo(&["test", "--workspace", "--locked", "--test", binary, "--", test]);
    command.env(variable, "1");
    command
}

#[expect(clippy::print_stderr, reason = "a program for a terminal")]
fn main() -> ExitCode {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut command = Task::parse().command();
    // `Command` resolves a relative program in the directory of this process.
    if let Err(error) = std::env::set_current_dir(root) {
        eprintln!("xtask: {root}: {error}");
        return ExitCode::FAILURE;
    }
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {}: {error}", command.get_program().display());
            ExitCode::FAILURE
        }
    }
}
