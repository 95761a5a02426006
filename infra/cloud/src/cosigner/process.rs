//! The cosigner's process, which is restarted when it ends.

use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyperdex_listen::Reservation;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::Instant;

use super::CosignerSettings;
use crate::engines::CHILD_KEY;
use crate::error::CloudError;

/// Maximum number of restarts within [`WITHIN`].
const MAX_STARTS: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);
/// Delay before the second restart within [`WITHIN`]. Each later delay doubles.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The cosigner's process. It ends when its standard input closes: when this handle is dropped, or
/// when this process ends for any reason.
#[derive(Debug)]
pub struct CosignerProcess {
    child: Child,
    /// Separate from the child, because waiting for a child closes its own input.
    input: Option<ChildStdin>,
    /// Includes the reserved port, so that each process listens on the same one.
    settings: CosignerSettings,
    _port: Reservation,
    quiet: bool,
}

impl CosignerProcess {
    /// Restarts the process whenever it ends, and reports that through `say`. Sets `down`
    /// meanwhile. Returns when the process ends too often.
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
            match spawn(&self.settings, self.quiet).await {
                Ok((child, _)) => {
                    (self.input, self.child) = child;
                    down.store(false, Ordering::SeqCst);
                    say(&format!("The cosigner's process ended ({how}). It was restarted."));
                }
                Err(error) => tracing::error!(%error, "the cosigner's process did not start"),
            }
        }
    }

    /// Stops the process.
    pub async fn stop(mut self) {
        drop(self.input.take());
        let _ = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
    }
}

fn how(ended: std::io::Result<ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// Starts this program again as the cosigner, waits until it listens, and returns its URL too.
///
/// # Errors
/// Returns an error when the port is in use, or the process does not start or does not listen.
pub async fn in_child(
    settings: &CosignerSettings,
    quiet: bool,
) -> Result<(CosignerProcess, String), CloudError> {
    let port = Reservation::new("the cosigner", settings.ip, settings.port).await?;
    let settings = CosignerSettings { port: port.port(), ..settings.clone() };
    let ((input, child), address) = spawn(&settings, quiet).await?;
    Ok((CosignerProcess { child, input, settings, _port: port, quiet }, address))
}

/// Starts the process on its reserved port, and returns it, its input and its URL.
async fn spawn(
    settings: &CosignerSettings,
    quiet: bool,
) -> Result<((Option<ChildStdin>, Child), String), CloudError> {
    let failed = |cause: String| CloudError::Part { what: "the cosigner's process", cause };
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    if quiet && std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "off");
    }
    // The child inherits the credentials from this process's environment.
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
    let output =
        child.stdout.take().ok_or_else(|| failed("the process has no output".to_owned()))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await.map_err(|error| failed(error.to_string()))?;
    if line.is_empty() {
        return Err(failed("the process ended immediately; see its message above".to_owned()));
    }
    let input = child.stdin.take();
    Ok(((input, child), line.trim().to_owned()))
}
