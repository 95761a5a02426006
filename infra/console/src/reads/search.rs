//! `GET /console/data/search?prefix=…&state=…&cursor=…`: a tenant's wallets whose userId, walletId
//! or address begins with a text, or that are in a state. No index supports either search. Each
//! request therefore reads a bounded number of wallets, and returns a cursor for the rest.

use axum::extract::State;
use axum::{Extension, Json};
use domain::ids::{Exchange, Tenant, WalletRef};
use futures_util::future::try_join_all;
use http::Uri;
use platform::items::StoreError;
use serde::Serialize;
use shared::api::cursor::{from_cursor, to_cursor};
use shared::api::error::ApiError;
use shared::credentials::Life;
use shared::store::{ListedWallet, Position, WalletView};

use super::wallets::Wallet;
use super::{Reads, in_query};

/// Wallets in one page of the index.
const PAGE: u8 = 50;
/// A request stops after the page with which it has found this many wallets …
const ENOUGH: usize = 25;
/// … or has read this many.
const MOST: usize = 1_000;
/// Maximum length of the prefix in bytes, which is that of a userId.
const MAX_PREFIX: usize = 128;

/// States that a search can name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A credential is in this state.
    Life(Life),
    /// The wallet has no credential.
    NoCredential,
    /// An operator or a failed protocol run has frozen the wallet.
    Frozen,
}

impl Wanted {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::NoCredential),
            "frozen" => Some(Self::Frozen),
            _ => Life::ALL.into_iter().find(|life| life.as_str() == text).map(Self::Life),
        }
    }

    fn is_met(self, view: &WalletView, now_ms: u64) -> bool {
        let mut known = Exchange::ALL.iter().filter_map(|exchange| view.credential(*exchange));
        match self {
            Self::Life(life) => known.any(|record| Life::of(record, now_ms) == life),
            Self::NoCredential => known.next().is_none(),
            Self::Frozen => view.wallet.frozen || view.wallet.operator_freeze.is_some(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    /// The stack's time, Unix milliseconds.
    now: u64,
    wallets: Vec<Wallet>,
    /// Number of wallets that this request read.
    looked_at: usize,
    /// Cursor of the next request. `None`: the search is complete.
    next_cursor: Option<String>,
}

/// Returns matching wallets, starting at a cursor.
pub(crate) async fn search(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
    uri: Uri,
) -> Result<Json<Found>, ApiError> {
    let prefix = in_query(&uri, "prefix").unwrap_or_default().to_lowercase();
    if prefix.len() > MAX_PREFIX {
        return Err(ApiError::bad_request("prefix must have at most 128 bytes"));
    }
    let wanted = in_query(&uri, "state").map(|text| {
        let expected = "state must be active, pending, rotating, revoking, expired, none or frozen";
        Wanted::parse(&text).ok_or_else(|| ApiError::bad_request(expected))
    });
    let wanted = wanted.transpose()?;
    let from = in_query(&uri, "cursor").map(|text| {
        let expected = "cursor must be the nextCursor of another search of this tenant";
        from_cursor(&tenant, &text).ok_or_else(|| ApiError::bad_request(expected))
    });
    let mut next = Some(from.transpose()?.unwrap_or_default());
    let now = reads.clock.now_ms();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    while let Some(from) = next {
        if found.len() >= ENOUGH || looked_at >= MOST {
            break;
        }
        let (listed, after): (_, Option<Position>) = reads.store.list(&tenant, from, PAGE).await?;
        looked_at += listed.len();
        next = after;
        let listed = listed.iter().filter(|wallet| begins(wallet, &prefix));
        let views = try_join_all(listed.map(|wallet| view(&reads, &tenant, wallet))).await?;
        let met = |view: &WalletView| wanted.is_none_or(|wanted| wanted.is_met(view, now));
        found.extend(views.into_iter().flatten().filter(met));
    }
    let wallets = found.iter().map(|view| Wallet::new(view, &reads)).collect();
    let next_cursor = next.map(|position| to_cursor(&tenant, position));
    Ok(Json(Found { now, wallets, looked_at, next_cursor }))
}

/// Returns whether one of a wallet's names begins with a lower-case text.
fn begins(wallet: &ListedWallet, prefix: &str) -> bool {
    [wallet.user_id.to_string(), wallet.wallet_id.to_string(), wallet.address.to_string()]
        .iter()
        .any(|name| name.to_lowercase().starts_with(prefix))
}

async fn view(
    reads: &Reads,
    tenant: &Tenant,
    wallet: &ListedWallet,
) -> Result<Option<WalletView>, StoreError> {
    reads.store.find(tenant, &WalletRef::Wallet(wallet.wallet_id)).await
}
