//! `GET /console/data/payments?from=…&limit=…`: a page of the tenant's payments, the newest first: the list of
//! the cosigner, with the outcome in the service's own records.

use aws_sdk_dynamodb::Client;
use axum::extract::State;
use axum::{Extension, Json};
use cosigner::counted_payments;
use domain::ids::{Tenant, UserId, WalletRef};
use domain::money::{EvmToken, Payment};
use domain::policy::Venue;
use futures_util::future::try_join_all;
use http::Uri;
use platform::aws::Lazy;
use platform::items::StoreError;
use protocol::{OpenPayment, OutcomeReport};
use serde::Serialize;
use shared::api::error::ApiError;
use shared::store::{PaymentAccount, PaymentPlace, PaymentRecord};
use uuid::Uuid;

use super::{Reads, in_query};

/// Payments on one page.
const LIMIT: u8 = 25;
/// Maximum number of payments on one page.
const MOST: u8 = 100;

/// The cosigner's table with its list of payments.
pub(crate) struct Payments {
    db: Lazy<Client>,
    table: String,
}

impl Payments {
    pub(crate) fn new(db: impl Into<Lazy<Client>>, table: &str) -> Self {
        Self { db: db.into(), table: table.to_owned() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    /// Time of the stack, Unix milliseconds.
    now: u64,
    payments: Vec<Shown>,
    /// Start of the next page.
    next: Option<String>,
}

/// A payment as the page shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    payment_id: String,
    wallet_id: Uuid,
    user_id: Option<UserId>,
    /// Name of the kind.
    kind: &'static str,
    amount: String,
    asset: String,
    /// The place at which the money arrives.
    venue: String,
    /// `None` when the receiver is the wallet itself.
    destination: Option<String>,
    /// State in the service's record; `None` without a record.
    state: Option<&'static str>,
    /// State in the cosigner's list.
    counted_state: &'static str,
    /// When the cosigner counted it, Unix milliseconds.
    at: u64,
    valid_until: Option<u64>,
    /// The hash of the transaction, or the exchange's id.
    reference: Option<String>,
    refusal: Option<String>,
    /// When the service reported the outcome to the cosigner, Unix milliseconds.
    reported_at: Option<u64>,
    /// The function that reported it.
    reported_by: Option<String>,
}

/// Returns the asset, and the place and address at which it arrives.
fn way(payment: &Payment) -> (String, Venue, Option<String>) {
    match payment {
        Payment::HyperliquidWithdraw(it) => {
            ("USDC".to_owned(), Venue::Hyperliquid, Some(it.destination.to_string()))
        }
        Payment::HyperliquidSendAsset(it) => {
            (it.token.name().to_owned(), Venue::Hyperliquid, Some(it.destination.to_string()))
        }
        Payment::HyperliquidMoveOwn(it) => (it.token.name().to_owned(), Venue::Hyperliquid, None),
        Payment::AsterWithdraw(it) => (it.asset.clone(), Venue::Aster, None),
        Payment::EvmTokenTransfer(it) => {
            let asset = match &it.token {
                EvmToken::Native => "native",
                EvmToken::Erc20 { symbol, .. } => symbol,
            };
            (asset.to_owned(), Venue::Evm(it.chain_id), Some(it.destination.to_string()))
        }
    }
}

impl Shown {
    fn new(payment: OpenPayment, record: Option<PaymentRecord>, now_ms: u64) -> Self {
        let counted_state = payment.state(now_ms).as_str();
        let OpenPayment { wallet_id, id, payment, counted_at_ms, valid_until_ms, report, .. } =
            payment;
        let (asset, venue, destination) = way(&payment);
        let (mut state, mut reference, mut refusal) = (None, None, None);
        if let Some(record) = record {
            state = Some(record.state.published());
            reference = record.transaction_hash.or(record.exchange_id);
            refusal = record.refusal.map(|refusal| refusal.code);
        }
        let (reported_at, reported_by) = match report {
            Some(OutcomeReport { reference: reported, at_ms, by, .. }) => {
                reference = reference.or(reported);
                (Some(at_ms), Some(by))
            }
            None => (None, None),
        };
        Self {
            payment_id: id.to_string(),
            wallet_id,
            user_id: None,
            kind: payment.name(),
            amount: payment.amount().to_string(),
            asset,
            venue: venue.to_string(),
            destination,
            state,
            counted_state,
            at: counted_at_ms,
            valid_until: valid_until_ms,
            reference,
            refusal,
            reported_at,
            reported_by,
        }
    }
}

async fn shown(reads: &Reads, tenant: &Tenant, payment: OpenPayment) -> Result<Shown, StoreError> {
    let (_, venue, _) = way(&payment.payment);
    let (tenant, wallet_id, place) = (tenant.clone(), payment.wallet_id, PaymentPlace::of(venue));
    let account = PaymentAccount { tenant, wallet_id, place };
    let record = reads.store.payment(&account, &payment.id).await?;
    let view = reads.store.find(&account.tenant, &WalletRef::Wallet(wallet_id)).await?;
    let shown = Shown::new(payment, record, reads.clock.now_ms());
    Ok(Shown { user_id: view.map(|view| view.wallet.user_id), ..shown })
}

/// Reads `limit`, at most 100.
fn limit_in(uri: &Uri) -> Result<u8, ApiError> {
    let Some(limit) = in_query(uri, "limit") else { return Ok(LIMIT) };
    let read = limit.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    read.ok_or_else(|| ApiError::bad_request("limit must be a number from 1 to 100"))
}

pub(crate) async fn payments(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
    uri: Uri,
) -> Result<Json<Page>, ApiError> {
    let list = reads.payments.as_ref().ok_or_else(|| {
        ApiError::new(404, "NOT_FOUND", "The cosigner's table is unknown")
            .advise("Start the console with --cosigner-stack or --cosigner-table")
    })?;
    let from = in_query(&uri, "from");
    if from.as_ref().is_some_and(|from| from.len() > 160 || !from.is_ascii()) {
        return Err(ApiError::bad_request("from must be the next of a page"));
    }
    let limit = limit_in(&uri)?;
    let page = counted_payments(&list.db, &list.table, &tenant, from, limit).await?;
    let payments = page.payments.into_iter().map(|payment| shown(&reads, &tenant, payment));
    let payments = try_join_all(payments).await?;
    Ok(Json(Page { now: reads.clock.now_ms(), payments, next: page.next }))
}
