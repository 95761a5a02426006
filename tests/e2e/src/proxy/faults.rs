//! Faults of a call at the proxy, and calls that arrive later.

use std::sync::Arc;

use axum::response::Response;
use exchange_sim::faults::Fault;

use super::parts::{broken, fail, kind};
use super::{Call, Process, Proxy, lock};

/// A call that is still on its way after its connection broke.
pub(super) struct Late {
    /// The time of its arrival, Unix milliseconds.
    at_ms: u64,
    process: Arc<Process>,
    service: String,
    call: Call,
}

impl Proxy {
    /// Applies a fault to a call. Returns the response, or none if the call hangs.
    pub(super) async fn disturb(
        &self,
        process: &Arc<Process>,
        service: &str,
        call: Call,
        fault: Fault,
    ) -> Option<Response> {
        match fault {
            Fault::Pass => return Some(self.forward(process, service, call).await),
            Fault::Twice => {
                self.forward(process, service, call.clone()).await;
                return Some(self.forward(process, service, call).await);
            }
            Fault::Late { ms } => {
                let (process, service) = (Arc::clone(process), service.to_owned());
                let at_ms = self.0.clock.now_ms() + ms;
                lock(&self.0.late).push(Late { at_ms, process, service, call });
                return Some(broken());
            }
            Fault::ReadsLag { .. } => {
                self.fail_at_simulator(service, &call, fault);
                return Some(self.forward(process, service, call).await);
            }
            Fault::AppliedButLost | Fault::AppliedThenHang | Fault::AppliedAs(..) => {
                self.forward(process, service, call).await;
            }
            _ => {}
        }
        fail(fault)
    }

    /// Makes the call fail at its simulator. A call of another process with the same path may take
    /// the fault first.
    fn fail_at_simulator(&self, service: &str, call: &Call, fault: Fault) {
        match service {
            "hyperliquid" => self.0.hyperliquid.fail_next(&kind(call), fault),
            "aster" => self.0.aster.fail_next(&format!("/{}", call.path), fault),
            "lighter" => self.0.lighter.fail_next(&format!("/{}", call.path), fault),
            _ => panic!("{service} does not have the fault {fault:?}"),
        }
    }

    /// Forwards the late calls that have arrived by now, in the order of their arrival. The next
    /// call of any process does so too.
    pub async fn deliver_late(&self) {
        while let Some(late) = self.take_late() {
            let proxy = self.clone();
            // The task is separate, so the call arrives even if this one's sender is killed.
            let arrival = tokio::spawn(async move {
                proxy.forward(&late.process, &late.service, late.call).await;
            });
            arrival.await.expect("a call that arrives");
        }
    }

    /// Returns the number of late calls that have not arrived.
    #[must_use]
    pub fn late_calls(&self) -> usize {
        lock(&self.0.late).len()
    }

    fn take_late(&self) -> Option<Late> {
        let now_ms = self.0.clock.now_ms();
        let mut late = lock(&self.0.late);
        let arrived = late.iter().enumerate().filter(|(_, late)| late.at_ms <= now_ms);
        let (first, _) = arrived.min_by_key(|(_, late)| late.at_ms)?;
        Some(late.remove(first))
    }
}
