//! The payment that a request becomes, and its costs. Every amount and mode is read from the exchange
//! or the chain in the same request, because modes and fees change.

mod aster;
mod evm;
mod hyperliquid;

pub(super) use hyperliquid::{USDC_SYSTEM, cctp_fee};

use domain::eth::{Address, AgentKey};
use domain::ids::Tenant;
use domain::money::Payment;
use domain::policy::Amount;

use super::track::{Tracker, Wire};
use super::{MoneyError, Wanted};

/// When the money arrives, in seconds after the payment was sent. An estimate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// At the earliest.
    pub min_s: u64,
    /// Usually at the latest.
    pub max_s: u64,
}

/// A payment with its costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quote {
    /// The payment.
    pub payment: Payment,
    /// The fee.
    pub fee: Amount,
    /// The asset of the fee.
    pub fee_asset: String,
    /// The part of the fee that activates an account.
    pub activation_fee: Amount,
    /// The amount that arrives.
    pub receives: Amount,
    /// The chain on which it arrives; `None` at an exchange.
    pub chain_id: Option<u64>,
    /// When it arrives.
    pub arrival: Arrival,
    /// The exchange's way of the payment.
    pub route: &'static str,
}

/// The payer of a plan.
#[derive(Clone, Copy)]
pub(super) struct PlanFor<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) wallet: Address,
    /// The agent's key, which asks Aster about limits.
    pub(super) agent: Option<&'a AgentKey>,
}

impl Tracker {
    /// Makes the payment of a request, with its costs. Nothing is signed or stored.
    pub(super) async fn plan(
        &self,
        from: PlanFor<'_>,
        wanted: &Wanted,
    ) -> Result<Quote, MoneyError> {
        let quote = match (wanted, &self.wire) {
            (Wanted::WithdrawHyperliquid(wanted), Wire::Hyperliquid(calls)) => {
                hyperliquid::withdraw(calls, self.networks, from, wanted).await?
            }
            (Wanted::MoveHyperliquid(wanted), Wire::Hyperliquid(calls)) => {
                hyperliquid::transfer(calls, self.networks, from, wanted).await?
            }
            (Wanted::WithdrawAster(wanted), Wire::Aster(calls)) => {
                aster::withdraw(calls, from, wanted).await?
            }
            (Wanted::Transfer(wanted), Wire::Evm) => {
                evm::transfer(&self.chains, from, wanted).await?
            }
            _ => return Err(MoneyError::Damaged("a payment of another place")),
        };
        quote.payment.check(from.wallet)?;
        Ok(quote)
    }
}

/// Returns a number of an exchange as an amount.
fn amount(text: &str) -> Result<Amount, MoneyError> {
    Amount::parse(text).map_err(|_| MoneyError::Damaged("the exchange's number is too long"))
}
