//! Passphrases: from a file, from standard input, or from a terminal.

use std::io::{ErrorKind, IsTerminal, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::RecoveryCommandError;

/// Most bytes of a passphrase file.
const MAX_PASSPHRASE: u64 = 4_096;

/// The name of standard input.
const STDIN: &str = "-";

/// The exit code of a program that SIGINT ends.
const INTERRUPTED: i32 = 130;

/// Whether a handler of SIGINT is installed.
static HANDLED: AtomicBool = AtomicBool::new(false);

/// Whether a prompt is open, so that the terminal shows no input.
static PROMPTING: AtomicBool = AtomicBool::new(false);

/// The source of a passphrase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passphrase<'a> {
    /// The file; without one, the user is asked.
    pub(super) file: Option<&'a Path>,
    /// The option that names the file.
    pub(super) option: &'static str,
    /// The file that the passphrase protects.
    pub(super) of: &'a Path,
}

impl<'a> Passphrase<'a> {
    /// Returns the source that an option names.
    pub(super) const fn new(file: Option<&'a Path>, option: &'static str, of: &'a Path) -> Self {
        Self { file, option, of }
    }

    /// Returns the passphrase of an existing key.
    ///
    /// # Errors
    /// Fails when the file cannot be read, or there is neither a file nor a terminal.
    pub(super) fn read(self) -> Result<Zeroizing<String>, RecoveryCommandError> {
        self.file.map_or_else(|| self.ask("Passphrase of"), from_file)
    }

    /// Returns the passphrase of a new key or keystore. On a terminal, the user types it twice.
    ///
    /// # Errors
    /// As [`Self::read`], and when the two entries differ.
    pub(super) fn read_new(self) -> Result<Zeroizing<String>, RecoveryCommandError> {
        if let Some(file) = self.file {
            return from_file(file);
        }
        let first = self.ask("New passphrase of")?;
        let second = self.ask("Repeat the passphrase of")?;
        if *first == *second { Ok(first) } else { Err(RecoveryCommandError::DifferentEntries) }
    }

    fn ask(self, prompt: &str) -> Result<Zeroizing<String>, RecoveryCommandError> {
        let option = self.option;
        if !std::io::stdin().is_terminal() && !std::io::stderr().is_terminal() {
            return Err(RecoveryCommandError::NoTerminal { option });
        }
        let failed = |source| RecoveryCommandError::Prompt { option, source };
        handle_interrupts().map_err(failed)?;
        let prompt = format!("{prompt} {}: ", self.of.display());
        PROMPTING.store(true, Ordering::SeqCst);
        let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
        PROMPTING.store(false, Ordering::SeqCst);
        typed.map_err(|source| match source.kind() {
            ErrorKind::Interrupted => RecoveryCommandError::Interrupted,
            _ => failed(source),
        })
    }
}

/// Handles Ctrl-C. At a prompt, `rpassword` raises SIGINT while the terminal's echo is off. The
/// default action would end the process there. With a handler, the prompt restores the echo and
/// fails. At any other time, the handler ends the process, as the default action does.
fn handle_interrupts() -> std::io::Result<()> {
    if HANDLED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let mut interrupts = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        while interrupts.recv().await.is_some() {
            if !PROMPTING.load(Ordering::SeqCst) {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    Ok(())
}

/// Checks that at most one passphrase of a command comes from standard input.
///
/// # Errors
/// Fails when two do.
pub(super) fn one_from_stdin(sources: &[Passphrase<'_>]) -> Result<(), RecoveryCommandError> {
    let piped = sources.iter().filter(|source| source.file == Some(Path::new(STDIN)));
    let piped: Vec<&str> = piped.map(|source| source.option).collect();
    if piped.len() > 1 {
        return Err(RecoveryCommandError::TwoFromStdin(piped.join(" and ")));
    }
    Ok(())
}

/// Reads a passphrase: the file's content without the last line break.
fn from_file(path: &Path) -> Result<Zeroizing<String>, RecoveryCommandError> {
    let failed = |source| RecoveryCommandError::Passphrase { path: path.to_owned(), source };
    let mut text = Zeroizing::new(String::with_capacity(4_096));
    if path == Path::new(STDIN) {
        std::io::stdin().take(MAX_PASSPHRASE).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_PASSPHRASE).read_to_string(&mut text).map_err(failed)?;
    }
    let kept = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(kept);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_passphrase_from_stdin_is_refused() {
        let (stdin, file, of) = (Path::new("-"), Path::new("secret"), Path::new("key.pem"));
        let source = |file, option| Passphrase::new(file, option, of);
        let one = [source(Some(stdin), "--one"), source(Some(file), "--two"), source(None, "--x")];
        assert!(one_from_stdin(&one).is_ok());
        let two = [source(Some(stdin), "--one"), source(Some(stdin), "--two")];
        let error = one_from_stdin(&two).unwrap_err().to_string();
        assert!(error.contains("--one and --two"), "{error}");
    }

    #[test]
    fn passphrase_file_loses_its_last_line_break_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        std::fs::write(&path, " two words \r\n").unwrap();
        let source = Passphrase::new(Some(&path), "--passphrase-file", &path);
        assert_eq!(source.read().unwrap().as_str(), " two words ");
        assert_eq!(source.read_new().unwrap().as_str(), " two words ");
    }
}
