//! Party 1's gate. A run holds a place in the wallet's record while its outcome is open. A wallet
//! whose places are all lost gets new shares before it signs again.

use serde_json::json;
use uuid::Uuid;

use super::{Custody, RefreshError, ShareUse, SignError};
use crate::aws::LambdaClient;
use crate::mpc::CosignerClient;
use crate::store::{Admission, RunPlace, WalletRecord};

/// Maximum duration of a run, in milliseconds. Its session at the cosigner expires by then.
const RUN_MS: u64 = 15_000;

/// Maximum wait of one call for other runs of its wallet, in milliseconds. Dead runs have
/// certainly ended by then, and API Gateway waits longer.
const PATIENCE_MS: u64 = 18_000;

/// First and maximum pause between two attempts, in milliseconds.
const PAUSES_MS: std::ops::RangeInclusive<u64> = 20..=320;

/// The refresher of a wallet whose places are all lost.
#[derive(Clone, Debug)]
pub(super) enum Refresher {
    /// This process, through a client with the right to request a refresh from the cosigner.
    ThisProcess(CosignerClient),
    /// The function `refresh-shares`, the only one with that right.
    Function {
        /// The client.
        lambda: LambdaClient,
        /// Its name or ARN.
        function: String,
    },
}

/// The remaining wait of a call.
pub(super) struct Patience {
    /// Deadline in Unix milliseconds. Slow calls consume it like pauses.
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
        // The wallet may have been frozen since it was read, so the write decides.
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

    /// Returns the place of a run. If this fails, the place stays taken, as after a crash.
    pub(super) async fn end_run(&self, wallet: &WalletRecord, place: &RunPlace) {
        if let Err(error) = self.store.end_run(wallet, place).await {
            tracing::warn!(%error, walletId = %wallet.wallet_id, "run slot not released");
        }
    }

    /// Pauses before the next attempt, longer each time and for a random time.
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

    /// Has the shares of this version replaced, unless they are replaced already. Succeeds when
    /// another call is replacing them; the caller waits and reads the wallet again.
    ///
    /// # Errors
    /// Fails when they could not be replaced.
    pub(super) async fn replace_worn(
        &self,
        wallet: &WalletRecord,
        version: u32,
    ) -> Result<(), SignError> {
        tracing::warn!(
            walletId = %wallet.wallet_id, version,
            "run slots of these shares are lost: refreshing them"
        );
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

/// Invokes the function for new shares. The wallet's record shows whether it made them.
async fn ask(lambda: &LambdaClient, function: &str, tenant: &str, wallet_id: Uuid, version: u32) {
    let event = json!({ "tenant": tenant, "walletId": wallet_id, "keyVersion": version });
    if let Err(error) = lambda.invoke(function, event.to_string().as_bytes()).await {
        tracing::warn!(%error, "the refresh function failed, or another call refreshes already");
    }
}
