//! The functions of payments, with their clients.

use axum::Router;
use shared::money::{Payer, PaymentJob, PaymentRun, Tracker};
use shared::wallets::Custody;

/// The payments at each place. They sign nothing.
#[derive(Clone, Debug)]
pub struct Payments {
    /// Aster.
    pub aster: Tracker,
    /// Hyperliquid.
    pub hyperliquid: Tracker,
    /// The EVM chains.
    pub evm: Tracker,
    /// The jobs of all places.
    pub jobs: Vec<PaymentJob>,
}

impl Payments {
    /// Finds the outcome of the payments that are due, and returns the sums of all places.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn resolve(
        &self,
        run_time: std::time::Duration,
    ) -> Result<PaymentRun, platform::items::StoreError> {
        let mut sum = PaymentRun::default();
        for job in &self.jobs {
            sum = sum.and(job.resolve_due(run_time).await?);
        }
        Ok(sum)
    }
}

/// Returns the routers of the functions of payments. `custody` makes party 1 of a function, which
/// invokes the cosigner by the alias of this name.
pub(crate) fn functions(payments: Payments, custody: impl Fn(&str) -> Custody) -> Router {
    let Payments { aster, hyperliquid, evm, .. } = payments;
    let payer = |function: &str, tracker: &Tracker| Payer {
        custody: custody(function),
        tracker: tracker.clone(),
    };
    Router::new()
        .merge(withdraw_aster::router(payer("withdraw-aster", &aster)))
        .merge(withdraw_hyperliquid::router(payer("withdraw-hyperliquid", &hyperliquid)))
        .merge(transfer_hyperliquid::router(payer("transfer-hyperliquid", &hyperliquid)))
        .merge(send_tokens::router(payer("send-tokens", &evm)))
        .merge(get_transfer_aster::router(aster))
        .merge(get_transfer_hyperliquid::router(hyperliquid))
        .merge(get_token_transfer::router(evm))
}
