//! `GET /console/data/schedule`: the credentials of one tenant that the renewal job processes next.

use axum::extract::State;
use axum::{Extension, Json};
use domain::ids::{Exchange, Tenant, UserId, WalletRef};
use futures_util::future::try_join_all;
use platform::items::{SHARDS, StoreError};
use serde::Serialize;
use shared::api::error::ApiError;
use shared::store::{CredentialKey, Index};
use uuid::Uuid;

use super::Reads;
use super::wallets::Job;

/// Maximum number of credentials that are shown.
const SHOWN: usize = 50;
/// Maximum number of pages that are read of each shard, which also holds other tenants'
/// credentials.
const PAGES: usize = 5;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    /// Time of the stack, Unix milliseconds.
    now: u64,
    due: Vec<Due>,
    /// True if there are more credentials than the response shows.
    more: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Due {
    wallet_id: Uuid,
    user_id: UserId,
    exchange: Exchange,
    agent_address: String,
    expires_at: u64,
    job: Job,
}

impl Reads {
    /// Returns the tenant's credentials in one shard of the index, earliest first, and whether that
    /// is all.
    async fn due_in(
        &self,
        tenant: &Tenant,
        shard: u8,
    ) -> Result<(Vec<CredentialKey>, bool), StoreError> {
        let (mut found, mut from) = (Vec::new(), None);
        for _ in 0..PAGES {
            // No upper limit: the largest number that DynamoDB holds.
            let page = self.store.due(Index::Due, shard, u64::MAX, from).await?;
            found.extend(page.keys.into_iter().filter(|key| key.tenant == *tenant));
            from = page.next;
            if from.is_none() || found.len() >= SHOWN {
                break;
            }
        }
        Ok((found, from.is_none()))
    }

    async fn due(&self, key: &CredentialKey) -> Result<Option<Due>, StoreError> {
        let name = WalletRef::Wallet(key.wallet_id);
        // Skip a credential that was deleted meanwhile.
        let Some(view) = self.store.find(&key.tenant, &name).await? else { return Ok(None) };
        let Some(record) = view.credential(key.exchange) else { return Ok(None) };
        Ok(Some(Due {
            wallet_id: key.wallet_id,
            user_id: view.wallet.user_id.clone(),
            exchange: key.exchange,
            agent_address: record.agent.to_string(),
            expires_at: record.expires_at_ms,
            job: Job::of(&view.wallet, record, self.renew_within_ms),
        }))
    }
}

pub(crate) async fn schedule(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
) -> Result<Json<Schedule>, ApiError> {
    let shards = try_join_all((0..SHARDS).map(|shard| reads.due_in(&tenant, shard))).await?;
    let all = shards.iter().all(|(_, all)| *all);
    let mut keys: Vec<CredentialKey> = shards.into_iter().flat_map(|(keys, _)| keys).collect();
    keys.sort_by_key(|key| key.at_ms);
    let more = !all || keys.len() > SHOWN;
    keys.truncate(SHOWN);
    let due = try_join_all(keys.iter().map(|key| reads.due(key))).await?;
    let mut due: Vec<Due> = due.into_iter().flatten().collect();
    due.sort_by_key(|due| due.job.at);
    Ok(Json(Schedule { now: reads.clock.now_ms(), due, more }))
}
