//! Reads the origin of the policy chains, once in each process.

use platform::items::StoreError;

use crate::party::{CallError, Cosigner};
use crate::policy_chain::{Chains, Origin};

impl Cosigner {
    /// Returns the origin.
    pub(super) async fn origin(&self) -> Result<Origin, CallError> {
        if let Some(known) = self.origins.known.get() {
            return Ok(known.clone());
        }
        let table_id = self.shares.table_id().await?;
        let chains = self.chains(&table_id).await?;
        let seals = self.origins.seals_table.as_deref();
        let now_ms = self.clock.now_ms();
        let missing = self.shares.missing_seal(seals, chains.created_at_ms, now_ms).await?;
        let origin = Origin::new(chains, table_id, missing);
        if origin.lacks_seal() {
            tracing::error!("the table lacks the newest seal: payments are off");
        } else {
            // Another call may have come first, with the same result.
            let _ = self.origins.known.set(origin.clone());
        }
        Ok(origin)
    }

    /// Reads the chains' id, and makes it the first time.
    async fn chains(&self, table_id: &str) -> Result<Chains, CallError> {
        if let Some(chains) = self.shares.chains().await? {
            return Ok(chains);
        }
        let random: [u8; 16] = self.random.bytes()?;
        let chains = Chains {
            schema: 1,
            chain_id: hex::encode(random),
            table_id: table_id.to_owned(),
            created_at_ms: self.clock.now_ms(),
        };
        match self.shares.begin_chains(&chains).await {
            Ok(()) => Ok(chains),
            // Another call came first, or the response to this write was lost.
            Err(StoreError::Conflict) => {
                let found = self.shares.chains().await?;
                Ok(found.ok_or(StoreError::Conflict)?)
            }
            Err(error) => Err(error.into()),
        }
    }
}
