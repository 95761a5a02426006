//! `GET /console/data/audit?cursor=…`: verifies the cosigner's audit log of a tenant's wallets, some
//! wallets in each request.
//!
//! The rules are those of `hyperdex audit verify`: the hashes of each chain, its head, and, where the
//! public key is known, the seals. That command also finds chains without a wallet.

use std::path::PathBuf;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::State;
use axum::{Extension, Json};
use cosigner::audit::verify::{Fault, Verifier};
use domain::ids::{Tenant, UserId};
use futures_util::future::try_join_all;
use http::Uri;
use platform::aws::Lazy;
use platform::items::{Item, StoreError, unavailable};
use seal_audit::seals_in;
use seal_audit::verify::{Proven, PublicKey, SealFault, SealVerifier};
use serde::Serialize;
use shared::api::cursor::{from_cursor, to_cursor};
use shared::api::error::ApiError;
use shared::store::ListedWallet;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Reads, in_query};

/// Wallets in one request.
const PAGE: u8 = 25;
/// Maximum number of records of a chain that are verified here. A longer chain is reported.
const MOST: usize = 20_000;
/// A chain that grows during the read can seem faulty, so a fault must be found this many times.
const TRIES: usize = 3;
/// Maximum number of pages of seals that are read.
const SEAL_PAGES: usize = 50;
/// How long verified seals are cached, in milliseconds.
const FRESH_MS: u64 = 60_000;
/// A log whose oldest record is younger may have no seal, because the job runs once a day.
const SEALED_AFTER_MS: u64 = 25 * 60 * 60 * 1_000;

/// Reader of the cosigner's table for the verification.
pub(crate) struct Audit {
    db: Lazy<aws_sdk_dynamodb::Client>,
    table: String,
    /// File with the public key of the seals.
    public_key: Option<PathBuf>,
    proven: Mutex<Option<(u64, Proven)>>,
}

/// Result of one request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verified {
    /// Time of the stack, Unix milliseconds.
    now: u64,
    wallets: usize,
    records: u64,
    faults: Vec<Found>,
    /// State of the seals.
    seals: Seals,
    /// Cursor of the next request; `None`: all wallets were verified.
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    wallet_id: Uuid,
    user_id: UserId,
    /// The fault in words.
    fault: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seals {
    /// Whether the seals were verified. Without the public key they are not.
    verified: bool,
    /// Number of seals whose signature is valid.
    count: u64,
    /// When the last of them was made, Unix milliseconds.
    last: Option<u64>,
    faults: Vec<String>,
}

/// One chain's result.
struct Chain {
    records: u64,
    faults: Vec<String>,
}

impl Audit {
    pub(crate) fn new(
        db: impl Into<Lazy<aws_sdk_dynamodb::Client>>,
        table: &str,
        public_key: Option<PathBuf>,
    ) -> Self {
        Self { db: db.into(), table: table.to_owned(), public_key, proven: Mutex::default() }
    }

    /// Returns the items of a partition whose sort key begins with `sort`; `None` if there are too
    /// many.
    async fn items(&self, pk: &str, sort: &str) -> Result<Option<Vec<Item>>, StoreError> {
        let (mut items, mut from) = (Vec::new(), None);
        loop {
            let query = self.db.query().table_name(&self.table);
            let query = match sort {
                "" => query.key_condition_expression("pk = :pk"),
                _ => query
                    .key_condition_expression("pk = :pk AND begins_with(sk, :sort)")
                    .expression_attribute_values(":sort", AttributeValue::S(sort.to_owned())),
            };
            let output = query
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .consistent_read(true)
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(unavailable)?;
            items.extend(output.items.unwrap_or_default());
            from = output.last_evaluated_key;
            if items.len() > MOST {
                return Ok(None);
            }
            if from.is_none() {
                return Ok(Some(items));
            }
        }
    }

    async fn chain(&self, pk: &str, proven: Option<&Proven>) -> Result<Chain, StoreError> {
        let mut chain = Chain { records: 0, faults: Vec::new() };
        for _ in 0..TRIES {
            let Some(mut items) = self.items(pk, "audit").await? else {
                let fault = format!(
                    "the chain has more than {MOST} records: verify it with hyperdex audit verify"
                );
                return Ok(Chain { records: 0, faults: vec![fault] });
            };
            // Read after the payments, so that it contains every policy that they name.
            if items.iter().any(is_payment)
                && let Some((tenant, _)) = pk.split_once('#')
                && let Some(policy) = self.items(&format!("{tenant}#P"), "").await?
            {
                items.extend(policy);
            }
            chain = verified(pk, items, proven);
            if chain.faults.is_empty() {
                break;
            }
        }
        Ok(chain)
    }

    /// Returns the verified seals, at most a minute old; `None` without a public key, or if there are
    /// too many to read here.
    async fn seals(&self, now_ms: u64) -> Result<Option<Proven>, StoreError> {
        let Some(file) = &self.public_key else { return Ok(None) };
        let Some(key) = std::fs::read(file).ok().and_then(|bytes| PublicKey::parse(&bytes)) else {
            return Ok(None);
        };
        let mut cached = self.proven.lock().await;
        if let Some((at_ms, proven)) = cached.as_ref()
            && at_ms + FRESH_MS > now_ms
        {
            return Ok(Some(proven.clone()));
        }
        let (mut seals, mut from) = (SealVerifier::default(), None);
        for _ in 0..SEAL_PAGES {
            let query = seals_in(&self.db, &self.table).set_exclusive_start_key(from);
            let output = query.send().await.map_err(unavailable)?;
            output.items.unwrap_or_default().iter().for_each(|item| seals.item(item));
            from = output.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        // The newest seals, which cover most of the log, are missing.
        if from.is_some() {
            return Ok(None);
        }
        let proven = seals.finish(&key);
        *cached = Some((now_ms, proven.clone()));
        Ok(Some(proven))
    }
}

/// Returns whether an item is the record of a payment, which names the tenant's policy.
fn is_payment(item: &Item) -> bool {
    let body = item.get("body").and_then(|body| body.as_s().ok());
    body.is_some_and(|body| body.contains("\"policySeq\""))
}

/// Verifies the items of one chain, and of its tenant's policy if it has payments. A wallet without
/// any record is a fault: the cosigner records each key that it makes.
fn verified(pk: &str, items: Vec<Item>, proven: Option<&Proven>) -> Chain {
    let is_empty = items.is_empty();
    let in_policy = |item: &&Item| {
        let of = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        of("pk").is_some_and(|other| other != pk)
            && of("sk").is_some_and(|sort| sort.starts_with("change#"))
    };
    let policy_records = items.iter().filter(in_policy).count() as u64;
    let policy = format!("{}#P", pk.split('#').next().unwrap_or_default());
    let is_read = |partition: &str| partition == pk || (policy_records > 0 && partition == policy);
    let mut verifier = Verifier::default();
    items.into_iter().for_each(|item| verifier.item(item));
    if let Some(proven) = proven {
        for head in proven.heads.iter().filter(|head| is_read(&head.0)) {
            verifier.sealed(&head.0, head.1, &head.2);
        }
        if let Some(time) = &proven.covered_ms {
            verifier.all_sealed(time.clone());
        }
    }
    let report = verifier.finish();
    let described = |(partition, fault): (String, Fault)| {
        if partition == pk { fault.to_string() } else { format!("payment policy: {fault}") }
    };
    let mut faults: Vec<String> = report.faults.into_iter().map(described).collect();
    if is_empty && faults.is_empty() {
        faults.push("the wallet has no record".to_owned());
    }
    Chain { records: report.records - policy_records, faults }
}

/// Returns the state of the seals. A young log may have none.
fn seals_of(proven: Option<Proven>, oldest_ms: Option<u64>, now_ms: u64) -> Seals {
    let Some(mut proven) = proven else {
        return Seals { verified: false, count: 0, last: None, faults: Vec::new() };
    };
    let is_young = oldest_ms.is_none_or(|at_ms| at_ms.saturating_add(SEALED_AFTER_MS) > now_ms);
    if proven.faults == [SealFault::None] && is_young {
        proven.faults.clear();
    }
    let faults = proven.faults.iter().map(ToString::to_string).collect();
    Seals { verified: true, count: proven.seals, last: proven.last_ms, faults }
}

/// Verifies the chains of the next wallets of a tenant.
pub(crate) async fn audit(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
    uri: Uri,
) -> Result<Json<Verified>, ApiError> {
    let audit = reads.audit.as_ref().ok_or_else(|| {
        ApiError::new(404, "NOT_FOUND", "The cosigner's table is unknown")
            .advise("Start the console with --cosigner-stack or --cosigner-table")
    })?;
    let from = in_query(&uri, "cursor").map(|text| {
        let expected = "cursor must be the nextCursor of another verification of this tenant";
        from_cursor(&tenant, &text).ok_or_else(|| ApiError::bad_request(expected))
    });
    let now = reads.clock.now_ms();
    let (listed, next) =
        reads.store.list(&tenant, from.transpose()?.unwrap_or_default(), PAGE).await?;
    let proven = audit.seals(now).await?;
    let chains = listed.iter().map(|wallet| async {
        let pk = format!("{tenant}#W#{}", wallet.wallet_id);
        audit.chain(&pk, proven.as_ref()).await
    });
    let chains = try_join_all(chains).await?;
    let records = chains.iter().map(|chain| chain.records).sum();
    let found = |(wallet, chain): (&ListedWallet, Chain)| {
        let (wallet_id, user_id) = (wallet.wallet_id, wallet.user_id.clone());
        let faults = chain.faults.into_iter();
        faults.map(move |fault| Found { wallet_id, user_id: user_id.clone(), fault })
    };
    let oldest_ms = listed.iter().map(|wallet| wallet.created_at_ms).min();
    let faults = listed.iter().zip(chains).flat_map(found).collect();
    let seals = seals_of(proven, oldest_ms, now);
    let next_cursor = next.map(|position| to_cursor(&tenant, position));
    Ok(Json(Verified { now, wallets: listed.len(), records, faults, seals, next_cursor }))
}
