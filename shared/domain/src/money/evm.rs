//! Transfers on EVM chains: ERC-20 `transfer` or the native coin, as an EIP-1559 transaction, or as a
//! legacy transaction (EIP-155) on chains without EIP-1559.

use serde::{Deserialize, Serialize};

use super::rlp::List;
use super::{Checked, PaymentError, check_destination, require, units};
use crate::eth::{Address, Digest, Signature, keccak256};
use crate::policy::Amount;

/// Selector of `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// A coin or token of a chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum EvmToken {
    /// The native coin, with 18 decimals.
    Native,
    /// An ERC-20 token. The cosigner's policy document lists the same values.
    Erc20 {
        /// The symbol in the policy.
        symbol: String,
        /// Its contract.
        contract: Address,
        /// Its decimals.
        decimals: u8,
    },
}

/// The fee per gas, in wei.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum EvmFee {
    /// EIP-1559.
    Dynamic {
        /// The maximum in total.
        max_fee_per_gas: u64,
        /// The maximum for the block's producer.
        max_priority_fee_per_gas: u64,
    },
    /// A legacy transaction.
    Legacy {
        /// The price.
        gas_price: u64,
    },
}

impl EvmFee {
    /// Returns the most that one unit of gas costs, in wei.
    #[must_use]
    pub const fn max_per_gas(&self) -> u64 {
        match self {
            Self::Dynamic { max_fee_per_gas, .. } => *max_fee_per_gas,
            Self::Legacy { gas_price } => *gas_price,
        }
    }
}

/// Transfers a token or the native coin. Nothing of the native coin to the wallet itself is a
/// cancellation: it uses up the account's nonce, so that another transaction cannot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvmTokenTransfer {
    /// The chain.
    pub chain_id: u64,
    /// The token.
    pub token: EvmToken,
    /// The receiver.
    pub destination: Address,
    /// Amount of the token.
    pub amount: Amount,
    /// Maximum gas.
    pub gas_limit: u64,
    /// The fee per gas.
    pub fee: EvmFee,
    /// The account's nonce on the chain.
    pub account_nonce: u64,
}

impl EvmTokenTransfer {
    pub(super) fn check(&self, wallet: Address) -> Checked {
        check_destination(self.destination)?;
        if self.is_cancellation() {
            // The cosigner learns the wallet's address with its share only.
            let is_own = wallet == Address::ZERO || self.destination == wallet;
            require(is_own, "a cancellation goes to the wallet itself")?;
        } else {
            require(self.destination != wallet, "the destination is the wallet itself")?;
        }
        if let EvmToken::Erc20 { contract, .. } = &self.token {
            require(self.destination != *contract, "the destination is the token's contract")?;
        }
        require(self.chain_id > 0, "the chain id is zero")?;
        if let EvmFee::Dynamic { max_fee_per_gas, max_priority_fee_per_gas } = self.fee {
            require(
                max_priority_fee_per_gas <= max_fee_per_gas,
                "the priority fee exceeds the maximum fee",
            )?;
        }
        self.transaction().map(|_| ())
    }

    /// Returns whether it pays nothing, and only uses up the account's nonce.
    #[must_use]
    pub fn is_cancellation(&self) -> bool {
        self.token == EvmToken::Native && self.amount == Amount::ZERO
    }

    /// Returns whether it differs from another transfer in nothing but its gas and fee. At most one of
    /// the two can be mined.
    #[must_use]
    pub fn is_same_but_for_gas(&self, other: &Self) -> bool {
        let Self { gas_limit, fee, .. } = *other;
        Self { gas_limit, fee, ..self.clone() } == *other
    }

    /// Returns the most that the gas costs, in wei.
    #[must_use]
    pub fn max_gas_cost(&self) -> u128 {
        u128::from(self.gas_limit) * u128::from(self.fee.max_per_gas())
    }

    /// Returns the transaction.
    ///
    /// # Errors
    /// Fails when the amount has more decimal places than the token.
    pub fn transaction(&self) -> Result<Transaction, PaymentError> {
        let (to, value, data) = match &self.token {
            EvmToken::Native => (self.destination, units(self.amount, 18)?, Vec::new()),
            EvmToken::Erc20 { contract, decimals, .. } => {
                let mut data = TRANSFER.to_vec();
                data.extend([0; 12]);
                data.extend(self.destination.as_bytes());
                data.extend([0; 16]);
                data.extend(units(self.amount, *decimals)?.to_be_bytes());
                (*contract, 0, data)
            }
        };
        let Self { chain_id, account_nonce: nonce, gas_limit, fee, .. } = *self;
        Ok(Transaction { chain_id, nonce, gas_limit, fee, to, value, data })
    }
}

/// A transaction to an account. It never creates a contract.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// The chain.
    pub chain_id: u64,
    /// The account's nonce.
    pub nonce: u64,
    /// Maximum gas.
    pub gas_limit: u64,
    /// The fee per gas.
    pub fee: EvmFee,
    /// The called account.
    pub to: Address,
    /// Wei.
    pub value: u128,
    /// The call's data.
    pub data: Vec<u8>,
}

impl Transaction {
    /// Returns the digest to sign.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let list = self.fields();
        keccak256(&match self.fee {
            EvmFee::Dynamic { .. } => typed(list.empty_list()),
            EvmFee::Legacy { .. } => {
                list.number(self.chain_id.into()).number(0).number(0).encoded()
            }
        })
    }

    /// Returns the signed transaction, ready to broadcast. Its Keccak-256 hash is the transaction's.
    #[must_use]
    pub fn signed(&self, signature: &Signature) -> Vec<u8> {
        let parity = u128::from(signature.v.saturating_sub(27));
        let list = self.fields();
        match self.fee {
            EvmFee::Dynamic { .. } => {
                let list = list.empty_list().number(parity);
                typed(list.word(&signature.r).word(&signature.s))
            }
            EvmFee::Legacy { .. } => {
                let v = u128::from(self.chain_id) * 2 + 35 + parity;
                list.number(v).word(&signature.r).word(&signature.s).encoded()
            }
        }
    }

    fn fields(&self) -> List {
        let list = match self.fee {
            EvmFee::Dynamic { max_fee_per_gas, max_priority_fee_per_gas } => List::default()
                .number(self.chain_id.into())
                .number(self.nonce.into())
                .number(max_priority_fee_per_gas.into())
                .number(max_fee_per_gas.into()),
            EvmFee::Legacy { gas_price } => {
                List::default().number(self.nonce.into()).number(gas_price.into())
            }
        };
        let list = list.number(self.gas_limit.into()).bytes(self.to.as_bytes());
        list.number(self.value).bytes(&self.data)
    }
}

/// Prefixes the list of an EIP-1559 transaction with its type.
fn typed(list: List) -> Vec<u8> {
    let mut bytes = vec![2];
    bytes.extend(list.encoded());
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::Payment;
    use super::*;

    const WALLET: &str = "0x14791697260E4c9A71f18484C9f997B308e59325";

    fn transfer() -> EvmTokenTransfer {
        EvmTokenTransfer {
            chain_id: 56,
            token: EvmToken::Erc20 {
                symbol: "USDT".to_owned(),
                contract: "0x55d398326f99059fF775485246999027B3197955".parse().unwrap(),
                decimals: 18,
            },
            destination: "0x5e9ee1089755c3435139848e47e6635505d5a13a".parse().unwrap(),
            amount: "100".parse().unwrap(),
            gas_limit: 80_000,
            fee: EvmFee::Dynamic { max_fee_per_gas: 2_000_000_000, max_priority_fee_per_gas: 1 },
            account_nonce: 0,
        }
    }

    #[test]
    fn cancellation_pays_nothing_to_the_wallet_itself() {
        let wallet: Address = WALLET.parse().unwrap();
        let own = EvmTokenTransfer {
            token: EvmToken::Native,
            destination: wallet,
            amount: Amount::ZERO,
            ..transfer()
        };
        let made = own.transaction().unwrap();
        assert_eq!((made.to, made.value, made.data.len()), (wallet, 0, 0));
        let checked =
            |transfer: EvmTokenTransfer| Payment::EvmTokenTransfer(transfer).check(wallet);
        assert!(checked(own.clone()).is_ok());
        let elsewhere = EvmTokenTransfer { destination: transfer().destination, ..own.clone() };
        assert!(checked(elsewhere).is_err());
        assert!(checked(EvmTokenTransfer { amount: "1".parse().unwrap(), ..own.clone() }).is_err());
        assert!(checked(EvmTokenTransfer { token: transfer().token, ..own }).is_err());
    }

    #[test]
    fn replacement_differs_in_gas_and_fee_alone() {
        let other = transfer();
        let fee = EvmFee::Legacy { gas_price: 9 };
        assert!(
            EvmTokenTransfer { fee, gas_limit: 90_000, ..transfer() }.is_same_but_for_gas(&other)
        );
        for changed in [
            EvmTokenTransfer { amount: "99".parse().unwrap(), ..transfer() },
            EvmTokenTransfer { account_nonce: 1, ..transfer() },
            EvmTokenTransfer { chain_id: 1, ..transfer() },
            EvmTokenTransfer { token: EvmToken::Native, ..transfer() },
            EvmTokenTransfer { destination: WALLET.parse().unwrap(), ..transfer() },
        ] {
            assert!(!changed.is_same_but_for_gas(&other), "{changed:?}");
        }
    }
}
