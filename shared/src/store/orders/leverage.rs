//! Storage of changes of leverage: one item for each market of a wallet. It is written before the
//! exchange receives anything, so that a change whose response was lost is ended before the next.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#O#walletId#exchange` | `leverage#` and the exchange's name of the market | [`LeverageRecord`] |

use aws_sdk_dynamodb::types::AttributeValue;
use domain::clock::Clock;
use domain::eth::Address;
use platform::items::{Item, StoreError, from_item, put_error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::{Store, key, to_item};
use super::TradingAccount;

const LEVERAGE: &str = "leverage#";

/// The last change of the leverage or the margin mode of a market.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeverageRecord {
    /// Version of the stored form.
    pub schema: u32,
    /// A new random value for each write. The next write names it.
    pub revision: Uuid,
    /// The exchange's name of the market.
    pub symbol: String,
    /// The agent that signed the call.
    pub agent: Address,
    /// The nonce of the call, in the exchange's unit.
    pub nonce: u64,
    /// Whether the call may still be sent or executed.
    pub open: bool,
    /// End of the lease of the request at work, Unix milliseconds. Nothing is sent after it.
    pub lease_until_ms: u64,
    /// When the record may be dropped, Unix seconds. The call cannot execute from then on.
    pub expires_at_s: u64,
    /// The last change that the exchange can have made. `None` in records of earlier versions, and
    /// while no change was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastLeverage>,
}

/// The last change of a market that the exchange can have made, with the values after it. Reads can
/// lag behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastLeverage {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// The leverage. `None` means that it depends on a call of unknown outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leverage: Option<u32>,
    /// Whether the margin is cross. `None` as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_cross: Option<bool>,
}

fn leverage_key(account: &TradingAccount, symbol: &str) -> Item {
    key(&account.partition(), &format!("{LEVERAGE}{symbol}"))
}

impl Store {
    /// Reads the last change of the leverage of a market.
    ///
    /// # Errors
    /// Fails when the table cannot be read, or the item cannot be parsed.
    pub async fn leverage(
        &self,
        account: &TradingAccount,
        symbol: &str,
        clock: &Clock,
    ) -> Result<Option<LeverageRecord>, StoreError> {
        let items = self.batch_get(vec![leverage_key(account, symbol)], clock).await?;
        items.into_iter().next().map(|item| from_item("leverage", item)).transpose()
    }

    /// Stores a change of the leverage of a market. `seen` is the revision that it replaces.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the present record has another revision; otherwise when the
    /// table fails.
    pub async fn put_leverage(
        &self,
        account: &TradingAccount,
        record: &LeverageRecord,
        seen: Option<Uuid>,
    ) -> Result<(), StoreError> {
        let sort = format!("{LEVERAGE}{}", record.symbol);
        let item: Item = to_item(&account.partition(), &sort, record)?;
        let put = self.db.put_item().table_name(&self.table).set_item(Some(item));
        let text = |id: Uuid| AttributeValue::S(id.to_string());
        // A retry of the SDK after a lost response finds its own revision, which is not a conflict.
        let put = match seen {
            None => put.condition_expression("attribute_not_exists(pk) OR revision = :own"),
            Some(seen) => put
                .condition_expression("revision = :seen OR revision = :own")
                .expression_attribute_values(":seen", text(seen)),
        };
        put.expression_attribute_values(":own", text(record.revision))
            .send()
            .await
            .map_err(put_error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_form_is_stable() {
        let record = LeverageRecord {
            schema: 1,
            revision: Uuid::from_u128(7),
            symbol: "BTC".to_owned(),
            agent: "0x00000000000000000000000000000000000000aa".parse().unwrap(),
            nonce: 1_790_000_000_000,
            open: true,
            lease_until_ms: 1_790_000_020_000,
            expires_at_s: 1_790_604_800,
            last: Some(LastLeverage {
                at_ms: 1_790_000_000_100,
                leverage: Some(7),
                is_cross: None,
            }),
        };
        let mut stored = serde_json::json!({
            "schema": 1,
            "revision": "00000000-0000-0000-0000-000000000007",
            "symbol": "BTC",
            "agent": record.agent,
            "nonce": 1_790_000_000_000_u64,
            "open": true,
            "leaseUntilMs": 1_790_000_020_000_u64,
            "expiresAtS": 1_790_604_800,
            "last": { "atMs": 1_790_000_000_100_u64, "leverage": 7 },
        });
        assert_eq!(serde_json::to_value(&record).unwrap(), stored);
        assert_eq!(serde_json::from_value::<LeverageRecord>(stored.clone()).unwrap(), record);
        // A record of an earlier version.
        stored.as_object_mut().unwrap().remove("last");
        let earlier = LeverageRecord { last: None, ..record };
        assert_eq!(serde_json::from_value::<LeverageRecord>(stored).unwrap(), earlier);
    }
}
