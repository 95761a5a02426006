//! The part of the policy document about payments: which kinds, networks, tokens, chains and fees a
//! deployment allows. Destinations and limits are the tenants' own; see `policy_chain`.

use std::collections::BTreeSet;

use domain::eth::Address;
use domain::intent::HyperliquidChain;
use domain::money::{Dex, HyperliquidToken};
use domain::policy::{Amount, AssetId, Venue};
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

    /// Returns the assets in which payments of this Hyperliquid network arrive at destinations.
    pub(crate) fn received(&self, network: HyperliquidChain) -> BTreeSet<AssetId> {
        let withdrawn = self.withdrawal_chains(network).map(|chain| (Venue::Evm(chain), USDC));
        ids(self.tokens(network).chain(withdrawn).chain(self.on_chains()))
    }

    /// Returns the assets that payments of this Hyperliquid network count against limits. Withdrawals
    /// and the activation of accounts count USDC.
    pub(crate) fn counted(&self, network: HyperliquidChain) -> BTreeSet<AssetId> {
        let is_used = self.tokens(network).count() + self.withdrawal_chains(network).count() > 0;
        let usdc = is_used.then_some((Venue::Hyperliquid, USDC));
        let aster = self.aster.iter().map(|it| (Venue::Aster, it.asset.as_str()));
        ids(self.tokens(network).chain(usdc).chain(aster).chain(self.on_chains()))
    }

    fn tokens(&self, network: HyperliquidChain) -> impl Iterator<Item = (Venue, &str)> {
        let tokens = self.hyperliquid.tokens.iter().filter(move |it| it.network == network);
        tokens.map(|it| (Venue::Hyperliquid, it.token.name()))
    }

    /// Returns the chains on which withdrawals from Hyperliquid arrive.
    fn withdrawal_chains(&self, network: HyperliquidChain) -> impl Iterator<Item = u64> {
        let HyperliquidPayments { bridges, cctp, .. } = &self.hyperliquid;
        let bridges = bridges.iter().filter(move |it| it.network == network);
        let domains = cctp.iter().filter(move |it| it.network == network);
        bridges.map(|it| it.chain_id).chain(domains.map(|it| it.chain_id))
    }

    /// Returns the assets of transfers on chains.
    fn on_chains(&self) -> impl Iterator<Item = (Venue, &str)> {
        self.evm.iter().flat_map(|chain| {
            let tokens = chain.tokens.iter().map(|it| it.symbol.as_str());
            tokens.chain([NATIVE]).map(move |symbol| (Venue::Evm(chain.chain_id), symbol))
        })
    }
}

/// The only token of withdrawals from Hyperliquid.
const USDC: &str = "USDC";

fn ids<'a>(assets: impl Iterator<Item = (Venue, &'a str)>) -> BTreeSet<AssetId> {
    assets.filter_map(|(venue, symbol)| AssetId::new(venue, symbol).ok()).collect()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(assets: BTreeSet<AssetId>) -> String {
        let texts: Vec<String> = assets.into_iter().map(String::from).collect();
        texts.join(" ")
    }

    #[test]
    fn assets_follow_from_the_documents_payments() {
        let document = json!({
            "hyperliquid": {
                "tokens": [{ "network": "Mainnet", "token": "PURR:0xc1fb593aeffbeb02f85e0308e9956a90",
                    "decimals": 5 }],
                "bridges": [{ "network": "Mainnet", "chainId": 42_161, "maxFee": "1" }],
                "cctp": [{ "network": "Testnet", "domain": 3, "chainId": 421_614,
                    "gasLimits": [200_000], "maxFee": "2" }],
            },
            "aster": [{ "chainId": 56, "asset": "BNB", "maxFee": "0.002" }],
            "evm": [{ "chainId": 56, "maxGasLimit": 150_000, "maxFeePerGas": 20_000_000_000_u64,
                "tokens": [{ "symbol": "USDT",
                    "contract": "0x55d398326f99059ff775485246999027b3197955", "decimals": 18 }] }],
        });
        let rules: PaymentRules = serde_json::from_value(document).unwrap();
        let (main, test) = (HyperliquidChain::Mainnet, HyperliquidChain::Testnet);
        let on_chain = ["evm:56/USDT", "evm:56/native"];
        let with = |before: &[&str], after: &[&str]| [before, &on_chain, after].concat().join(" ");
        let received = with(&["hyperliquid/PURR"], &["evm:42161/USDC"]);
        assert_eq!(texts(rules.received(main)), received);
        let counted = with(&["hyperliquid/PURR", "hyperliquid/USDC", "aster/BNB"], &[]);
        assert_eq!(texts(rules.counted(main)), counted);
        assert_eq!(texts(rules.received(test)), with(&[], &["evm:421614/USDC"]));
        assert_eq!(texts(rules.counted(test)), with(&["hyperliquid/USDC", "aster/BNB"], &[]));
        assert!(PaymentRules::default().counted(main).is_empty());
    }
}
