//! The policy document as types. Its schema is `infra/cosigner-policy.schema.json`.

use std::collections::HashMap;

use domain::builder::Builder;
use domain::ids::Tenant;
use domain::intent::HyperliquidChain;
use domain::policy::{AssetLimit, Authority};
use serde::Deserialize;

use super::payments::PaymentRules;

/// The document as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document {
    #[serde(rename = "$schema", default)]
    pub(super) _schema: Option<String>,
    pub(super) intents: Vec<String>,
    pub(super) hyperliquid: HyperliquidRules,
    pub(super) aster: AsterRules,
    pub(super) agents: AgentRules,
    /// Absent in documents from before there were builders.
    #[serde(default)]
    pub(super) builders: BuilderRules,
    /// Absent: the tables of the built-in document, which would not fit into a function's settings.
    #[serde(default)]
    pub(super) payments: Option<PaymentRules>,
    pub(super) personal_messages: MessageRules,
    pub(super) limits: Limits,
    /// Absent where no payment is possible.
    #[serde(default)]
    pub(super) policy_chain: ChainRules,
}

impl Document {
    /// Returns the networks that `ASTER_CHAIN` may name; Hyperliquid's when the document lists
    /// none.
    pub(super) fn aster_chains(&self) -> &[HyperliquidChain] {
        self.aster.chains.as_deref().unwrap_or(&self.hyperliquid.chains)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HyperliquidRules {
    pub(super) chains: Vec<HyperliquidChain>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AsterRules {
    /// Absent in documents from before Aster had its own setting.
    #[serde(default)]
    pub(super) chains: Option<Vec<HyperliquidChain>>,
    pub(super) signature_chain_ids: Vec<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AgentRules {
    pub(super) name_prefix: String,
    pub(super) max_validity_days: u64,
    pub(super) nonce_window_seconds: u64,
}

/// The builders that wallets may approve, each with its maximum fee. None by default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BuilderRules {
    #[serde(default)]
    pub(super) hyperliquid: Vec<Builder>,
    #[serde(default)]
    pub(super) aster: Vec<Builder>,
}

/// The rules of the tenants' policy chains, which no call can change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ChainRules {
    /// The operator's approvers.
    #[serde(default)]
    pub(super) root_authority: Option<Authority>,
    /// The first authority of a tenant that is not in `first_authorities`.
    #[serde(default)]
    pub(super) first_authority: Option<Authority>,
    #[serde(default)]
    pub(super) first_authorities: HashMap<Tenant, Authority>,
    /// By default a day.
    #[serde(default)]
    pub(super) delay_seconds: Option<u64>,
    /// By default an hour.
    #[serde(default)]
    pub(super) min_delay_seconds: Option<u64>,
    /// By default seven days.
    #[serde(default)]
    pub(super) root_delay_seconds: Option<u64>,
    /// Hard caps. An asset without one has no hard cap.
    #[serde(default)]
    pub(super) caps: Vec<AssetLimit>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MessageRules {
    pub(super) max_bytes: usize,
    pub(super) refused_prefixes: Vec<String>,
}

/// Maximum numbers of signatures of each kind: messages, approvals, removals and refreshes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// For one wallet.
    pub wallet: Rate,
    /// For all wallets of a tenant.
    pub tenant: Rate,
}

/// Maximum numbers of signatures per period; 0 means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Per minute of the clock.
    pub per_minute: u64,
    /// Per day (UTC).
    pub per_day: u64,
}
