//! Transfers on EVM chains. The account's nonce and the gas come from the chain, unless the request
//! names them.

use domain::eth::Address;
use domain::money::{EvmFee, EvmToken, EvmTokenTransfer, Payment};
use domain::policy::Amount;

use super::{Arrival, PlanFor, Quote};
use crate::evm::{Chain, ChainError, Chains, GasCall};
use crate::money::tokens::token_of;
use crate::money::{EvmTransfer, MoneyError};

/// An estimate over the chains of the table.
const ARRIVAL: Arrival = Arrival { min_s: 5, max_s: 300 };

/// Percentage of the estimated gas that a transaction may use. The estimate changes with the state,
/// and unused gas is not charged.
const GAS_PERCENT: u64 = 125;

/// Gas for the estimate of a transaction whose own gas is not known yet.
const NO_GAS: u64 = 0;

pub(super) async fn transfer(
    chains: &Chains,
    from: PlanFor<'_>,
    wanted: &EvmTransfer,
) -> Result<Quote, MoneyError> {
    let EvmTransfer { chain_id, asset, destination, amount: total, gas } = wanted;
    let (chain_id, destination, total) = (*chain_id, *destination, *total);
    let token = token_of(chain_id, asset).ok_or(MoneyError::NotOffered {
        what: "a transfer of this asset on this chain",
        advice: "Choose native, USDT or USDC on a chain of the documentation's table.",
    })?;
    if destination == Address::ZERO {
        let expected = "must not be the zero address";
        return Err(MoneyError::Invalid { field: "destination", expected });
    }
    let chain = chains.get(chain_id);
    let next = match chain {
        Some(chain) => {
            chain.check().await?;
            Some(chain.account_nonce(from.wallet).await?)
        }
        None => None,
    };
    let nonce = gas.account_nonce.or(next);
    let account_nonce = nonce.ok_or(MoneyError::Missing("accountNonce"))?;
    let replaces = next.is_some_and(|next| account_nonce < next);
    let fee = fee(chain, (gas.max_fee, gas.max_priority_fee), replaces).await?;
    let mut payment = EvmTokenTransfer {
        chain_id,
        token,
        destination,
        amount: total,
        gas_limit: gas.limit.unwrap_or(NO_GAS),
        fee,
        account_nonce,
    };
    if gas.limit.is_none() {
        let chain = chain.ok_or(MoneyError::Missing("gasLimit"))?;
        let call = payment.transaction()?;
        let call = GasCall { from: from.wallet, to: call.to, value: call.value, data: call.data };
        let estimate = chain.estimate_gas(&call).await.map_err(short_of_funds)?;
        payment.gas_limit = estimate.saturating_mul(GAS_PERCENT) / 100;
    }
    let cost = Amount::of_units(payment.max_gas_cost()).ok_or(MoneyError::Damaged("a fee"))?;
    let route = match payment.token {
        EvmToken::Native => "native",
        EvmToken::Erc20 { .. } => "erc20",
    };
    Ok(Quote {
        payment: Payment::EvmTokenTransfer(payment),
        fee: cost,
        fee_asset: crate::money::tokens::NATIVE.to_owned(),
        activation_fee: Amount::ZERO,
        receives: total,
        chain_id: Some(chain_id),
        arrival: ARRIVAL,
        route,
    })
}

/// Returns the error of a transfer that the node cannot execute for lack of money.
fn short_of_funds(error: ChainError) -> MoneyError {
    let is_short = |text: &str| {
        let text = text.to_lowercase();
        ["insufficient", "exceeds balance", "exceeds the balance"]
            .iter()
            .any(|it| text.contains(it))
    };
    match error {
        ChainError::Refused { text, .. } if is_short(&text) => MoneyError::ShortOfFunds { text },
        error => error.into(),
    }
}

/// Returns the price of gas: twice the base fee, so that a rise delays nothing, and the node's tip.
/// A transaction that replaces a waiting one gets twice that, because nodes take it only if both
/// numbers are at least 10% higher.
async fn fee(
    chain: Option<&Chain>,
    (max_fee, max_priority_fee): (Option<u64>, Option<u64>),
    replaces: bool,
) -> Result<EvmFee, MoneyError> {
    if let (Some(max_fee_per_gas), Some(max_priority_fee_per_gas)) = (max_fee, max_priority_fee) {
        return Ok(EvmFee::Dynamic { max_fee_per_gas, max_priority_fee_per_gas });
    }
    let chain = chain.ok_or(MoneyError::Missing("maxFeePerGas"))?;
    let fees = chain.fees().await?;
    let too_high = || MoneyError::Damaged("the node's price is too high");
    let tip = u64::try_from(fees.priority_fee).map_err(|_| too_high())?;
    let base = u64::try_from(fees.base_fee).map_err(|_| too_high())?;
    let times = if replaces { 2 } else { 1 };
    let tip = max_priority_fee.unwrap_or(tip.saturating_mul(times));
    let usual = base.saturating_mul(2 * times).saturating_add(tip);
    let max_fee_per_gas = max_fee.unwrap_or(usual);
    Ok(EvmFee::Dynamic { max_fee_per_gas, max_priority_fee_per_gas: tip.min(max_fee_per_gas) })
}
