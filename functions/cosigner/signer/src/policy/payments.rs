//! The part of the policy document about payments: which kinds, networks, tokens, chains and fees a
//! deployment allows. Destinations and limits are the tenants' own; see `policy_chain`.

use domain::eth::Address;
use domain::intent::HyperliquidChain;
use domain::money::{Dex, HyperliquidToken};
use domain::policy::Amount;
use serde::Deserialize;

/// What a deployment may pay. Everything that is not listed is refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PaymentRules {
    /// Names of payments that may be signed.
    pub(crate) kinds: Vec<String>,
    pub(crate) hyperliquid: HyperliquidPayments,
    /// Assets that may be withdrawn from Aster.
    pub(crate) aster: Vec<AsterAsset>,
    /// Chains on which wallets may transfer tokens.
    pub(crate) evm: Vec<EvmChain>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HyperliquidPayments {
    /// Balances between which money may be sent.
    pub(crate) dexs: Vec<Dex>,
    pub(crate) tokens: Vec<TokenRule>,
    /// The legacy bridge, one for each network.
    pub(crate) bridges: Vec<BridgeRule>,
    /// Withdrawals by CCTP.
    pub(crate) cctp: Vec<CctpRule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TokenRule {
    pub(crate) network: HyperliquidChain,
    pub(crate) token: HyperliquidToken,
    pub(crate) decimals: u8,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BridgeRule {
    pub(crate) network: HyperliquidChain,
    /// The EVM chain on which the money arrives.
    pub(crate) chain_id: u64,
    /// Maximum fee in USDC.
    pub(crate) max_fee: Amount,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CctpRule {
    pub(crate) network: HyperliquidChain,
    /// Circle's number of the chain.
    pub(crate) domain: u32,
    /// The EVM chain on which the money arrives.
    pub(crate) chain_id: u64,
    /// Permitted values of `gasLimit`.
    pub(crate) gas_limits: Vec<u64>,
    /// Maximum fee in USDC.
    pub(crate) max_fee: Amount,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AsterAsset {
    pub(crate) chain_id: u64,
    pub(crate) asset: String,
    /// Maximum fee in the asset.
    pub(crate) max_fee: Amount,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EvmChain {
    pub(crate) chain_id: u64,
    pub(crate) max_gas_limit: u64,
    /// Maximum fee per gas, in wei.
    pub(crate) max_fee_per_gas: u64,
    /// ERC-20 tokens. The native coin is always listed.
    pub(crate) tokens: Vec<EvmTokenRule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EvmTokenRule {
    pub(crate) symbol: String,
    pub(crate) contract: Address,
    pub(crate) decimals: u8,
}
