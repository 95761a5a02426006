//! A built function as a process that polls the emulator.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use e2e::Reply;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::START;

/// How an invocation ended.
#[derive(Debug)]
pub(crate) enum Invoked {
    /// The function's response.
    Answered(Value),
    /// The function's error.
    Failed(Value),
    /// The function exceeded its timeout and was killed.
    OutOfTime,
}

/// A built function with at most one process, as Lambda has for one call at a time.
pub(crate) struct Function {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) log: PathBuf,
    pub(super) invoke: String,
    pub(super) http: reqwest::Client,
    pub(super) timeout: Duration,
    pub(super) process: Option<Child>,
}

impl Function {
    /// Changes a variable before the start.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes a variable before the start.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Changes the timeout.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the function, for a function that other functions invoke.
    pub(crate) fn started(mut self) -> Self {
        self.start();
        self
    }

    fn start(&mut self) {
        if self.process.is_none() {
            self.process = Some(self.command().kill_on_drop(true).spawn().unwrap());
        }
    }

    /// Sends standard output and standard error to the log file.
    fn command(&self) -> Command {
        assert!(self.program.is_file(), "{} is not built", self.program.display());
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }

    /// Starts the function, which must end at once. Returns true if it failed, and its log.
    pub(crate) async fn ends(self) -> (bool, String) {
        let status = timeout(START, self.command().kill_on_drop(true).status()).await;
        let failed = !status.expect("an ended process").unwrap().success();
        (failed, std::fs::read_to_string(&self.log).unwrap())
    }

    /// Returns the process id. A new process has another id.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.as_ref().and_then(Child::id).unwrap()
    }

    /// Returns the peak memory of the process as text.
    pub(crate) fn peak(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        format!("peak memory: {}: {}", self.name, peak.unwrap_or("unknown").trim())
    }

    /// Returns the processor time of the process, with a resolution of 10 ms.
    pub(crate) fn used(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process_id())).unwrap();
        // The fields after the name, which may contain spaces: user time and system time.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks = [fields[11], fields[12]].map(|field| field.parse::<u64>().unwrap());
        Duration::from_millis(ticks.iter().sum::<u64>() * 10)
    }

    /// Returns the log's lines, which are JSON.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect()
    }

    /// Invokes the function with any payload. The first call, and the first call after a timeout,
    /// starts a new process.
    pub(crate) async fn invoke(&mut self, payload: impl Into<reqwest::Body>) -> Invoked {
        self.start();
        let answer = async {
            let answer = self.http.post(&self.invoke).body(payload).send().await.unwrap();
            let (status, body) = (answer.status().as_u16(), answer.bytes().await.unwrap());
            (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
        };
        match timeout(self.timeout, answer).await {
            Ok((200, body)) => Invoked::Answered(body),
            // The emulator returns 500. AWS returns 200 with `X-Amz-Function-Error`.
            Ok((500, body)) => Invoked::Failed(body),
            Ok(other) => panic!("{}: the emulator returned {other:?}", self.name),
            Err(_) => {
                self.process.take().unwrap().kill().await.unwrap();
                Invoked::OutOfTime
            }
        }
    }

    /// Sends an event of API Gateway and reads the response as API Gateway does.
    pub(crate) async fn call(&mut self, event: &Value) -> Reply {
        let Invoked::Answered(answer) = self.invoke(event.to_string()).await else {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{} did not respond: {event}\n{log}", self.name);
        };
        let text = answer["body"].as_str().unwrap_or_default();
        let bytes = match answer["isBase64Encoded"].as_bool() {
            Some(true) => BASE64_STANDARD.decode(text).unwrap(),
            _ => text.as_bytes().to_vec(),
        };
        let mut headers = http::HeaderMap::new();
        let many = answer["multiValueHeaders"].as_object().into_iter().flatten();
        let one = answer["headers"].as_object().into_iter().flatten();
        for (name, values) in many.chain(one) {
            let values = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
            for value in values {
                let name: http::HeaderName = name.parse().unwrap();
                headers.insert(name, value.as_str().unwrap().parse().unwrap());
            }
        }
        Reply {
            status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            headers,
        }
    }
}
