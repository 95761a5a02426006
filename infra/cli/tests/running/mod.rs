//! The program itself, started as a user starts it.

#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses a part of it")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

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

/// The running program.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) lines: Vec<String>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts the stack, and waits until it has printed the whole banner.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    pub(crate) fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let ports = ["--port", "0", "--hyperliquid-port", "0", "--aster-port", "0"];
        Self::start_on(data, &[&ports, arguments].concat())
    }

    /// Starts the stack with the given ports only.
    pub(crate) fn start_on(data: &Path, arguments: &[&str]) -> Self {
        let mut child = program()
            .arg("--data-dir")
            .arg(data)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = Vec::new();
        for line in output.by_ref() {
            lines.push(line.unwrap());
            if lines.last().unwrap().starts_with("Ctrl-C") {
                break;
            }
        }
        let api = lines.iter().find_map(|line| line.trim().strip_prefix("API"));
        let address = api.unwrap_or_else(|| panic!("{lines:?}")).trim().to_owned();
        Self { child, address: address.replace("http://", ""), lines, output }
    }

    /// Returns the next printed line. The program prints none for requests.
    pub(crate) fn next_line(&mut self) -> String {
        self.output.next().unwrap().unwrap()
    }

    /// Sends one HTTP request, and returns the status and the body.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.call_with("any", method, path, body)
    }

    /// Sends a request with a tenant key; an empty key sends none.
    pub(crate) fn call_with(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, Value) {
        let key = if key.is_empty() { String::new() } else { format!("X-API-KEY: {key}\r\n") };
        request(&self.address, &key, method, path, body)
    }

    /// Sends a `POST` request to a part of the stack.
    pub(crate) fn post_to(&self, part: &str, path: &str, body: &str) -> (u16, Value) {
        let url = self.url(part);
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        request(address, "", "POST", path, body)
    }

    /// Returns the arguments that start a stack on the ports of this one.
    pub(crate) fn ports(&self) -> Vec<String> {
        let port = |address: &str| {
            let port = address.trim_end_matches('/').rsplit_once(':').unwrap().1;
            port.to_owned()
        };
        let simulators = ["Hyperliquid", "Aster"].map(|part| port(&self.url(part)));
        let [hyperliquid, aster] = simulators;
        let flags = ["--port", "--hyperliquid-port", "--aster-port"].map(str::to_owned);
        let values = [port(&self.address), hyperliquid, aster];
        flags.into_iter().zip(values).flat_map(|(flag, value)| [flag, value]).collect()
    }

    /// Kills the program, and waits until it has ended.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Returns the printed URL of a part.
    pub(crate) fn url(&self, part: &str) -> String {
        let line = self.lines.iter().find_map(|line| line.trim().strip_prefix(part)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

/// Sends one HTTP request with these headers, and returns the status and the body.
fn request(address: &str, headers: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    attempt(address, headers, method, path, body).unwrap()
}

/// Sends one HTTP request with these headers. `None` means that no complete response came.
pub(crate) fn attempt(
    address: &str,
    headers: &str,
    method: &str,
    path: &str,
    body: &str,
) -> Option<(u16, Value)> {
    let mut socket = TcpStream::connect(address).ok()?;
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a raw request, and returns the whole response.
pub(crate) fn exchange(address: impl ToSocketAddrs, request: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).unwrap();
    response
}

/// Returns the child processes of `parent`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let listed = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let after_name = stat.rsplit_once(") ")?.1;
        (after_name.split(' ').nth(1)? == parent.to_string()).then_some(pid)
    });
    listed.collect()
}

/// Returns the ports on which a process listens, on any address.
pub(crate) fn ports(process: u32) -> BTreeSet<u16> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let files: BTreeSet<String> = files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    let mut ports = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/{process}/net/{table}"));
        for line in table.unwrap_or_default().lines().skip(1) {
            let cells: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (cells[1], cells[3], cells[9]);
            if state == "0A" && files.contains(&format!("socket:[{inode}]")) {
                let (_, port) = local.rsplit_once(':').unwrap();
                ports.insert(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    ports
}

pub(crate) fn exists(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
