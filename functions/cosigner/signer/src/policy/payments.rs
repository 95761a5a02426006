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

#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HyperliquidPayments {
    /// Balances between which money may be sent.
    pub(crate) dexs: Vec<Dex>,
    pub(crate) tokens: Vec<TokenRule>,
    /// The legacy bridge, one for each network.
    pub(crate) bridges: Vec<BridgeRule>,
    /// Withdrawals by CCTP.
    pub(crate) cctp: Vec<CctpRule>,
    /// The exchange's fee for the first payment to an account, in USDC. Each payment counts it,
    /// because the cosigner does not know the accounts.
    pub(crate) activation_fee: Amount,
}

impl Default for HyperliquidPayments {
    fn default() -> Self {
        let (dexs, tokens, bridges, cctp) = Default::default();
        Self { dexs, tokens, bridges, cctp, activation_fee: ONE }
    }
}

/// One token of 18 decimals.
const ONE: Amount = match Amount::of_units(1_000_000_000_000_000_000) {
    Some(one) => one,
    None => Amount::MAX,
};

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
    /// Minimum gas of a transfer of the native coin. No block can contain a transaction with less
    /// gas than its own data costs, and it would hold its nonce.
    #[serde(default = "native_gas")]
    pub(crate) min_gas_limit: u64,
    /// Minimum gas of a transfer of a token.
    #[serde(default = "token_gas")]
    pub(crate) min_token_gas_limit: u64,
    /// Maximum fee per gas, in wei.
    pub(crate) max_fee_per_gas: u64,
    /// Minimum fee per gas, in wei.
    #[serde(default = "one_wei")]
    pub(crate) min_fee_per_gas: u64,
    /// What a transaction may cost besides its gas, in the native coin: the data fee of rollups.
    #[serde(default)]
    pub(crate) extra_fee: Amount,
    /// ERC-20 tokens. The native coin is always listed.
    pub(crate) tokens: Vec<EvmTokenRule>,
}

/// Gas of a transaction without data.
const fn native_gas() -> u64 {
    21_000
}

/// Less than the gas of any transfer of a token: 21,000, its data, and two written balances.
const fn token_gas() -> u64 {
    30_000
}

const fn one_wei() -> u64 {
    1
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EvmTokenRule {
    pub(crate) symbol: String,
    pub(crate) contract: Address,
    pub(crate) decimals: u8,
}

impl PaymentRules {
    /// Checks that no two entries can mean the same asset. Returns the expectation that they do not
    /// meet.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let tokens =
            self.hyperliquid.tokens.iter().map(|it| (it.network.as_str(), it.token.name()));
        require(are_unique(tokens), "a document with one token of each Hyperliquid name")?;
        let bridges = self.hyperliquid.bridges.iter().map(|it| it.network.as_str());
        require(are_unique(bridges), "a document with one bridge of each Hyperliquid network")?;
        let domains = self.hyperliquid.cctp.iter().map(|it| (it.network.as_str(), it.domain));
        require(are_unique(domains), "a document that names each CCTP domain once")?;
        let assets = self.aster.iter().map(|it| (it.chain_id, it.asset.to_lowercase()));
        require(are_unique(assets), "a document that names each asset of Aster once")?;
        let chains = self.evm.iter().map(|it| it.chain_id);
        require(are_unique(chains), "a document that names each chain once")?;
        self.evm.iter().try_for_each(EvmChain::check)?;
        // The money arrives at the wallet itself, and needs a way on.
        let has_chain = |it: &AsterAsset| self.evm.iter().any(|evm| evm.chain_id == it.chain_id);
        require(
            self.aster.iter().all(has_chain),
            "a document whose chains of Aster are among the EVM chains",
        )
    }
}

impl EvmChain {
    fn check(&self) -> Result<(), &'static str> {
        let symbols = self.tokens.iter().map(|it| it.symbol.to_lowercase());
        let contracts = self.tokens.iter().map(|it| it.contract);
        require(
            are_unique(symbols) && are_unique(contracts),
            "a document that names each token of a chain once",
        )?;
        let is_coin = |it: &EvmTokenRule| it.symbol.eq_ignore_ascii_case(NATIVE);
        require(!self.tokens.iter().any(is_coin), "a document without a token named native")?;
        let fits = self.min_gas_limit.max(self.min_token_gas_limit) <= self.max_gas_limit
            && self.min_fee_per_gas <= self.max_fee_per_gas;
        require(fits, "a document whose minimums of gas and fee are at most the maximums")
    }
}

/// The symbol of a chain's own coin in policies.
pub(crate) const NATIVE: &str = "native";

fn are_unique<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut values: Vec<T> = values.collect();
    let count = values.len();
    values.sort_unstable();
    values.dedup();
    values.len() == count
}

const fn require(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}
