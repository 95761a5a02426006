//! The gate of party 1: a run holds a place in the wallet's record while its outcome is open, and a
//! wallet whose places are all lost gets new shares before it signs again.

use serde_json::json;
use uuid::Uuid;

use super::{Custody, RefreshError, ShareUse, SignError};
use crate::aws::LambdaClient;
use crate::mpc::CosignerClient;
use crate::store::{Admission, RunPlace, WalletRecord};

/// How long a run may take, in milliseconds. Its session at the cosigner expires by then.
const RUN_MS: u64 = 15_000;

/// How long one call waits for other runs of its wallet, in milliseconds: until runs that died have
/// certainly ended, and less than API Gateway waits.
const PATIENCE_MS: u64 = 18_000;

/// The first and the longest pause between two attempts, in milliseconds.
const PAUSES_MS: std::ops::RangeInclusive<u64> = 20..=320;

/// Where a wallet whose places are all lost gets its new shares.
#[derive(Clone, Debug)]
pub(super) enum Refresher {
    /// This process, through a client that may ask the cosigner for a refresh.
    ThisProcess(CosignerClient),
    /// The function `refresh-shares`, the only one that may.
    Function {
        /// The client.
        lambda: LambdaClient,
        /// Name or ARN.
        function: String,
    },
}

/// How much longer a call waits.
pub(super) struct Patience {
    /// Unix milliseconds: slow calls use it up as pauses do.
    until_ms: u64,
    left_ms: u64,
    pause_ms: u64,
}

impl Patience {
    pub(super) const fn new(now_ms: u64) -> Self {
        let until_ms = now_ms.saturating_add(PATIENCE_MS);
        Self { until_ms, left_ms: PATIENCE_MS, pause_ms: *PAUSES_MS.start() }
    }
}

impl Custody {
    /// Takes a place for a run of the wallet's share of this version.
    ///
    /// # Errors
    /// [`SignError::Busy`], [`SignError::Worn`], [`SignError::Moved`], [`SignError::Frozen`] or
    /// [`SignError::FrozenByOperator`] when there is none.
    pub(super) async fn begin_run(
        &self,
        wallet: &WalletRecord,
        version: u32,
        share_use: ShareUse,
    ) -> Result<RunPlace, SignError> {
        let now_ms = self.clock.now_ms();
        let place = RunPlace::new(self.random.uuid()?, now_ms + RUN_MS);
        // The wallet may have been frozen since it was read: the write decides.
        let heeds_operator = share_use == ShareUse::Sign;
        match self.store.begin_run(wallet, version, &place, heeds_operator).await? {
            Admission::Admitted => Ok(place),
            Admission::Full { until_ms } if until_ms > now_ms => Err(SignError::Busy),
            Admission::Full { .. } => Err(SignError::Worn),
            Admission::Moved => Err(SignError::Moved),
            Admission::Frozen => Err(SignError::Frozen),
            Admission::FrozenByOperator => Err(SignError::FrozenByOperator),
            Admission::Gone => Err(SignError::NotFound),
        }
    }

    /// Gives the place of a run back. If this fails, the place stays taken, as after a crash.
    pub(super) async fn end_run(&self, wallet: &WalletRecord, place: &RunPlace) {
        if let Err(error) = self.store.end_run(wallet, place).await {
            tracing::warn!(%error, walletId = %wallet.wallet_id, "a run's place stays taken");
        }
    }

    /// Pauses before the next attempt, longer each time and never as long as another call.
    ///
    /// # Errors
    /// [`SignError::Busy`] when the call has waited long enough.
    pub(super) async fn pause(&self, patience: &mut Patience) -> Result<(), SignError> {
        let [byte] = self.random.bytes()?;
        let pause_ms = patience.pause_ms / 2 + patience.pause_ms * u64::from(byte) / 255;
        patience.left_ms = patience.left_ms.checked_sub(pause_ms).ok_or(SignError::Busy)?;
        if self.clock.now_ms().saturating_add(pause_ms) > patience.until_ms {
            return Err(SignError::Busy);
        }
        patience.pause_ms = (2 * patience.pause_ms).min(*PAUSES_MS.end());
        self.clock.sleep_ms(pause_ms).await;
        Ok(())
    }

    /// Has the shares of this version replaced, unless they are replaced already.
    ///
    /// # Errors
    /// When they could not be. That another call is at it is no error: wait and look again.
    pub(super) async fn replace_worn(
        &self,
        wallet: &WalletRecord,
        version: u32,
    ) -> Result<(), SignError> {
        tracing::warn!(walletId = %wallet.wallet_id, version, "runs of these shares never ended: refreshing them");
        match &self.refresher {
            Refresher::ThisProcess(cosigner) => {
                let refresher = Self { cosigner: cosigner.clone(), ..self.clone() };
                let replaced = refresher.refresh_version(&wallet.tenant, wallet.wallet_id, version);
                match replaced.await {
                    Ok(_) | Err(RefreshError::InProgress { .. }) => Ok(()),
                    Err(RefreshError::Sign(error)) => Err(error),
                    Err(RefreshError::WrongShares) => Err(SignError::Busy),
                }
            }
            Refresher::Function { lambda, function } => {
                ask(lambda, function, wallet.tenant.as_str(), wallet.wallet_id, version).await;
                Ok(())
            }
        }
    }
}

/// Asks the function for new shares. Whether it made them shows in the wallet's record.
async fn ask(lambda: &LambdaClient, function: &str, tenant: &str, wallet_id: Uuid, version: u32) {
    let event = json!({ "tenant": tenant, "walletId": wallet_id, "keyVersion": version });
    if let Err(error) = lambda.invoke(function, event.to_string().as_bytes()).await {
        tracing::warn!(%error, "the refresh function failed, or another call refreshes already");
    }
}
