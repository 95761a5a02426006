//! The commands of the documents, as a reader types them: from the tour, the README and the guide
//! to the local stack.
//!
//! `cargo run` is the built program, the API's address is that of a stack with a data directory of
//! its own, and everything else is typed as it is there.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::running::{Running, program};

/// The lines of a document's `sh` blocks, in blocks.
fn blocks(document: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.lines().map(str::to_owned).collect()).collect()
}

/// The commands of a block: a line that ends in `\` goes on in the next one.
fn commands(block: &[String]) -> Vec<String> {
    let text = block.join("\n").replace("\\\n", " ");
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// What follows `cargo run`, if the command is one.
fn arguments(command: &str) -> Option<&str> {
    let rest = command.trim().trim_start_matches("~/.cargo/bin/").strip_prefix("cargo run")?;
    let rest = rest.split(" #").next().unwrap_or_default().trim();
    Some(rest.strip_prefix("--").unwrap_or(rest).trim())
}

/// A reader's terminal, in a directory whose `.local` is the stack's data.
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

    /// What a command prints, without a key that it prints, and its exit code.
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

/// The text without private keys.
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

/// The status that a command's comment promises: `api wallets # 403`.
fn promised(command: &str) -> Option<&str> {
    let (_, comment) = command.rsplit_once(" # ")?;
    (comment.len() == 3 && comment.bytes().all(|byte| byte.is_ascii_digit())).then_some(comment)
}

#[test]
fn every_command_of_the_tour_works() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join(".local");
    let mut terminal = Terminal::open(directory.path());
    let mut running: Option<Running> = None;
    let (mut port, mut promises) = ("0".to_owned(), 0);
    for command in blocks("docs/get-started/tour.md").iter().flat_map(|block| commands(block)) {
        match arguments(&command) {
            Some("") => {
                // Where it was, because the helpers of the terminal have its address.
                let ports = ["--hyperliquid-port", "0", "--aster-port", "0", "--port", &port];
                let started = Running::start_on(&data, &ports);
                port = started.address.rsplit_once(':').unwrap().1.to_owned();
                running = Some(started);
            }
            Some(arguments) => {
                if arguments.starts_with("audit") {
                    // "Stop the stack with Ctrl-C".
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
fn every_command_of_the_readme_works() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join(".local");
    let mut terminal = Terminal::open(directory.path());
    let running = Running::start(&data);
    let (mut calls, mut runs) = (0, 0);
    let documents = ["README.md", "docs/guides/local-stack.md"].map(blocks).concat();
    for command in documents.iter().flat_map(|block| commands(block)) {
        // What installs Rust, fetches the clone and runs this test.
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
