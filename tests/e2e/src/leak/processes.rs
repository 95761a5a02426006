//! Starts processes of either party.

use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::TestApp;
use crate::proxy::Process;

/// A process of one party. Its remote calls pass through the test's proxy.
#[derive(Debug)]
pub struct Party {
    /// The URL of the process.
    pub url: String,
    /// Its remote calls.
    pub calls: Arc<Process>,
    child: Child,
}

#[expect(clippy::expect_used, reason = "a failing test panics")]
impl Party {
    /// Starts a cosigner. `program` is the test's `party` program.
    pub async fn cosigner(app: &TestApp, program: &str, calls: Arc<Process>) -> Self {
        let policy = app.options.policy_document().unwrap_or_default();
        let arguments = [
            "cosigner".to_owned(),
            calls.url("cosigner-dynamodb"),
            calls.url("cosigner-kms"),
            app.options.hyperliquid.chain.as_str().to_owned(),
            app.options.aster.signature_chain_id.to_string(),
            app.options.aster.v1.to_string(),
            policy,
            "127.0.0.1".to_owned(),
            "0".to_owned(),
        ];
        Self::start(program, &arguments, calls).await
    }

    /// Starts the endpoints, which invoke the cosigner at `lambda`.
    pub async fn endpoints(
        app: &TestApp,
        program: &str,
        calls: Arc<Process>,
        lambda: &str,
    ) -> Self {
        let arguments = [
            "endpoints".to_owned(),
            app.data.path().display().to_string(),
            calls.url("dynamodb"),
            calls.url("kms"),
            lambda.to_owned(),
            app.stack.hyperliquid.to_string(),
            app.stack.aster.to_string(),
        ];
        Self::start(program, &arguments, calls).await
    }

    async fn start(program: &str, arguments: &[String], calls: Arc<Process>) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let output = child.stdout.take().expect("standard output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await.expect("an address");
        assert!(line.starts_with("http://"), "expected a URL: {line:?}");
        Self { url: line.trim().to_owned(), calls, child }
    }

    /// Kills the process without a chance to clean up.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a killed process");
    }
}
