//! The terminal: output, questions and exit codes.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// A command's end: exit code 2 and one line when it could not be done.
pub(crate) fn done<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

/// Prints an error, and returns the exit code 1.
pub(crate) fn failed(error: &dyn std::error::Error) -> ExitCode {
    complain(error);
    ExitCode::FAILURE
}

/// Asks the person at the terminal. Returns `None` without a terminal.
pub(crate) fn asks(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    let mut output = std::io::stderr().lock();
    let _ = write!(output, "{question} [y/N] ").and_then(|()| output.flush());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok()?;
    Some(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Ignores a reader that has closed the pipe.
pub(crate) fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Prints an error in one line.
#[expect(clippy::print_stderr, reason = "a program for a terminal")]
pub(crate) fn complain(error: &dyn std::error::Error) {
    eprintln!("hyperdex: {error}");
}
