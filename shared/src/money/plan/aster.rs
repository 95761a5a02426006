//! Withdrawals from Aster. The receiver is always the wallet's own address.

use domain::money::{AccountType, AsterWithdraw, Payment};
use domain::policy::Amount;

use super::super::calls::Calls;
use super::{Arrival, PlanFor, Quote, amount};
use crate::exchanges::aster::money::{Limit, MoneyClient};
use crate::money::{MoneyError, WithdrawAster};

/// An estimate: the exchange documents no time.
const ARRIVAL: Arrival = Arrival { min_s: 60, max_s: 1_800 };

pub(super) async fn withdraw(
    calls: &Calls<MoneyClient>,
    from: PlanFor<'_>,
    wanted: &WithdrawAster,
) -> Result<Quote, MoneyError> {
    if wanted.receiver.is_some_and(|receiver| receiver != from.wallet) {
        return Err(MoneyError::Invalid {
            field: "receiver",
            expected: "must be walletAddress; Aster pays only to the account's own address",
        });
    }
    let WithdrawAster { chain_id, asset, amount: total, account_type, .. } = wanted;
    let (chain_id, total, account_type) = (*chain_id, *total, *account_type);
    // Before the fee, which nobody states for an asset that the chain does not have.
    // Without a trading key nobody can ask for the limits. The exchange then refuses by itself.
    if let Some(agent) = from.agent {
        let limits = calls.limits(from.tenant, from.wallet, agent).await?;
        within(&limits, chain_id, asset, account_type, total)?;
    }
    let fee = calls.fee(from.tenant, chain_id, asset, account_type).await?;
    let fee = amount(&fee)?;
    let payment =
        AsterWithdraw { chain_id, asset: asset.clone(), amount: total, fee, account_type };
    Ok(Quote {
        payment: Payment::AsterWithdraw(payment),
        fee,
        fee_asset: asset.clone(),
        activation_fee: Amount::ZERO,
        receives: total.saturating_sub(fee),
        chain_id: Some(chain_id),
        arrival: ARRIVAL,
        route: "aster",
    })
}

/// Checks an amount against the exchange's limits of the asset on the chain.
fn within(
    limits: &[Limit],
    chain_id: u64,
    asset: &str,
    account: AccountType,
    total: Amount,
) -> Result<(), MoneyError> {
    let limit = limits.iter().find(|limit| limit.chain_id == chain_id && limit.asset == asset);
    let Some(limit) = limit else {
        return Err(MoneyError::NotOffered {
            what: "a withdrawal of this asset to this chain",
            advice: "Choose an asset that the account holds and a chain that Aster pays it on.",
        });
    };
    let most = match account {
        AccountType::Spot => limit.spot,
        AccountType::Perp => limit.perp,
    };
    let most = most.text();
    if total > amount(&most)? { Err(MoneyError::AboveExchangeLimit { most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trading::decimal::Decimal;

    #[test]
    fn amount_above_the_exchange_limit_is_refused() {
        let decimal = |text| Decimal::parse(text).unwrap();
        let (spot, perp) = (decimal("3"), decimal("50"));
        let limits = [Limit { asset: "USDT".to_owned(), chain_id: 56, spot, perp }];
        let check = |chain_id, asset, account, total: &str| {
            within(&limits, chain_id, asset, account, Amount::parse(total).unwrap())
        };
        assert!(check(56, "USDT", AccountType::Perp, "50").is_ok());
        let above = check(56, "USDT", AccountType::Perp, "50.000000000000000001");
        assert!(matches!(above, Err(MoneyError::AboveExchangeLimit { most }) if most == "50"));
        assert!(check(56, "USDT", AccountType::Spot, "4").is_err());
        assert!(check(1, "USDT", AccountType::Perp, "1").is_err());
        assert!(check(56, "BNB", AccountType::Perp, "1").is_err());
    }
}
