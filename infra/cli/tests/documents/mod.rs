//! Runs the commands of the documentation as a reader would: those of the tour, the README and the
//! guide to the local stack.
//!
//! `cargo run` runs the built program. The API's address is that of a stack with its own data
//! directory. All other commands run unchanged.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::running::{Running, program};

/// Returns the lines of a document's `sh` blocks, by block.
fn blocks(document: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.lines().map(str::to_owned).collect()).collect()
}

/// Returns the commands of a block. A line that ends in `\` continues in the next line.
fn commands(block: &[String]) -> Vec<String> {
    let text = block.join("\n").replace("\\\n", " ");
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Returns the arguments after `cargo run`, if the command is one.
fn arguments(command: &str) -> Option<&str> {
    let rest = command.trim().trim_start_matches("~/.cargo/bin/").strip_prefix("cargo run")?;
    let rest = rest.split(" #").next().unwrap_or_default().trim();
    Some(rest.strip_prefix("--").unwrap_or(rest).trim())
}

/// A terminal in a directory whose `.local` contains the stack's data.
struct Terminal {
    shell: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    fn open(directory: &Path) -> Self {
        let mut shell = Command::new("bash")
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = shell.stdin.take().unwrap();
        let output = BufReader::new(shell.stdout.take().unwrap()).lines();
        Self { shell, input, output }
    }

    /// Runs a command, and returns its output without private keys, and its exit code.
    fn run(&mut self, command: &str) -> (String, i32) {
        writeln!(self.input, "{command}\necho \"\n::ended $?\"").unwrap();
        let mut said = String::new();
        for line in self.output.by_ref() {
            let line = line.unwrap();
            if let Some(code) = line.strip_prefix("::ended ") {
                return (redacted(&said), code.parse().unwrap());
            }
            said += &line;
            said.push('\n');
        }
        panic!("the terminal has ended: {command}: {said}");
    }
}

/// Returns the text without private keys.
fn redacted(said: &str) -> String {
    let mut parts = said.split("\"apiPrivateKey\":\"");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown += "\"apiPrivateKey\":\"(redacted)";
        shown += part.find('"').map_or("", |end| &part[end..]);
    }
    shown
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Returns the status that a command's comment announces: `api wallets # 403`.
fn promised(command: &str) -> Option<&str> {
    let (_, comment) = command.rsplit_once(" # ")?;
    (comment.len() == 3 && comment.bytes().all(|byte| byte.is_ascii_digit())).then_some(comment)
}

#[test]
fn every_command_of_tour_works() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join(".local");
    let mut terminal = Terminal::open(directory.path());
    let mut running: Option<Running> = None;
    let (mut port, mut promises) = ("0".to_owned(), 0);
    for command in blocks("docs/get-started/tour.md").iter().flat_map(|block| commands(block)) {
        match arguments(&command) {
            Some("") => {
                // Use the former port: the terminal's shell functions contain the address.
                let ports = ["--hyperliquid-port", "0", "--aster-port", "0", "--port", &port];
                let started = Running::start_on(&data, &ports);
                port = started.address.rsplit_once(':').unwrap().1.to_owned();
                running = Some(started);
            }
            Some(arguments) => {
                if arguments.starts_with("audit") {
                    // The tour stops the stack with Ctrl-C here.
                    running.take().unwrap().signal("-INT");
                }
                let output = program()
                    .args(arguments.split_whitespace())
                    .current_dir(directory.path())
                    .output()
                    .unwrap();
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{command}: {errors}");
            }
            None => {
                let address = &running.as_ref().unwrap().address;
                let typed = command.replace("127.0.0.1:3000", address);
                let (said, code) = terminal.run(&typed);
                assert_eq!(code, 0, "{command}: {said}");
                if let Some(status) = promised(&command) {
                    promises += 1;
                    let calls = said.lines().filter(|line| !line.is_empty());
                    assert!(calls.clone().count() > 0, "{command}: {said}");
                    for call in calls {
                        assert!(call.ends_with(&format!(" {status}")), "{command}: {said}");
                    }
                }
                if command.contains("; kill ") {
                    drop(running.take());
                }
            }
        }
    }
    assert!(promises >= 9, "the tour was read: {promises}");
}

#[test]
fn every_command_of_readme_works() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join(".local");
    let mut terminal = Terminal::open(directory.path());
    let running = Running::start(&data);
    let (mut calls, mut runs) = (0, 0);
    let documents = ["README.md", "docs/guides/local-stack.md"].map(blocks).concat();
    for command in documents.iter().flat_map(|block| commands(block)) {
        // Commands that install Rust, clone the repository or run this test.
        let skipped = ["sudo apt-get", "git clone", "cargo test"];
        if skipped.iter().any(|start| command.starts_with(start)) {
            continue;
        }
        match arguments(&command) {
            Some("") => {}
            Some(arguments) => {
                let arguments = arguments.split_whitespace();
                let output =
                    program().args(arguments).current_dir(directory.path()).output().unwrap();
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{command}: {errors}");
                runs += 1;
            }
            None => {
                let (said, code) =
                    terminal.run(&command.replace("127.0.0.1:3000", &running.address));
                assert_eq!(code, 0, "{command}: {said}");
                assert!(said.contains(r#""success":true"#), "{command}: {said}");
                calls += 1;
            }
        }
    }
    assert!(calls >= 7 && runs >= 7, "the README was read: {calls}, {runs}");
}
