//! `GET /console/data/decisions`: the cosigner's decisions from its audit log, newest first.
//! `?wallet=…&before=…` returns those of one wallet, in pages; otherwise the latest of all wallets
//! of a tenant.
//!
//! A signed intent is shown by its kind and, where it names one, its agent, or its builder with the
//! maximum fee. Signatures, digests and users' messages are not returned.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::State;
use axum::{Extension, Json};
use cosigner::audit::{Decision, Entry, Record};
use domain::builder::BuilderFee;
use domain::clock::Clock;
use domain::eth::Address;
use domain::ids::{Tenant, UserId, WalletRef};
use domain::intent::Intent;
use futures_util::future::try_join_all;
use http::Uri;
use platform::aws::Lazy;
use platform::items::{Item, SHARDS, StoreError, from_item, unavailable};
use seal_audit::heads_of;
use serde::Serialize;
use shared::api::error::ApiError;
use shared::store::Store;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Reads, in_query};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Decisions on one page.
const PAGE: i32 = 50;
/// Decisions that are cached for one tenant.
const KEPT: usize = 200;
/// Chains that are read concurrently.
const CHAINS: usize = 100;
/// Length of the shortened run id in hex digits. It is unique among the runs of a wallet.
const RUN: usize = 16;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    /// Time of the stack, Unix milliseconds.
    now: u64,
    decisions: Vec<Shown>,
    /// For one wallet: start of the next page.
    before: Option<u64>,
}

/// A decision as the page shows it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    wallet_id: Uuid,
    /// The wallet's user, in the list over all wallets.
    user_id: Option<UserId>,
    /// Shortened id of the run. A permission and its signature have the same run.
    run: String,
    seq: u64,
    at: u64,
    /// Kind of the decision.
    decision: &'static str,
    refused: bool,
    reason: Option<String>,
    /// Name of the intent.
    intent: Option<&'static str>,
    agent_address: Option<String>,
    agent_name: Option<String>,
    valid_until: Option<u64>,
    builder_address: Option<String>,
    /// The maximum fee of the builder, in percent of an order's value.
    max_fee: Option<String>,
    /// Length of the message, in bytes.
    message_bytes: Option<usize>,
    caller: String,
    request_id: String,
    policy: String,
    key_version: u32,
    /// Hash of this record, which the next record contains.
    hash: String,
}

impl Shown {
    fn new(record: &Record) -> Result<Self, StoreError> {
        let entry: Entry = serde_json::from_str(&record.body).map_err(|error| {
            StoreError::Damaged { what: "audit record", cause: error.to_string() }
        })?;
        let (decision, intent, reason) = match &entry.decision {
            Decision::KeyMade { .. } => ("key-made", None, None),
            Decision::HalfExported { .. } => ("half-exported", None, None),
            Decision::ShareRecovered { .. } => ("share-recovered", None, None),
            Decision::Allowed { intent, .. } => ("allowed", Some(intent), None),
            Decision::Refused { intent, reason, .. } => ("refused", Some(intent), Some(reason)),
            Decision::Signed { .. } => ("signed", None, None),
            Decision::CallRefused { call } => ("call-refused", None, Some(call)),
            Decision::Aborted { reason } => ("aborted", None, Some(reason)),
            Decision::RefreshAllowed { .. } => ("refresh-allowed", None, None),
            Decision::ShareRefreshed { .. } => ("share-refreshed", None, None),
            Decision::TrialAllowed { .. } => ("trial-allowed", None, None),
            Decision::SharesTried { .. } => ("shares-tried", None, None),
            Decision::SharesRetired { .. } => ("shares-retired", None, None),
            Decision::PaymentAllowed(_) => ("payment-allowed", None, None),
            Decision::PaymentResumed { .. } => ("payment-resumed", None, None),
            Decision::PaymentRefused { reason, .. } => ("payment-refused", None, Some(reason)),
            Decision::PaymentSigned { .. } => ("payment-signed", None, None),
        };
        let mut shown = Self {
            wallet_id: entry.wallet_id,
            user_id: None,
            run: entry.session.chars().take(RUN).collect(),
            seq: entry.seq,
            at: entry.at_ms,
            decision,
            refused: matches!(
                entry.decision,
                Decision::Refused { .. }
                    | Decision::CallRefused { .. }
                    | Decision::Aborted { .. }
                    | Decision::PaymentRefused { .. }
            ),
            reason: reason.cloned(),
            intent: intent.map(Intent::name),
            agent_address: None,
            agent_name: None,
            valid_until: None,
            builder_address: None,
            max_fee: None,
            message_bytes: None,
            caller: entry.caller,
            request_id: entry.request_id,
            policy: entry.policy,
            key_version: entry.key_version,
            hash: record.hash.clone(),
        };
        if let Some(intent) = intent {
            shown.about(intent);
        }
        Ok(shown)
    }

    fn about(&mut self, intent: &Intent) {
        match intent {
            Intent::PersonalMessage(message) => self.message_bytes = Some(message.as_str().len()),
            Intent::AsterLogin(_) => {}
            Intent::AsterRegisterAgent(agent) => {
                self.agent_address = Some(agent.agent.to_string());
                self.agent_name = Some(agent.name.clone());
                self.valid_until = Some(agent.expires_ms);
            }
            Intent::AsterDeleteAgent(agent) => self.agent_address = Some(agent.agent.to_string()),
            Intent::HyperliquidApproveAgent(agent) => {
                self.agent_address = Some(agent.agent.to_string());
                self.agent_name = Some(agent.name.clone());
                self.valid_until = Some(agent.valid_until_ms);
            }
            Intent::HyperliquidRevokeAgent(agent) => self.agent_name = Some(agent.name.clone()),
            Intent::HyperliquidApproveBuilder(approval) => {
                self.about_builder(approval.builder, approval.max_fee);
            }
            Intent::AsterApproveBuilder(approval) => {
                self.about_builder(approval.builder, approval.max_fee);
            }
        }
    }

    fn about_builder(&mut self, builder: Address, max_fee: BuilderFee) {
        self.builder_address = Some(builder.to_string());
        self.max_fee = Some(max_fee.percent());
    }
}

/// Reader of the cosigner's audit log.
pub(crate) struct Decisions {
    db: Lazy<aws_sdk_dynamodb::Client>,
    table: String,
    clock: Clock,
    seen: Mutex<HashMap<Tenant, Seen>>,
}

/// Cached decisions of a tenant's chains.
#[derive(Default)]
struct Seen {
    /// Last sequence number read of each chain.
    read: HashMap<String, u64>,
    /// By time, chain and sequence number.
    latest: BTreeMap<(u64, String, u64), Shown>,
    /// Users of the wallets in them.
    users: HashMap<Uuid, UserId>,
}

impl Decisions {
    pub(crate) fn new(
        db: impl Into<Lazy<aws_sdk_dynamodb::Client>>,
        table: &str,
        clock: Clock,
    ) -> Self {
        Self { db: db.into(), table: table.to_owned(), clock, seen: Mutex::default() }
    }

    /// Returns one page of a chain's records between `from` and `to`, newest first.
    async fn chain(&self, pk: &str, from: u64, to: u64) -> Result<Vec<Shown>, StoreError> {
        let name = |seq: u64| AttributeValue::S(format!("audit#{seq:012}"));
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
            .expression_attribute_values(":from", name(from))
            .expression_attribute_values(":to", name(to))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(PAGE)
            .send()
            .await
            .map_err(unavailable)?;
        let items = output.items.unwrap_or_default().into_iter();
        items.map(|item| Shown::new(&from_item::<Record>("audit record", item)?)).collect()
    }

    /// Returns the heads of a tenant's chains that grew yesterday or today.
    async fn ends(&self, tenant: &Tenant) -> Result<Vec<(String, u64)>, StoreError> {
        let yesterday = (self.clock.now_ms() / DAY_MS).saturating_sub(1);
        let shards = (0..SHARDS).map(|shard| async move {
            let output = heads_of(&self.db, &self.table, shard, yesterday)
                .scan_index_forward(false)
                .send()
                .await
                .map_err(unavailable)?;
            Ok::<_, StoreError>(output.items.unwrap_or_default())
        });
        let prefix = format!("{tenant}#W#");
        let ends = try_join_all(shards).await?.into_iter().flatten();
        let ends = ends.filter_map(|item| end(&item)).filter(|(pk, _)| pk.starts_with(&prefix));
        Ok(ends.collect())
    }

    /// Returns the latest decisions of a tenant, newest first. Reads only new records.
    async fn latest(&self, tenant: &Tenant, store: &Store) -> Result<Vec<Shown>, StoreError> {
        let mut all = self.seen.lock().await;
        let seen = all.entry(tenant.clone()).or_default();
        let ends = self.ends(tenant).await?.into_iter();
        let mut news: Vec<_> = ends
            .map(|(pk, seq)| (seen.read.get(&pk).copied().unwrap_or_default(), pk, seq))
            .filter(|(read, _, seq)| seq > read)
            .collect();
        // The next read gets the rest.
        news.truncate(CHAINS);
        let read = news.iter().map(|(read, pk, seq)| self.chain(pk, read + 1, *seq));
        for ((_, pk, seq), found) in news.iter().zip(try_join_all(read).await?) {
            seen.read.insert(pk.clone(), *seq);
            let found = found.into_iter().map(|shown| ((shown.at, pk.clone(), shown.seq), shown));
            seen.latest.extend(found);
        }
        while seen.latest.len() > KEPT {
            seen.latest.pop_first();
        }
        let mut latest: Vec<Shown> = seen.latest.values().rev().cloned().collect();
        let wallets: HashSet<Uuid> = latest.iter().map(|shown| shown.wallet_id).collect();
        seen.users.retain(|wallet, _| wallets.contains(wallet));
        let unknown = wallets.into_iter().filter(|wallet| !seen.users.contains_key(wallet));
        let found = unknown
            .map(|wallet| async move { store.find(tenant, &WalletRef::Wallet(wallet)).await });
        // The cosigner records a key before the wallet is stored, so the wallet may not exist yet.
        for view in try_join_all(found).await?.into_iter().flatten() {
            seen.users.insert(view.wallet.wallet_id, view.wallet.user_id);
        }
        for shown in &mut latest {
            shown.user_id = seen.users.get(&shown.wallet_id).cloned();
        }
        Ok(latest)
    }
}

fn end(item: &Item) -> Option<(String, u64)> {
    let pk = item.get("pk")?.as_s().ok()?.clone();
    Some((pk, item.get("seq")?.as_n().ok()?.parse().ok()?))
}

pub(crate) async fn decisions(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
    uri: Uri,
) -> Result<Json<Page>, ApiError> {
    let now = reads.clock.now_ms();
    let log = reads.decisions.as_ref().ok_or_else(|| {
        ApiError::new(404, "NOT_FOUND", "The cosigner's table is unknown")
            .advise("Start the console with --cosigner-stack or --cosigner-table")
    })?;
    let Some(wallet) = in_query(&uri, "wallet") else {
        let decisions = log.latest(&tenant, &reads.store).await?;
        return Ok(Json(Page { now, decisions, before: None }));
    };
    let wallet = wallet.parse::<WalletRef>();
    let wallet = wallet.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let before = match in_query(&uri, "before") {
        None => 1_000_000_000_000,
        Some(before) => before
            .parse()
            .ok()
            .filter(|before| *before > 0)
            .ok_or_else(|| ApiError::bad_request("before must be a number from 1"))?,
    };
    let view = reads.store.find(&tenant, &wallet).await?;
    let view = view.ok_or_else(ApiError::wallet_not_found)?;
    let pk = format!("{tenant}#W#{}", view.wallet.wallet_id);
    let decisions = log.chain(&pk, 1, before - 1).await?;
    let before = decisions.last().map(|last| last.seq).filter(|seq| *seq > 1);
    Ok(Json(Page { now, decisions, before }))
}
