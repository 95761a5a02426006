//! Storage of requests to close all positions of a wallet: the list of the positions. It is written
//! before any order of the request is signed, so that a repeat closes these positions and no others.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#O#walletId#exchange` | `closing#` and 24 hex digits of the request's id | [`ClosingRecord`] |

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::clock::Clock;
use platform::items::{Item, StoreError, from_item, unavailable};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::credentials::number;
use super::super::{Store, key, to_item};
use super::TradingAccount;
use crate::trading::ids::ClientOrderId;
use crate::trading::order::{ClosedMarket, Fingerprint};

const CLOSING: &str = "closing#";

/// A request to close all positions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosingRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// A random value that names this request. A later request with the same id has another one.
    pub revision: Uuid,
    /// The caller's id of the request, which is also that of the order for the first position.
    pub client_order_id: ClientOrderId,
    /// The content of the request.
    pub unit: Fingerprint,
    /// The positions at the time of the request.
    pub markets: Vec<ClosedMarket>,
    /// When the positions had been read, Unix milliseconds. Zero in records of earlier versions.
    #[serde(default)]
    pub listed_at_ms: u64,
    /// The ids of the orders whose position was gone before the order was signed. Nothing is signed
    /// under them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gone: BTreeSet<String>,
    /// When the record may be dropped, Unix seconds.
    pub expires_at_s: u64,
}

impl ClosingRecord {
    /// Returns whether the record has expired. Its id then names a new request, even if the table
    /// still has the record.
    #[must_use]
    pub const fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_s <= now_ms / 1_000
    }
}

fn sort_key(account: &TradingAccount, id: &ClientOrderId) -> String {
    format!("{CLOSING}{}", account.order_key(id).to_hex())
}

fn closing_key(account: &TradingAccount, id: &ClientOrderId) -> Item {
    key(&account.partition(), &sort_key(account, id))
}

/// Parses the item of a request with this id. Two ids have the same key only if 96 bits of their
/// hashes are equal.
fn parse(id: &ClientOrderId, item: Item) -> Result<ClosingRecord, StoreError> {
    let record: ClosingRecord = from_item("closing", item)?;
    if record.client_order_id == *id {
        return Ok(record);
    }
    Err(StoreError::Damaged { what: "closing", cause: "another request has its key".to_owned() })
}

impl Store {
    /// Reads a request to close all positions, also an expired one that is not dropped yet.
    ///
    /// # Errors
    /// Fails when the table cannot be read, or the item cannot be parsed.
    pub async fn closing(
        &self,
        account: &TradingAccount,
        id: &ClientOrderId,
        clock: &Clock,
    ) -> Result<Option<ClosingRecord>, StoreError> {
        let items = self.batch_get(vec![closing_key(account, id)], clock).await?;
        items.into_iter().next().map(|item| parse(id, item)).transpose()
    }

    /// Stores a request to close all positions, unless one with its id is stored, and returns the
    /// stored one. A record that has expired by now counts as absent.
    ///
    /// # Errors
    /// Fails when the table cannot be written, or the present item cannot be parsed.
    pub async fn begin_closing(
        &self,
        account: &TradingAccount,
        record: ClosingRecord,
        now_ms: u64,
    ) -> Result<ClosingRecord, StoreError> {
        let id = &record.client_order_id;
        let item = to_item(&account.partition(), &sort_key(account, id), &record)?;
        let put = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR expiresAtS <= :now")
            .expression_attribute_values(":now", number(now_ms / 1_000))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else { return Ok(record) };
        // A retry of the SDK after a lost response finds what it wrote.
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(met)) => {
                let item = met.item().cloned().ok_or(StoreError::Conflict)?;
                parse(id, item)
            }
            _ => Err(unavailable(error)),
        }
    }

    /// Stores that the position of one order of a request was gone before the order was signed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another request has the record's id now; otherwise when the
    /// table fails.
    pub async fn note_gone(
        &self,
        account: &TradingAccount,
        record: &ClosingRecord,
        order: &ClientOrderId,
    ) -> Result<(), StoreError> {
        let gone = AttributeValue::Ss(vec![order.as_str().to_owned()]);
        let sent = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(closing_key(account, &record.client_order_id)))
            .update_expression("ADD gone :gone")
            .condition_expression("revision = :revision")
            .expression_attribute_values(":gone", gone)
            .expression_attribute_values(
                ":revision",
                AttributeValue::S(record.revision.to_string()),
            )
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                    Err(StoreError::Conflict)
                }
                _ => Err(unavailable(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trading::order::{PositionSide, Side};

    #[test]
    fn stored_form_is_stable() {
        let market = |symbol: &str, side, position_side| ClosedMarket {
            symbol: symbol.parse().unwrap(),
            side,
            position_side,
        };
        let record = ClosingRecord {
            schema: 1,
            revision: Uuid::from_u128(7),
            client_order_id: "all-1".parse().unwrap(),
            unit: Fingerprint::of_close_all(None),
            markets: vec![
                market("BTC", Side::Sell, PositionSide::Both),
                market("ETHUSDT", Side::Buy, PositionSide::Short),
            ],
            listed_at_ms: 1_790_000_000_000,
            gone: BTreeSet::from(["all-1".to_owned()]),
            expires_at_s: 1_790_604_800,
        };
        let stored = serde_json::json!({
            "schema": 1,
            "revision": "00000000-0000-0000-0000-000000000007",
            "clientOrderId": "all-1",
            "unit": record.unit,
            "markets": [
                { "symbol": "BTC", "side": "SELL" },
                { "symbol": "ETHUSDT", "side": "BUY", "positionSide": "SHORT" },
            ],
            "listedAtMs": 1_790_000_000_000_u64,
            "gone": ["all-1"],
            "expiresAtS": 1_790_604_800,
        });
        assert_eq!(serde_json::to_value(&record).unwrap(), stored);
        assert_eq!(serde_json::from_value::<ClosingRecord>(stored).unwrap(), record);
    }
}
