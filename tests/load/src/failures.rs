//! The failures during a run: the stack is killed, and exchanges fail.

use std::sync::Arc;
use std::time::Duration;

use exchange_sim::faults::Fault;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::Draw;
use crate::error::{LoadError, failed};
use crate::options::LoadOptions;
use crate::server::Server;

/// Requests of each exchange that registrations, rotations or deletions need.
const TARGETS: [(bool, &str); 5] = [
    (true, "registerAndApproveAgent"),
    (true, "deleteAgent"),
    (true, "listAgents"),
    (false, "approveAgent"),
    (false, "extraAgents"),
];

/// The running failures.
pub(crate) struct Failures {
    stop: watch::Sender<bool>,
    kills: JoinHandle<Result<u64, LoadError>>,
    faults: JoinHandle<usize>,
}

/// Starts to kill the stack and to fail exchanges.
pub(crate) fn start(server: &Arc<Server>, options: &LoadOptions) -> Failures {
    let (stop, stopped) = watch::channel(false);
    let kills = {
        let (server, every, mut stopped) = (server.clone(), options.kill_every, stopped.clone());
        tokio::spawn(async move {
            let mut kills = 0;
            while passed(every, &mut stopped).await {
                server.kill().await?;
                kills += 1;
            }
            Ok(kills)
        })
    };
    let faults = {
        let (server, every, mut stopped) = (server.clone(), options.fail_every, stopped);
        let mut draw = Draw::new(options.seed);
        tokio::spawn(async move {
            let mut faults = 0;
            while passed(every, &mut stopped).await {
                let (of_aster, target) = *draw.one_of(&TARGETS);
                let fault = fault(&mut draw);
                if of_aster {
                    server.aster.fail_next(target, fault);
                } else {
                    server.hyperliquid.fail_next(target, fault);
                }
                faults += 1;
            }
            faults
        })
    };
    Failures { stop, kills, faults }
}

impl Failures {
    /// Stops the failures. Returns the number of kills and of failed exchange calls.
    pub(crate) async fn stop(self, server: &Server) -> Result<(u64, usize), LoadError> {
        let _ = self.stop.send(true);
        let kills = self.kills.await.map_err(failed)??;
        let faults = self.faults.await.map_err(failed)?;
        let left = server.aster.clear_faults() + server.hyperliquid.clear_faults();
        Ok((kills, faults.saturating_sub(left)))
    }
}

/// Waits for this interval. Returns false at the end of the run.
async fn passed(every: Option<Duration>, stopped: &mut watch::Receiver<bool>) -> bool {
    let time = async {
        match every {
            Some(every) => tokio::time::sleep(every).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time => true,
        _ = stopped.wait_for(|stop| *stop) => false,
    }
}

fn fault(draw: &mut Draw) -> Fault {
    match draw.below(12) {
        0 => Fault::AppliedThenHang,
        1 | 2 => Fault::RateLimited { retry_after_s: 1 },
        3 | 4 => Fault::Status(503, String::new()),
        5 | 6 => Fault::Garbage,
        7 | 8 => Fault::Reset,
        _ => Fault::AppliedButLost,
    }
}
