//! The cosigner's own records of a tenant's payments, read from its table.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::money::{Nonces, PaymentId};
use domain::policy::Amount;
use platform::items::{Item, from_item};
use serde_json::Value;
use uuid::Uuid;

use crate::TestApp;

/// What the cosigner has counted of one asset, for a wallet or for the tenant `local`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    writes: u64,
    /// The sums of each hour, as amount and number of payments.
    hours: BTreeMap<u64, (Amount, u64)>,
}

/// The difference of two readings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rise {
    /// How often the cosigner counted.
    pub writes: u64,
    /// The counted amount, with fees.
    pub amount: Amount,
    /// The counted payments.
    pub payments: u64,
}

impl Counted {
    /// Reads what is counted of an asset, for the wallet or for its tenant.
    pub async fn read(app: &TestApp, wallet_id: Option<Uuid>, asset: &str) -> Self {
        let partition = wallet_id.map_or("local#P".to_owned(), |id| format!("local#W#{id}"));
        let item = read(app, partition, format!("spent#{asset}")).await;
        let Some(item) = item else { return Self::default() };
        let item: Value = from_item("counted payments", item).unwrap();
        let hours = item["buckets"].as_array().unwrap().iter().map(|bucket| {
            let amount = bucket["amount"].as_str().unwrap().parse().unwrap();
            let payments = bucket["payments"].as_u64().unwrap();
            (bucket["hour"].as_u64().unwrap(), (amount, payments))
        });
        Self { writes: item["version"].as_u64().unwrap(), hours: hours.collect() }
    }

    /// Returns what was counted since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Rise {
        let (mut amount, mut payments) = (Amount::ZERO, 0);
        for (hour, (sum, count)) in &self.hours {
            let before = earlier.hours.get(hour).copied().unwrap_or((Amount::ZERO, 0));
            amount = amount.checked_add(sum.saturating_sub(before.0)).unwrap();
            payments += count - before.1;
        }
        Rise { writes: self.writes - earlier.writes, amount, payments }
    }
}

/// The cosigner's record of one payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Withdrawal {
    /// The nonces that it set.
    pub nonces: Nonces,
    /// Whether the payment is counted.
    pub is_counted: bool,
    /// The number of its signatures.
    pub signatures: usize,
}

impl Withdrawal {
    /// Reads the cosigner's record of a wallet's payment.
    pub async fn read(app: &TestApp, wallet_id: Uuid, id: &PaymentId) -> Option<Self> {
        let item = read(app, format!("local#W#{wallet_id}"), format!("withdrawal#{id}")).await?;
        let item: Value = from_item("payment", item).unwrap();
        Some(Self {
            nonces: serde_json::from_value(item["nonces"].clone()).unwrap(),
            is_counted: item["countedAtMs"].is_u64(),
            signatures: item["signatures"].as_array().unwrap().len(),
        })
    }
}

async fn read(app: &TestApp, partition: String, sort: String) -> Option<Item> {
    let client = app.stack.aws().dynamodb();
    let read = client
        .get_item()
        .table_name(hyperdex_local::COSIGNER_TABLE)
        .key("pk", AttributeValue::S(partition))
        .key("sk", AttributeValue::S(sort))
        .consistent_read(true);
    read.send().await.unwrap().item
}
