//! Request bodies. A malformed body gets status 422 and plain text, not JSON.

use alloy_primitives::{Address, Signature};
use http::StatusCode;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::{
    Chain,
    builders::ApproveBuilder,
    money::Money,
    signing::{ApproveAgent, moves_money},
    trade::wire::{Act, OrderName, act},
};
use crate::{edge::Reply, parse_address, parse_hex_number, signature};

/// A body that the exchange cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The `Content-Type` is not JSON. No source documents this case, so the response is that of
    /// `axum`.
    NotJson,
    /// Not JSON, or a field is missing or has another type.
    Shape,
}

impl From<Malformed> for Reply {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::NotJson => Self::text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Expected request with `Content-Type: application/json`",
            ),
            Malformed::Shape => Self::text(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Failed to deserialize the JSON body into the target type",
            ),
        }
    }
}

/// The body of `POST /exchange`.
pub(super) struct Envelope {
    pub(super) action: Action,
    pub(super) nonce: u64,
    /// `None` when the parts have the right types, but are not a signature.
    pub(super) signature: Option<Signature>,
    pub(super) vault_address: Option<Address>,
    pub(super) expires_after: Option<u64>,
}

/// The requested action.
pub(super) enum Action {
    /// `approveAgent`, and the chain that the sender names.
    ApproveAgent { sent_chain: Chain, approval: ApproveAgent },
    /// `approveBuilderFee`, and the chain that the sender names.
    ApproveBuilder { sent_chain: Chain, approval: ApproveBuilder },
    /// An action that moves money, as sent, and the chain that the sender names.
    Money { sent_chain: Chain, action: Value, money: Money },
    /// An action that agents sign, as sent: the order of its keys is part of the signed data.
    L1 { action: Value, act: Act },
}

impl Action {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::ApproveAgent { .. } => "approveAgent",
            Self::ApproveBuilder { .. } => "approveBuilderFee",
            Self::Money { money, .. } => money.kind(),
            Self::L1 { act, .. } => act.kind(),
        }
    }

    pub(super) fn weight(&self) -> u32 {
        match self {
            Self::ApproveAgent { .. } | Self::ApproveBuilder { .. } | Self::Money { .. } => 1,
            Self::L1 { act, .. } => 1 + u32::try_from(act.batch() / 40).unwrap_or(u32::MAX - 1),
        }
    }
}

/// A request to `POST /info`.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Info {
    ExtraAgents {
        #[serde(deserialize_with = "address")]
        user: Address,
    },
    UserRole {
        #[serde(deserialize_with = "address")]
        user: Address,
    },
    UserAbstraction {
        #[serde(deserialize_with = "address")]
        user: Address,
    },
    UserRateLimit {
        #[serde(deserialize_with = "address")]
        user: Address,
    },
    #[serde(rename_all = "camelCase")]
    UserNonFundingLedgerUpdates {
        #[serde(deserialize_with = "address")]
        user: Address,
        start_time: u64,
        end_time: Option<u64>,
    },
    /// The fee of a first transfer from `source` to `user`.
    PreTransferCheck {
        #[serde(deserialize_with = "address")]
        user: Address,
        #[serde(deserialize_with = "address")]
        source: Address,
    },
    UsdcRouting,
    /// The perpetuals of `dex`; without it, of the exchange's own DEX.
    Meta {
        #[serde(default)]
        dex: String,
    },
    /// As `Meta`, with the prices.
    MetaAndAssetCtxs {
        #[serde(default)]
        dex: String,
    },
    SpotMeta,
    SpotMetaAndAssetCtxs,
    PerpDexs,
    AllMids {
        #[serde(default)]
        dex: String,
    },
    L2Book {
        coin: String,
    },
    OrderStatus {
        #[serde(deserialize_with = "address")]
        user: Address,
        oid: OrderName,
    },
    OpenOrders {
        #[serde(deserialize_with = "address")]
        user: Address,
        #[serde(default)]
        dex: String,
    },
    FrontendOpenOrders {
        #[serde(deserialize_with = "address")]
        user: Address,
        #[serde(default)]
        dex: String,
    },
    HistoricalOrders {
        #[serde(deserialize_with = "address")]
        user: Address,
    },
    UserFills {
        #[serde(deserialize_with = "address")]
        user: Address,
    },
    #[serde(rename_all = "camelCase")]
    UserFillsByTime {
        #[serde(deserialize_with = "address")]
        user: Address,
        start_time: u64,
        end_time: Option<u64>,
    },
    ClearinghouseState {
        #[serde(deserialize_with = "address")]
        user: Address,
        #[serde(default)]
        dex: String,
    },
    SpotClearinghouseState {
        #[serde(deserialize_with = "address")]
        user: Address,
    },
    ActiveAssetData {
        #[serde(deserialize_with = "address")]
        user: Address,
        coin: String,
    },
    MaxBuilderFee {
        #[serde(deserialize_with = "address")]
        user: Address,
        #[serde(deserialize_with = "address")]
        builder: Address,
    },
    ExchangeStatus,
}

impl Info {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::ExtraAgents { .. } => "extraAgents",
            Self::UserRole { .. } => "userRole",
            Self::UserAbstraction { .. } => "userAbstraction",
            Self::UserRateLimit { .. } => "userRateLimit",
            Self::UserNonFundingLedgerUpdates { .. } => "userNonFundingLedgerUpdates",
            Self::PreTransferCheck { .. } => "preTransferCheck",
            Self::UsdcRouting => "usdcRouting",
            Self::Meta { .. } => "meta",
            Self::MetaAndAssetCtxs { .. } => "metaAndAssetCtxs",
            Self::SpotMeta => "spotMeta",
            Self::SpotMetaAndAssetCtxs => "spotMetaAndAssetCtxs",
            Self::PerpDexs => "perpDexs",
            Self::AllMids { .. } => "allMids",
            Self::L2Book { .. } => "l2Book",
            Self::OrderStatus { .. } => "orderStatus",
            Self::OpenOrders { .. } => "openOrders",
            Self::FrontendOpenOrders { .. } => "frontendOpenOrders",
            Self::HistoricalOrders { .. } => "historicalOrders",
            Self::UserFills { .. } => "userFills",
            Self::UserFillsByTime { .. } => "userFillsByTime",
            Self::ClearinghouseState { .. } => "clearinghouseState",
            Self::SpotClearinghouseState { .. } => "spotClearinghouseState",
            Self::ActiveAssetData { .. } => "activeAssetData",
            Self::MaxBuilderFee { .. } => "maxBuilderFee",
            Self::ExchangeStatus => "exchangeStatus",
        }
    }

    /// Returns the weight without that of the entries in the response.
    pub(super) fn weight(&self) -> u32 {
        match self {
            Self::UserRole { .. } => 60,
            Self::AllMids { .. }
            | Self::L2Book { .. }
            | Self::OrderStatus { .. }
            | Self::ClearinghouseState { .. }
            | Self::SpotClearinghouseState { .. }
            | Self::ExchangeStatus => 2,
            _ => 20,
        }
    }
}

pub(super) fn info(body: &[u8]) -> Result<Info, Malformed> {
    serde_json::from_slice(body).map_err(|_| Malformed::Shape)
}

pub(super) fn envelope(body: &[u8]) -> Result<Envelope, Malformed> {
    let wire: WireEnvelope = serde_json::from_slice(body).map_err(|_| Malformed::Shape)?;
    let WireSignature { r, s, v } = &wire.signature;
    let action = action(wire.action)?;
    let signed_by_user = match &action {
        Action::ApproveAgent { approval, .. } => Some(approval.nonce),
        Action::ApproveBuilder { approval, .. } => Some(approval.nonce),
        Action::Money { money, .. } => Some(money.nonce()),
        Action::L1 { .. } => None,
    };
    // The exchange's error for a mismatch is not published. Neither is its error for
    // `expiresAfter`, which it does not support for actions signed by users.
    if signed_by_user.is_some_and(|nonce| nonce != wire.nonce || wire.expires_after.is_some()) {
        return Err(Malformed::Shape);
    }
    Ok(Envelope {
        action,
        nonce: wire.nonce,
        signature: signature::from_parts(r, s, *v),
        vault_address: wire.vault_address.map(|vault| vault.0),
        expires_after: wire.expires_after,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEnvelope {
    action: Value,
    nonce: u64,
    signature: WireSignature,
    vault_address: Option<WireAddress>,
    expires_after: Option<u64>,
}

#[derive(Deserialize)]
struct WireSignature {
    r: String,
    s: String,
    v: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireApproveAgent {
    hyperliquid_chain: Chain,
    signature_chain_id: String,
    agent_address: WireAddress,
    agent_name: Option<String>,
    nonce: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireApproveBuilder {
    hyperliquid_chain: Chain,
    signature_chain_id: String,
    max_fee_rate: String,
    builder: WireAddress,
    nonce: u64,
}

#[derive(Deserialize)]
struct WireAddress(#[serde(deserialize_with = "address")] Address);

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_address(&text).ok_or_else(|| de::Error::custom("not an address"))
}

fn action(action: Value) -> Result<Action, Malformed> {
    match action["type"].as_str() {
        Some("approveAgent") => approve_agent(action),
        Some("approveBuilderFee") => approve_builder(action),
        Some(kind) if moves_money(kind) => money(action),
        _ => {
            let act = act(&action).ok_or(Malformed::Shape)?;
            Ok(Action::L1 { action, act })
        }
    }
}

fn money(action: Value) -> Result<Action, Malformed> {
    let sent = action["hyperliquidChain"].clone();
    let sent_chain = serde_json::from_value(sent).map_err(|_| Malformed::Shape)?;
    let money = Money::read(&action).ok_or(Malformed::Shape)?;
    Ok(Action::Money { sent_chain, action, money })
}

fn approve_builder(action: Value) -> Result<Action, Malformed> {
    let wire: WireApproveBuilder = serde_json::from_value(action).map_err(|_| Malformed::Shape)?;
    let approval = ApproveBuilder {
        signature_chain_id: parse_hex_number(&wire.signature_chain_id).ok_or(Malformed::Shape)?,
        max_fee_rate: wire.max_fee_rate,
        builder: wire.builder.0,
        nonce: wire.nonce,
    };
    Ok(Action::ApproveBuilder { sent_chain: wire.hyperliquid_chain, approval })
}

fn approve_agent(action: Value) -> Result<Action, Malformed> {
    let wire: WireApproveAgent = serde_json::from_value(action).map_err(|_| Malformed::Shape)?;
    let approval = ApproveAgent {
        // Hex text, such as `0xa4b1`.
        signature_chain_id: parse_hex_number(&wire.signature_chain_id).ok_or(Malformed::Shape)?,
        agent_address: wire.agent_address.0,
        // Absent, null and "" name the unnamed agent, and are signed as "".
        agent_name: wire.agent_name.unwrap_or_default(),
        nonce: wire.nonce,
    };
    Ok(Action::ApproveAgent { sent_chain: wire.hyperliquid_chain, approval })
}
