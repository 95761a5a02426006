//! Actions that agents sign, as typed data.
//!
//! The real exchange hashes the numbers as it would write them itself. A number text of another
//! form, such as `100.0`, therefore recovers to an unknown address. [`canonical`] imitates that.

use alloy_primitives::Address;
use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::market::Num;
use crate::parse_address;

/// An action. Unknown fields are refused: the exchange would not hash them.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(in crate::hyperliquid) enum Act {
    Noop,
    Order(Orders),
    Cancel(Cancels),
    CancelByCloid(CloidCancels),
    Modify(Modify),
    BatchModify(BatchModify),
    UpdateLeverage(Leverage),
    UpdateIsolatedMargin(IsolatedMargin),
    /// The rest has its signature checked, and is refused.
    ScheduleCancel(IgnoredAny),
    TwapOrder(IgnoredAny),
    TwapCancel(IgnoredAny),
    AgentSendAsset(AgentSendAsset),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::hyperliquid) struct Orders {
    pub(super) orders: Vec<WireOrder>,
    pub(super) grouping: Grouping,
    pub(in crate::hyperliquid) builder: Option<Builder>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Grouping {
    Na,
    NormalTpsl,
    PositionTpsl,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::hyperliquid) struct Builder {
    #[serde(deserialize_with = "address")]
    pub(in crate::hyperliquid) b: Address,
    pub(in crate::hyperliquid) f: u32,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireOrder {
    pub(super) a: u32,
    pub(super) b: bool,
    #[serde(deserialize_with = "number")]
    pub(super) p: Num,
    #[serde(deserialize_with = "number")]
    pub(super) s: Num,
    pub(super) r: bool,
    pub(super) t: Kind,
    #[serde(default, deserialize_with = "cloid")]
    pub(super) c: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Kind {
    Limit {
        tif: WireTif,
    },
    #[serde(rename_all = "camelCase")]
    Trigger {
        is_market: bool,
        #[serde(deserialize_with = "number")]
        trigger_px: Num,
        tpsl: Tpsl,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum WireTif {
    Gtc,
    Ioc,
    Alo,
    /// Undocumented: as `Ioc`, and listed as a market order.
    FrontendMarket,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Tpsl {
    Tp,
    Sl,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::hyperliquid) struct Cancels {
    pub(super) cancels: Vec<Cancel>,
    /// Fast cancel. Only true is permitted.
    #[serde(default, deserialize_with = "only_true")]
    #[expect(dead_code, reason = "no other effect is documented")]
    f: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    pub(super) a: u32,
    pub(super) o: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::hyperliquid) struct CloidCancels {
    pub(super) cancels: Vec<CloidCancel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloidCancel {
    pub(super) asset: u32,
    pub(super) cloid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::hyperliquid) struct Modify {
    pub(super) oid: OrderName,
    pub(super) order: WireOrder,
    #[serde(default, deserialize_with = "only_true")]
    pub(super) a: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::hyperliquid) struct BatchModify {
    pub(super) modifies: Vec<ModifyEntry>,
    /// Places the new order even if the old one is gone, and as any type. Only true is permitted.
    #[serde(default, deserialize_with = "only_true")]
    pub(super) a: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModifyEntry {
    pub(super) oid: OrderName,
    pub(super) order: WireOrder,
}

/// The exchange's number, or the client's id.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::hyperliquid) enum OrderName {
    Oid(u64),
    Cloid(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::hyperliquid) struct Leverage {
    pub(super) asset: u32,
    pub(super) is_cross: bool,
    pub(super) leverage: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::hyperliquid) struct IsolatedMargin {
    pub(super) asset: u32,
    #[expect(dead_code, reason = "it has no effect yet")]
    is_buy: bool,
    pub(super) ntli: i64,
}

#[derive(Deserialize)]
pub(in crate::hyperliquid) struct AgentSendAsset {
    #[serde(deserialize_with = "address")]
    pub(super) destination: Address,
}

impl Act {
    pub(in crate::hyperliquid) fn kind(&self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Order(_) => "order",
            Self::Cancel(_) => "cancel",
            Self::CancelByCloid(_) => "cancelByCloid",
            Self::Modify(_) => "modify",
            Self::BatchModify(_) => "batchModify",
            Self::UpdateLeverage(_) => "updateLeverage",
            Self::UpdateIsolatedMargin(_) => "updateIsolatedMargin",
            Self::ScheduleCancel(_) => "scheduleCancel",
            Self::TwapOrder(_) => "twapOrder",
            Self::TwapCancel(_) => "twapCancel",
            Self::AgentSendAsset(_) => "agentSendAsset",
        }
    }

    /// Returns the number of orders that the action concerns.
    pub(in crate::hyperliquid) fn batch(&self) -> usize {
        match self {
            Self::Order(action) => action.orders.len(),
            Self::Cancel(action) => action.cancels.len(),
            Self::CancelByCloid(action) => action.cancels.len(),
            Self::BatchModify(action) => action.modifies.len(),
            _ => 1,
        }
    }
}

/// Parses an action. `None` if it is malformed.
pub(in crate::hyperliquid) fn act(action: &Value) -> Option<Act> {
    let act: Act = serde_json::from_value(action.clone()).ok()?;
    (act.batch() > 0).then_some(act)
}

/// Returns the action with its numbers as the exchange writes them.
pub(in crate::hyperliquid) fn canonical(action: &Value) -> Value {
    fn visit(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(visit),
            Value::Object(fields) => {
                let is_order = fields.contains_key("p") && fields.contains_key("s");
                for (name, value) in fields.iter_mut() {
                    let is_number =
                        name == "triggerPx" || (is_order && (name == "p" || name == "s"));
                    match value.as_str().filter(|_| is_number).and_then(Num::parse) {
                        Some(number) => *value = number.text().into(),
                        None => visit(value),
                    }
                }
            }
            _ => {}
        }
    }
    let mut action = action.clone();
    visit(&mut action);
    action
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Num, D::Error> {
    let text = String::deserialize(deserializer)?;
    Num::parse(&text).ok_or_else(|| de::Error::custom("not a decimal"))
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_address(&text).ok_or_else(|| de::Error::custom("not an address"))
}

/// Reads a flag that must be absent if it is false.
fn only_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match bool::deserialize(deserializer)? {
        true => Ok(true),
        false => Err(de::Error::custom("a false flag must be absent")),
    }
}

/// Reads a client's id. Seen live: text without `0x` is accepted, and the id is dropped silently.
fn cloid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let Some(digits) = text.strip_prefix("0x") else { return Ok(None) };
    let valid = digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit());
    if valid { Ok(Some(text.to_lowercase())) } else { Err(de::Error::custom("not a cloid")) }
}
