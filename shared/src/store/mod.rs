//! The wallets' table: one partition for each wallet, and a pointer for each other name of it.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#W#walletId` | `credential#exchange` | [`CredentialRecord`] |
//! | `tenant#W#walletId` | `nonces#exchange` | [`Nonces`] of this exchange |
//! | `tenant#W#walletId` | `nonces` | [`Nonces`] of both exchanges; only earlier versions write it |
//! | `tenant#W#walletId` | `record` | [`WalletRecord`] |
//! | `tenant#W#walletId` | `share` | [`ShareRecord`] |
//! | `tenant#U#userId` | `pointer` | the wallet's id |
//! | `tenant#A#address` | `pointer` | the wallet's id |
//! | `tenant#I#hash of a key` | `idempotency` | [`RequestRecord`], dropped after a day |
//! | `tenant#Q` | `wallets#shard` | how many wallets the tenant has: see `quota` |
//! | `tenant#H` | `webhook#slot` | [`WebhookRecord`] |
//! | `tenant#E#shard` | the event's id | [`EventRecord`], dropped after thirty days |
//! | `tenant#D#webhookId#shard` | the event's id | [`DeliveryRecord`], dropped after thirty days |
//! | `tenant#O#walletId#exchange` | `order#key`, `closing#key`, `ledger` | [`OrderRecord`], [`ClosingRecord`], [`Ledger`]: see `orders` |
//! | `tenant#M#walletId#place` | `payment#id`, `claim#hash` | [`PaymentRecord`]: see `payments` |
//! | `tenant#P` | `tenant`, `wallet#walletId` | [`PolicyRecord`] |
//! | `tenant#L#accountIndex` | `key` | [`LighterKeyRecord`] |
//! | `#budget#exchange#egress` | `budget` | [`BudgetState`] |
//! | `#key#keyId`, `#used#keyId`, `#tenant#name`, `#tenants` | | tenants and their keys: see `tenants` |
//!
//! Items that affect decisions sort before the share, so one query reads them without the large
//! share. Tenants and identifiers contain no `#`. Sparse indexes over the credentials and the
//! wallets serve the scheduled jobs (see [`Index`]) and the list of a tenant's wallets.

mod attempts;
mod batch;
mod budget;
mod credentials;
mod deliveries;
mod due;
mod events;
mod idempotency;
mod indexes;
mod key_writes;
mod ledger;
mod lighter;
mod list;
mod notes;
mod operator;
mod orders;
mod payments;
mod policy;
mod quota;
mod records;
mod refresh;
mod runs;
#[cfg(test)]
mod samples;
mod tenant_writes;
mod tenants;
mod wallets;
mod webhooks;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use uuid::Uuid;

pub use attempts::{DeliveryRecord, DeliveryState};
pub use budget::{BudgetState, Pool, SLOTS, Spend, Spent};
pub use credentials::{Expect, NewNonces};
pub use deliveries::MAX_OUTSTANDING_REPLAYS;
pub use due::{CredentialKey, Index, Page};
pub use events::{EventPosition, EventRecord};
pub use idempotency::{
    CredentialChange, RequestMark, RequestRecord, SECRET_MS, StoredAnswer, hash, is_hidden,
};
pub use indexes::IndexShape;
pub use lighter::LighterKeyRecord;
pub use list::{ListedWallet, Position};
pub use notes::{DriftFound, DriftKind, DriftNote, ExpiringNote, ExpiringReason};
pub use operator::{
    MAX_OPERATOR_ACTIONS, MAX_REASON, OperateError, Operated, OperatorAction, OperatorActionKind,
};
pub(crate) use orders::ORDER;
pub use orders::{
    Change, ClosingRecord, DueOrder, LastLeverage, LegKind, LeverageRecord, MAX_POLICY_AGE_MS,
    MovedOrder, ORDER_KEPT_MS, OrderLost, OrderRecord, OrderState, ReserveLost, ReserveTime,
    Reserving, Seen, SentMethod, Settling, StoredLeg, StoredOutcome, StoredRefusal, StoredSymbol,
    Submission, SubmissionKind, TradingAccount, TradingView,
};
pub use payments::{
    DuePayment, ExpectedCosts, PaymentAccount, PaymentPlace, PaymentRecord, PaymentRefusal,
    PaymentState, SignedPayment,
};
pub use policy::{PolicyChange, PolicyError, TradingPolicies};
pub use quota::{CountedIn, WalletCount};
pub use records::{
    AgentRecord, CredentialRecord, CredentialState, ExportMark, Nonces, Outcome, RefreshState,
    ShareRecord, WalletRecord, shares_at_ms,
};
pub use refresh::AgedWallet;
pub use runs::{Admission, RunPlace};
pub use tenant_writes::TenantError;
pub use tenants::{KeyRecord, TenantRecord, is_usable, replacement};
pub use wallets::{NewWallet, WalletView};
pub(crate) use webhooks::stored_types;
pub use webhooks::{
    DeliveryFailure, MAX_URL, MAX_WEBHOOKS, WebhookChange, WebhookId, WebhookRecord,
};

use domain::ids::Tenant;
use platform::aws::{Aws, Lazy};
use platform::env::{ConfigError, Env};
use platform::items::{Item, StoreError, to_record};

#[cfg(doc)]
use crate::trading::{ledger::Ledger, policy::PolicyRecord};

pub(crate) const RECORD: &str = "record";
const SHARE: &str = "share";
const POINTER: &str = "pointer";
/// The sort key of the nonces of both exchanges in one item, which earlier versions wrote.
const NONCES: &str = "nonces";
const NONCES_OF: &str = "nonces#";
pub(crate) const CREDENTIAL: &str = "credential#";

/// Settings of the wallets' table and key.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `WALLETS_TABLE`
    pub table: String,
}

impl StoreConfig {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        Ok(Self { table: env.required("WALLETS_TABLE")? })
    }
}

/// The wallets' table.
#[derive(Clone, Debug)]
pub struct Store {
    db: Lazy<aws_sdk_dynamodb::Client>,
    table: String,
}

impl Store {
    /// Makes the table with this name.
    #[must_use]
    pub fn new(db: impl Into<Lazy<aws_sdk_dynamodb::Client>>, table: impl Into<String>) -> Self {
        Self { db: db.into(), table: table.into() }
    }

    /// Returns the client, for another table of the same account.
    pub(crate) fn client(&self) -> Lazy<aws_sdk_dynamodb::Client> {
        self.db.clone()
    }

    /// Makes the client from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        Ok(Self::new(Aws::from_env(env)?.dynamodb(), StoreConfig::from_env(env)?.table))
    }
}

/// Returns a wallet's partition key.
fn wallet_key(tenant: &Tenant, wallet_id: Uuid) -> String {
    format!("{tenant}#W#{wallet_id}")
}

/// Returns the key attributes of an item.
fn key(partition: &str, sort: &str) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(partition.to_owned())),
        ("sk".to_owned(), AttributeValue::S(sort.to_owned())),
    ])
}

fn to_item<T: Serialize>(partition: &str, sort: &str, record: &T) -> Result<Item, StoreError> {
    to_record(key(partition, sort), record)
}
