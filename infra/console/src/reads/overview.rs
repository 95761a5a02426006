//! `GET /console/data/overview`: what requires attention in a tenant's wallets, trading keys, orders
//! and webhooks.
//!
//! No index has the states of all credentials, so the counts cover a bounded number of wallets, and
//! the response states whether there are more. They are cached for [`FRESH_MS`].

use std::collections::HashMap;

use axum::extract::State;
use axum::{Extension, Json};
use domain::ids::{Exchange, Tenant, UserId, WalletRef};
use futures_util::future::try_join_all;
use platform::items::StoreError;
use serde::Serialize;
use shared::api::error::ApiError;
use shared::credentials::Life;
use shared::store::{CredentialRecord, Position, WalletView};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::Reads;
use super::unknown::{UnknownOrders, unknown_orders};
use super::wallets::Job;

/// How long counts are cached, in milliseconds.
const FRESH_MS: u64 = 15_000;
/// Wallets in one page of the index.
const PAGE: u8 = 50;
/// Maximum number of wallets that are counted.
const MOST: usize = 1_000;
/// Maximum number of entries in each list.
const SHOWN: usize = 20;
/// Maximum number of tenants whose counts are cached.
const MAX_TENANTS: usize = 100;
/// A key requires attention when it expires within this time, in milliseconds. The renewal job works
/// before that, and the service's events name the same time.
const SOON_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// The tenant's state.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    /// The stack's time, Unix milliseconds.
    now: u64,
    wallets: Wallets,
    credentials: Credentials,
    /// Keys that expire soon or have expired, the earliest first.
    expiring: List<Expiring>,
    /// Keys that differ from the exchange, or whose job fails.
    troubled: List<Troubled>,
    /// Orders of unknown outcome, the oldest first.
    unknown_orders: UnknownOrders,
    webhooks: Webhooks,
}

#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wallets {
    counted: usize,
    /// Whether the tenant has wallets that were not counted.
    more: bool,
    without_key: usize,
    frozen_by_operator: usize,
    barred: usize,
}

/// Numbers of credentials by their state.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    pending: usize,
    active: usize,
    rotating: usize,
    revoking: usize,
    expired: usize,
}

/// The first entries of a list, and the number of all.
#[derive(Clone, Serialize)]
pub(super) struct List<T> {
    total: usize,
    first: Vec<T>,
}

impl<T> List<T> {
    pub(super) fn new(mut all: Vec<T>) -> Self {
        let total = all.len();
        all.truncate(SHOWN);
        Self { total, first: all }
    }
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Expiring {
    wallet_id: Uuid,
    user_id: UserId,
    exchange: Exchange,
    expires_at: u64,
    job: Job,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Troubled {
    wallet_id: Uuid,
    user_id: UserId,
    exchange: Exchange,
    /// Number of differences from the exchange.
    differences: usize,
    job_failures: u32,
}

#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Webhooks {
    total: usize,
    failing: usize,
    disabled: usize,
}

/// Cached counts of tenants.
#[derive(Default)]
pub(crate) struct Counted(Mutex<HashMap<Tenant, Overview>>);

/// The counts so far.
#[derive(Default)]
struct Count {
    wallets: Wallets,
    credentials: Credentials,
    expiring: Vec<Expiring>,
    troubled: Vec<Troubled>,
}

impl Count {
    fn add(&mut self, view: &WalletView, reads: &Reads, now_ms: u64) {
        let wallet = &view.wallet;
        self.wallets.counted += 1;
        self.wallets.barred += usize::from(wallet.frozen);
        self.wallets.frozen_by_operator += usize::from(wallet.operator_freeze.is_some());
        let mut has_key = false;
        for exchange in Exchange::ALL {
            let Some(record) = view.credential(exchange) else { continue };
            has_key = true;
            self.credential(view, record, reads, now_ms);
        }
        self.wallets.without_key += usize::from(!has_key);
    }

    fn credential(
        &mut self,
        view: &WalletView,
        record: &CredentialRecord,
        reads: &Reads,
        now_ms: u64,
    ) {
        let life = Life::of(record, now_ms);
        let count = match life {
            Life::Pending => &mut self.credentials.pending,
            Life::Active => &mut self.credentials.active,
            Life::Rotating => &mut self.credentials.rotating,
            Life::Revoking => &mut self.credentials.revoking,
            Life::Expired => &mut self.credentials.expired,
        };
        *count += 1;
        let (wallet_id, user_id) = (view.wallet.wallet_id, &view.wallet.user_id);
        let ends = matches!(life, Life::Active | Life::Rotating | Life::Expired);
        if ends && !record.is_v1() && record.expires_at_ms <= now_ms.saturating_add(SOON_MS) {
            self.expiring.push(Expiring {
                wallet_id,
                user_id: user_id.clone(),
                exchange: record.exchange,
                expires_at: record.expires_at_ms,
                job: Job::of(&view.wallet, record, reads.renew_within_ms),
            });
        }
        let differences = record.drift.as_ref().map_or(0, |drift| drift.found.len());
        if differences > 0 || record.job_failures > 0 {
            self.troubled.push(Troubled {
                wallet_id,
                user_id: user_id.clone(),
                exchange: record.exchange,
                differences,
                job_failures: record.job_failures,
            });
        }
    }
}

impl Reads {
    async fn count(&self, tenant: &Tenant, now_ms: u64) -> Result<Count, StoreError> {
        let (mut count, mut next, mut read) = (Count::default(), Some(Position::default()), 0);
        while let Some(from) = next {
            if read >= MOST {
                count.wallets.more = true;
                break;
            }
            let (listed, after) = self.store.list(tenant, from, PAGE).await?;
            read += listed.len();
            next = after;
            let find = listed.into_iter().map(|wallet| async move {
                self.store.find(tenant, &WalletRef::Wallet(wallet.wallet_id)).await
            });
            for view in try_join_all(find).await?.iter().flatten() {
                count.add(view, self, now_ms);
            }
        }
        count.expiring.sort_by_key(|one| one.expires_at);
        Ok(count)
    }

    async fn overview(&self, tenant: &Tenant) -> Result<Overview, ApiError> {
        // A second caller waits for the first one's counts.
        let mut cached = self.counted.0.lock().await;
        let now = self.clock.now_ms();
        if let Some(known) = cached.get(tenant).filter(|known| known.now + FRESH_MS > now) {
            return Ok(known.clone());
        }
        let count = self.count(tenant, now).await?;
        let mut webhooks = Webhooks::default();
        for webhook in self.store.webhooks(tenant).await? {
            webhooks.total += 1;
            let is_disabled = webhook.disabled_at_ms.is_some();
            webhooks.disabled += usize::from(is_disabled);
            webhooks.failing += usize::from(!is_disabled && webhook.failing_since_ms.is_some());
        }
        let overview = Overview {
            now,
            wallets: count.wallets,
            credentials: count.credentials,
            expiring: List::new(count.expiring),
            troubled: List::new(count.troubled),
            unknown_orders: unknown_orders(self, tenant, now).await?,
            webhooks,
        };
        if cached.len() >= MAX_TENANTS {
            cached.retain(|_, known| known.now + FRESH_MS > now);
        }
        cached.insert(tenant.clone(), overview.clone());
        Ok(overview)
    }
}

pub(crate) async fn overview(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
) -> Result<Json<Overview>, ApiError> {
    reads.overview(&tenant).await.map(Json)
}
