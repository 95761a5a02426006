//! The program itself, started as a user starts it.

#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperdex"));
    command.env("RUST_LOG", "warn");
    for name in [
        "HYPERLIQUID_URL",
        "HYPERLIQUID_CHAIN",
        "ASTER_URL",
        "ASTER_CHAIN",
        "ASTER_SIGNATURE_CHAIN_ID",
        "ASTER_AGENT_CHAIN_ID",
    ] {
        command.env_remove(name);
    }
    command
}

/// The program, while it runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) lines: Vec<String>,
}

impl Running {
    /// Starts the stack and waits until it has said all that it says.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    pub(crate) fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let mut child = program()
            .args(["--port", "0", "--data-dir"])
            .arg(data)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = Vec::new();
        for line in output.lines() {
            lines.push(line.unwrap());
            if lines.last().unwrap().starts_with("Ctrl-C") {
                break;
            }
        }
        let api = lines.iter().find_map(|line| line.trim().strip_prefix("API"));
        let address = api.unwrap_or_else(|| panic!("{lines:?}")).trim().to_owned();
        Self { child, address: address.replace("http://", ""), lines }
    }

    /// One HTTP request by hand; the status and the body.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.call_with("any", method, path, body)
    }

    /// With an API key; an empty one is none.
    pub(crate) fn call_with(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, Value) {
        let key = if key.is_empty() { String::new() } else { format!("X-API-KEY: {key}\r\n") };
        let mut socket = TcpStream::connect(&self.address).unwrap();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: local\r\nConnection: close\r\n{key}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// The URL of a part of it, as it has said.
    pub(crate) fn url(&self, part: &str) -> String {
        let line = self.lines.iter().find_map(|line| line.trim().strip_prefix(part)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes whose parent is `parent`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let listed = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let after_name = stat.rsplit_once(") ")?.1;
        (after_name.split(' ').nth(1)? == parent.to_string()).then_some(pid)
    });
    listed.collect()
}

pub(crate) fn exists(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
