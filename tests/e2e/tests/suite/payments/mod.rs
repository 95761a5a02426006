//! Payments over HTTP: their results, refusals, lost responses, and concurrent requests. Each is
//! compared with the ledgers of the simulated exchanges and chains.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

mod concurrent;
mod lost;
mod made;
mod nodes;
mod refused;
mod settled;
mod story;

use e2e::TestApp;
use e2e::payments::{Approvers, Till};

const USER: &str = "payer";

/// A wallet whose tenant may pay 100,000 of each asset, and 1,000 without approvals.
struct Scene {
    app: TestApp,
    approvers: Approvers,
    till: Till,
}

impl Scene {
    async fn open() -> Self {
        Self::limited("100000", Some("1000")).await
    }

    async fn limited(amount: &str, approve_above: Option<&str>) -> Self {
        let approvers = Approvers::new();
        let app = TestApp::start_with(|options| approvers.install(options)).await;
        approvers.allow(&app, amount, approve_above).await;
        let till = Till::open(&app, USER).await;
        Self { app, approvers, till }
    }
}
