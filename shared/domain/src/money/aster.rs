//! Withdrawals from Aster: an `Action`, and a `Message` around it. Source: Aster's documents of API
//! V3 and ccxt.

use serde::{Deserialize, Serialize};

use super::{Checked, require};
use crate::eth::{Address, Digest, Domain, Field, Signature, typed_digest};
use crate::intent::{HyperliquidChain, aster_message_digest};
use crate::policy::Amount;

/// The account that pays. The signed text does not contain it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountType {
    /// Spot (`/api/v3/aster/user-withdraw`).
    Spot,
    /// Perpetuals (`/fapi/v3/aster/user-withdraw`).
    Perp,
}

/// Withdraws from Aster. The receiver is always the wallet's own address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AsterWithdraw {
    /// The EVM chain: 1, 56 or 42161.
    pub chain_id: u64,
    /// The asset's name, such as `USDT`.
    pub asset: String,
    /// Amount of the asset.
    pub amount: Amount,
    /// Aster's fee in the asset; signed.
    pub fee: Amount,
    /// The account that pays.
    pub account_type: AccountType,
}

/// Returns Aster's name of a chain.
const fn chain_name(chain_id: u64) -> Option<&'static str> {
    match chain_id {
        1 => Some("ETH"),
        56 => Some("BSC"),
        42_161 => Some("Arbitrum"),
        _ => None,
    }
}

impl AsterWithdraw {
    pub(super) fn check(&self) -> Checked {
        require(chain_name(self.chain_id).is_some(), "Aster does not withdraw to this chain")?;
        let is_name = (1..=20).contains(&self.asset.len())
            && self.asset.bytes().all(|byte| byte.is_ascii_alphanumeric());
        require(is_name, "invalid asset: expected 1 to 20 letters and digits")?;
        require(self.fee < self.amount, "the amount does not exceed the fee")
    }

    /// Returns the digest of the `Action`.
    pub(super) fn action_digest(
        &self,
        wallet: Address,
        chain: HyperliquidChain,
        user_nonce_us: u64,
    ) -> Digest {
        typed_digest(
            Domain { name: "Aster", chain_id: self.chain_id },
            "Action(string type,address destination,string destination Chain,string token,string amount,string fee,uint256 nonce,string aster chain)",
            &[
                Field::Text("Withdraw"),
                Field::Address(wallet),
                Field::Text(chain_name(self.chain_id).unwrap_or_default()),
                Field::Text(&self.asset),
                Field::Text(&self.amount.to_string()),
                Field::Text(&self.fee.to_string()),
                Field::Uint(user_nonce_us),
                Field::Text(chain.as_str()),
            ],
        )
    }

    /// Returns the text of the wrapper, which is also the form body before `&signature=`.
    pub(super) fn text(
        &self,
        wallet: Address,
        (nonce_us, user_nonce_us): (u64, u64),
        action: &Signature,
    ) -> String {
        let Self { chain_id, asset, amount, fee, .. } = self;
        let signature = action.to_hex();
        format!(
            "nonce={nonce_us}&user={wallet}&signer={wallet}&chainId={chain_id}&asset={asset}\
             &amount={amount}&fee={fee}&receiver={wallet}&userNonce={user_nonce_us}\
             &userSignature={signature}"
        )
    }
}

/// Returns the digest of the wrapper, in the domain of Aster's signed calls.
pub(super) fn wrapper_digest(chain: HyperliquidChain, text: &str) -> Digest {
    let chain_id = match chain {
        HyperliquidChain::Mainnet => 1666,
        HyperliquidChain::Testnet => 714,
    };
    aster_message_digest(chain_id, text)
}
