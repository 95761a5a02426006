//! Terminal output, questions and exit codes.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use hyperdex_local::commands::arguments::Output;

/// Returns the exit code of a command. On an error, prints it in one line and returns 2.
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

/// Asks the user a yes-or-no question. Returns `None` without a terminal.
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

/// Prints a line. Ignores a closed pipe.
pub(crate) fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Prints an error in one line.
#[expect(clippy::print_stderr, reason = "a program for a terminal")]
pub(crate) fn complain(error: &dyn std::error::Error) {
    eprintln!("hyperdex: {error}");
}

/// Prints a remark of a command. Results alone go to the standard output.
#[expect(clippy::print_stderr, reason = "a program for a terminal")]
fn note(line: &str) {
    eprintln!("{line}");
}

/// The terminal, for commands that have a result and remarks.
pub(crate) struct Terminal;

impl Output for Terminal {
    fn say(&self, line: &str) {
        say(line);
    }

    fn note(&self, line: &str) {
        note(line);
    }
}
