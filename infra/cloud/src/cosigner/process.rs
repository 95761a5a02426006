//! The cosigner's process, which is started again when it ends.

use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::Instant;
use url::Url;

use super::CosignerSettings;
use crate::engines::CHILD_KEY;
use crate::error::CloudError;

/// How often it is started again within [`WITHIN`].
const MAX_STARTS: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);
/// The wait before the second start within [`WITHIN`]; each later one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The cosigner's process. It ends when its standard input does: with this handle, or with this
/// process, however that dies.
#[derive(Debug)]
pub struct CosignerProcess {
    child: Child,
    /// Apart from the child, because waiting for a child closes the input that it holds.
    input: Option<ChildStdin>,
    /// With the port on which it listens, so that the next process listens there.
    settings: CosignerSettings,
    quiet: bool,
}

impl CosignerProcess {
    /// Starts it again whenever it ends, and says so. `down` is set meanwhile. Returns when it ends
    /// too often.
    pub async fn keep(&mut self, down: &AtomicBool, say: impl Fn(&str)) -> CloudError {
        let mut starts: VecDeque<Instant> = VecDeque::new();
        loop {
            let how = how(self.child.wait().await);
            down.store(true, Ordering::SeqCst);
            tracing::error!(%how, "the cosigner's process ended");
            while starts.front().is_some_and(|start| start.elapsed() > WITHIN) {
                starts.pop_front();
            }
            if starts.len() == MAX_STARTS {
                return CloudError::Ended {
                    what: "the cosigner's process",
                    cause: format!("{how}; it was started {MAX_STARTS} times within a minute"),
                };
            }
            if let Some(before) = u32::try_from(starts.len()).ok().and_then(|n| n.checked_sub(1)) {
                tokio::time::sleep(FIRST_WAIT * 2_u32.pow(before)).await;
            }
            starts.push_back(Instant::now());
            match in_child(&self.settings, self.quiet).await {
                Ok((process, _)) => {
                    *self = process;
                    down.store(false, Ordering::SeqCst);
                    say(&format!("The cosigner's process ended ({how}). It was started again."));
                }
                Err(error) => tracing::error!(%error, "the cosigner's process did not start"),
            }
        }
    }

    /// Lets it end.
    pub async fn stop(mut self) {
        drop(self.input.take());
        let _ = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
    }
}

fn how(ended: std::io::Result<ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// Starts this program once more as the cosigner, waits until it listens, and returns its URL too.
///
/// # Errors
/// When the process does not start or does not listen.
pub async fn in_child(
    settings: &CosignerSettings,
    quiet: bool,
) -> Result<(CosignerProcess, String), CloudError> {
    let failed = |cause: String| CloudError::Part { what: "the cosigner's process", cause };
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    if quiet && std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "off");
    }
    // Its credentials are in this process's environment, which it inherits.
    match &settings.engine {
        Some(engine) => command.env(CHILD_KEY, &engine.key),
        None => command.env_remove(CHILD_KEY),
    };
    let mut child = command
        .args(settings.arguments())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let output = child.stdout.take().ok_or_else(|| failed("it has no output".to_owned()))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await.map_err(|error| failed(error.to_string()))?;
    let address = line.trim().to_owned();
    let port = Url::parse(&address).ok().and_then(|url| url.port());
    let Some(port) = port else {
        return Err(failed("it ended at once; its message is above".to_owned()));
    };
    let input = child.stdin.take();
    let settings = CosignerSettings { port, ..settings.clone() };
    Ok((CosignerProcess { child, input, settings, quiet }, address))
}
