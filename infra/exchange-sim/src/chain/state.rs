//! State of the chains: balances, nonces, transactions, deposits and payments of the exchanges.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde::{Deserialize, Serialize};

use super::contracts::{self, Effect, Message};
use super::spec::{Asset, Spec};
use super::transaction::{Invalid, Transaction, decode};
use crate::market::Num;

/// The first block's time, in milliseconds. Blocks are counted from it.
const GENESIS_MS: u64 = 1_700_000_000_000;

/// Most gas of a transaction.
const MOST_GAS: u64 = 30_000_000;

/// The exchange that a deposit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Venue {
    Hyperliquid,
    Aster,
}

/// A deposit that an exchange credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deposit {
    pub(crate) venue: Venue,
    pub(crate) chain_id: u64,
    pub(crate) account: Address,
    pub(crate) asset: String,
    pub(crate) amount: Num,
    /// Whether the spot account is credited.
    pub(crate) to_spot: bool,
    /// Hash of the transaction.
    pub(crate) hash: String,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) chains: BTreeMap<u64, ChainState>,
    pub(super) deposits: Vec<Deposit>,
    /// Payments of the exchanges, by their ids.
    pub(super) payouts: BTreeMap<String, B256>,
}

/// State of one chain.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct ChainState {
    /// The steered base fee, in wei.
    pub(super) base_fee: Option<u128>,
    /// Whether transactions wait until someone asks for a block.
    pub(super) is_manual: bool,
    last_block: u64,
    nonces: BTreeMap<Address, u64>,
    coins: BTreeMap<Address, U256>,
    tokens: BTreeMap<Address, TokenState>,
    pub(super) transactions: BTreeMap<B256, Sent>,
}

/// Balances and allowances of a token.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct TokenState {
    balances: BTreeMap<Address, U256>,
    /// By owner, then spender.
    allowances: BTreeMap<Address, BTreeMap<Address, U256>>,
}

/// A transaction that a node has taken.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) raw: Bytes,
    pub(super) mined: Option<Mined>,
}

/// The result of a transaction.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Mined {
    pub(super) block: u64,
    pub(super) success: bool,
    pub(super) gas_used: u64,
    pub(super) gas_price: u128,
    pub(super) logs: Vec<Log>,
}

/// An event of a contract.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Log {
    pub(super) address: Address,
    pub(super) topics: Vec<B256>,
    pub(super) data: Bytes,
}

/// A node's error.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NodeError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("invalid chain id for signer: have {have} want {want}")]
    ChainId { have: u64, want: u64 },
    #[error("already known")]
    Known,
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow { next: u64, nonce: u64 },
    #[error("replacement transaction underpriced")]
    Underpriced,
    #[error("intrinsic gas too low: gas {gas}, minimum needed {least}")]
    Gas { gas: u64, least: u64 },
    #[error("exceeds block gas limit")]
    GasLimit,
    #[error(
        "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, \
         maxFeePerGas: {max_fee}"
    )]
    Tip { tip: u128, max_fee: u128 },
    #[error("max fee per gas less than block base fee: maxFeePerGas: {max_fee}, baseFee: {base}")]
    FeeTooLow { max_fee: u128, base: u128 },
    #[error("insufficient funds for gas * price + value: balance {balance}, tx cost {cost}")]
    Funds { balance: U256, cost: U256 },
    #[error("execution reverted: {0}")]
    Reverted(&'static str),
}

impl ChainState {
    pub(super) fn base_fee(&self, spec: &Spec) -> u128 {
        self.base_fee.unwrap_or(spec.base_fee)
    }

    /// Returns the newest block's number.
    pub(super) fn block(&self, spec: &Spec, now: u64) -> u64 {
        (now.saturating_sub(GENESIS_MS) / spec.block_ms).max(self.last_block)
    }

    pub(super) fn balance(&self, asset: Asset, account: Address) -> U256 {
        let balances = match asset {
            Asset::Coin => Some(&self.coins),
            Asset::Token(token) => self.tokens.get(&token).map(|token| &token.balances),
        };
        balances.and_then(|it| it.get(&account)).copied().unwrap_or_default()
    }

    /// Creates money, as a payment of an exchange or a person's steering.
    pub(super) fn mint(&mut self, asset: Asset, account: Address, amount: U256) {
        let balance = self.balance_mut(asset, account);
        *balance = balance.saturating_add(amount);
    }

    fn balance_mut(&mut self, asset: Asset, account: Address) -> &mut U256 {
        match asset {
            Asset::Coin => self.coins.entry(account).or_default(),
            Asset::Token(token) => {
                self.tokens.entry(token).or_default().balances.entry(account).or_default()
            }
        }
    }

    /// Moves money. Returns false if the first account does not have it.
    pub(super) fn transfer(
        &mut self,
        asset: Asset,
        (from, to): (Address, Address),
        amount: U256,
    ) -> bool {
        let Some(left) = self.balance(asset, from).checked_sub(amount) else { return false };
        *self.balance_mut(asset, from) = left;
        self.mint(asset, to, amount);
        true
    }

    pub(super) fn allowance(&self, token: Address, owner: Address, spender: Address) -> U256 {
        let token = self.tokens.get(&token);
        let owner = token.and_then(|token| token.allowances.get(&owner));
        owner.and_then(|of| of.get(&spender)).copied().unwrap_or_default()
    }

    pub(super) fn approve(
        &mut self,
        token: Address,
        (owner, spender): (Address, Address),
        amount: U256,
    ) {
        let allowances = &mut self.tokens.entry(token).or_default().allowances;
        allowances.entry(owner).or_default().insert(spender, amount);
    }

    /// Returns the next nonce of an account, after its mined transactions.
    pub(super) fn nonce(&self, account: Address) -> u64 {
        self.nonces.get(&account).copied().unwrap_or_default()
    }

    /// Returns the next nonce of an account, after its waiting transactions.
    pub(super) fn pending_nonce(&self, account: Address) -> u64 {
        let waiting: Vec<u64> = self
            .waiting()
            .filter(|transaction| transaction.from == account)
            .map(|transaction| transaction.nonce)
            .collect();
        let mut next = self.nonce(account);
        while waiting.contains(&next) {
            next += 1;
        }
        next
    }

    fn waiting(&self) -> impl Iterator<Item = Transaction> {
        let open = self.transactions.values().filter(|sent| sent.mined.is_none());
        open.filter_map(|sent| decode(&sent.raw).ok())
    }

    /// Takes a raw transaction into the pool.
    pub(super) fn take(&mut self, spec: &Spec, raw: &[u8]) -> Result<B256, NodeError> {
        let transaction = decode(raw)?;
        self.check(spec, &transaction)?;
        let replaced =
            self.waiting().find(|it| it.from == transaction.from && it.nonce == transaction.nonce);
        if let Some(replaced) = replaced {
            let is_more = |new: u128, old: u128| new >= old.saturating_add(old.div_ceil(10));
            let pays = is_more(transaction.max_fee, replaced.max_fee)
                && is_more(transaction.tip, replaced.tip);
            if !pays {
                return Err(NodeError::Underpriced);
            }
            self.transactions.remove(&replaced.hash);
        }
        let sent = Sent { raw: Bytes::copy_from_slice(raw), mined: None };
        self.transactions.insert(transaction.hash, sent);
        Ok(transaction.hash)
    }

    fn check(&self, spec: &Spec, it: &Transaction) -> Result<(), NodeError> {
        if it.chain_id != spec.id {
            return Err(NodeError::ChainId { have: it.chain_id, want: spec.id });
        }
        let known = self.transactions.get(&it.hash);
        if known.is_some_and(|sent| sent.mined.is_none()) {
            return Err(NodeError::Known);
        }
        let next = self.nonce(it.from);
        if it.nonce < next {
            return Err(NodeError::NonceTooLow { next, nonce: it.nonce });
        }
        if it.gas > MOST_GAS {
            return Err(NodeError::GasLimit);
        }
        let least = intrinsic(spec, &it.data);
        if it.gas < least {
            return Err(NodeError::Gas { gas: it.gas, least });
        }
        let (tip, max_fee, base) = (it.tip, it.max_fee, self.base_fee(spec));
        if tip > max_fee {
            return Err(NodeError::Tip { tip, max_fee });
        }
        if max_fee < base && spec.refuses_low_fees {
            return Err(NodeError::FeeTooLow { max_fee, base });
        }
        let cost = it.value.saturating_add(U256::from(it.gas) * U256::from(max_fee));
        let balance = self.balance(Asset::Coin, it.from);
        if balance < cost {
            return Err(NodeError::Funds { balance, cost });
        }
        Ok(())
    }

    /// Puts the waiting transactions that can be executed into blocks.
    pub(super) fn mine(&mut self, spec: &Spec, now: u64, deposits: &mut Vec<Deposit>) {
        while let Some(next) = self.next(spec) {
            self.execute(spec, &next, (now, deposits));
        }
    }

    /// Returns the first waiting transaction that can be executed.
    fn next(&self, spec: &Spec) -> Option<Transaction> {
        let base = self.base_fee(spec);
        let mut waiting = self.waiting();
        waiting.find(|it| {
            let cost = it.value.saturating_add(U256::from(it.gas) * U256::from(it.max_fee));
            let covered = cost <= self.balance(Asset::Coin, it.from);
            it.nonce == self.nonce(it.from) && it.max_fee >= base && covered
        })
    }

    fn execute(
        &mut self,
        spec: &Spec,
        it: &Transaction,
        (now, deposits): (u64, &mut Vec<Deposit>),
    ) {
        self.nonces.insert(it.from, it.nonce + 1);
        let base = self.base_fee(spec);
        let gas_price = it.max_fee.min(base.saturating_add(it.tip));
        let message =
            Message { from: it.from, to: it.to, value: it.value, data: &it.data, hash: it.hash };
        // A failed transaction changes nothing but the nonce and the fee.
        let mut after = self.clone();
        let ran = contracts::run(&mut after, spec, &message);
        let gas = intrinsic(spec, &it.data) + ran.as_ref().map_or(30_000, |effect| effect.gas);
        let (success, gas_used) = (ran.is_ok() && gas <= it.gas, gas.min(it.gas));
        let mut logs = Vec::new();
        if let Ok(effect) = ran.map_err(drop)
            && success
        {
            *self = after;
            logs = effect.logs;
            deposits.extend(effect.deposit);
        }
        let fee = U256::from(gas_used) * U256::from(gas_price);
        let coins = self.balance_mut(Asset::Coin, it.from);
        *coins = coins.saturating_sub(fee);
        self.last_block = self.block(spec, now);
        let block = self.last_block;
        if let Some(sent) = self.transactions.get_mut(&it.hash) {
            sent.mined = Some(Mined { block, success, gas_used, gas_price, logs });
        }
    }

    /// Executes a call without a transaction, and returns its effect and its gas.
    pub(super) fn call(
        &self,
        spec: &Spec,
        message: &Message<'_>,
    ) -> Result<(Effect, u64), NodeError> {
        let mut copy = self.clone();
        let effect =
            contracts::run(&mut copy, spec, message).map_err(|it| NodeError::Reverted(it.0))?;
        let gas = intrinsic(spec, message.data) + effect.gas;
        Ok((effect, gas))
    }
}

/// Returns the gas of a transaction before it executes anything.
fn intrinsic(spec: &Spec, data: &[u8]) -> u64 {
    let of_data: u64 = data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum();
    21_000 + of_data + spec.l1_gas
}

/// Returns the hash of a block.
pub(super) fn block_hash(chain_id: u64, number: u64) -> B256 {
    keccak256([chain_id.to_be_bytes(), number.to_be_bytes()].concat())
}

/// Returns the time of a block, in seconds.
pub(super) fn block_time(spec: &Spec, number: u64) -> u64 {
    (GENESIS_MS + number * spec.block_ms) / 1_000
}
