//! The policy document, as it is written: `infra/cosigner-policy.schema.json` in types.

use domain::intent::HyperliquidChain;
use serde::Deserialize;

/// The document, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document {
    #[serde(rename = "$schema", default)]
    pub(super) _schema: Option<String>,
    pub(super) intents: Vec<String>,
    pub(super) hyperliquid: HyperliquidRules,
    pub(super) aster: AsterRules,
    pub(super) agents: AgentRules,
    pub(super) personal_messages: MessageRules,
    pub(super) limits: Limits,
}

impl Document {
    /// The networks that Aster may be set to: Hyperliquid's, when the document does not say.
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
    /// Documents from before Aster had a setting of its own do not have it.
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

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MessageRules {
    pub(super) max_bytes: usize,
    pub(super) refused_prefixes: Vec<String>,
}

/// How many signatures are made at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// With one wallet.
    pub wallet: Rate,
    /// With all wallets of a tenant.
    pub tenant: Rate,
}

/// Signatures; 0 is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// In one minute of the clock.
    pub per_minute: u64,
    /// In one day (UTC).
    pub per_day: u64,
}
