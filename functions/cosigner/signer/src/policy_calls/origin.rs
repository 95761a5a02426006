//! Reads the origin of the policy chains, every few minutes in each process.

use domain::ids::Tenant;
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};

use crate::party::{CallError, Cosigner};
use crate::policy_chain::{Chain, Chains, Origin};

/// How long a process uses an origin before it reads it again, in milliseconds. The table can be
/// replaced by a restored one of the same name while the process lives.
const ORIGIN_MS: u64 = 5 * 60 * 1_000;

impl Cosigner {
    /// Returns the origin.
    pub(super) async fn origin(&self) -> Result<Origin, CallError> {
        let now_ms = self.clock.now_ms();
        let known = self.origins.known.lock().await.clone();
        if let Some((read_at_ms, origin)) = known
            && now_ms.abs_diff(read_at_ms) < ORIGIN_MS
        {
            return Ok(origin);
        }
        let table_id = self.shares.table_id().await?;
        let chains = self.chains(&table_id).await?;
        let seals = self.origins.seals_table.as_deref();
        let missing = self.shares.missing_seal(seals, chains.created_at_ms, now_ms).await?;
        let origin = Origin::new(chains, table_id, missing);
        if origin.lacks_seal() {
            tracing::error!("the table lacks the newest seal: payments are off");
        } else {
            *self.origins.known.lock().await = Some((now_ms, origin.clone()));
        }
        Ok(origin)
    }

    /// Returns whether a tenant's payments are on. Publishes in the cosigner's own account that they are
    /// off, as each call finds it: an alarm must not depend on the endpoint. A tenant that has neither
    /// a chain nor approvers could not pay anyway.
    pub(super) fn payments_on(&self, tenant: &Tenant, origin: &Origin, chain: &Chain) -> bool {
        let is_on = origin.payments_on(chain);
        if !is_on && (chain.seq > 0 || chain.state.authority.is_some()) {
            let lacks_seal = origin.lacks_seal();
            tracing::error!(%tenant, lacks_seal, "payments are off: the table was restored");
            metrics::emit(&self.clock, About::SERVICE, &[(Metric::PaymentsOff, 1)]);
        }
        is_on
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
