//! Payments at Hyperliquid, in each mode of the account.

use domain::eth::Address;
use domain::intent::HyperliquidChain;
use domain::money::{
    AccountType, Chains, Dex, HyperliquidMoveOwn, HyperliquidSendAsset, HyperliquidToken,
    HyperliquidWithdraw, Payment, Route,
};
use domain::policy::Amount;

use super::super::calls::Calls;
use super::{Arrival, PlanFor, Quote, amount};
use crate::exchanges::account::AccountMode;
use crate::exchanges::hyperliquid::money::{MoneyClient, WithdrawalRoute};
use crate::money::{HyperliquidMove, MoneyError, WithdrawHyperliquid};

/// Fee of the legacy bridge, in USDC. Source: the bridge document.
const BRIDGE_FEE: &str = "1";

/// A chain to which USDC can be withdrawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Exit {
    network: HyperliquidChain,
    /// The chain's id.
    chain_id: u64,
    /// Circle's number of the chain.
    domain: u32,
    /// Gas for the arrival by Circle's way. Source: the exchange's own app.
    gas_limit: u64,
    /// Fee of Circle's way, in USDC; it differs between chains. Source: live measurements. The
    /// exchange's document has no number, and only a contract on HyperEVM states the present one
    /// (`calculateCrossChainWithdrawalFee`).
    fee: &'static str,
}

/// The chains whose fee is known. The cosigner caps the fee for each domain and counts it.
const EXITS: [Exit; 2] = [
    Exit {
        network: HyperliquidChain::Mainnet,
        chain_id: 42_161,
        domain: 3,
        gas_limit: 200_000,
        fee: "0.2",
    },
    Exit {
        network: HyperliquidChain::Testnet,
        chain_id: 421_614,
        domain: 3,
        gas_limit: 200_000,
        fee: "0.2",
    },
];

/// Returns the fee of Circle's way to a domain, in USDC.
pub(in crate::money) fn cctp_fee(network: HyperliquidChain, domain: u32) -> Option<Amount> {
    let exit = EXITS.iter().find(|exit| exit.network == network && exit.domain == domain)?;
    Amount::parse(exit.fee).ok()
}

/// The system address that receives USDC of Circle's way.
pub(in crate::money) const USDC_SYSTEM: &str = "0x2000000000000000000000000000000000000000";

const USDC: &str = "USDC";

/// The legacy bridge takes 3 to 5 minutes.
const BRIDGE_ARRIVAL: Arrival = Arrival { min_s: 180, max_s: 300 };

/// Circle's way takes some 20 minutes when it awaits finality.
const CCTP_ARRIVAL: Arrival = Arrival { min_s: 60, max_s: 1_200 };

/// Transfers on the exchange are immediate and final.
const AT_ONCE: Arrival = Arrival { min_s: 0, max_s: 5 };

/// Plans a withdrawal on the way that the exchange names.
pub(super) async fn withdraw(
    calls: &Calls<MoneyClient>,
    networks: Chains,
    from: PlanFor<'_>,
    wanted: &WithdrawHyperliquid,
) -> Result<Quote, MoneyError> {
    let WithdrawHyperliquid { destination, amount: total, chain_id, source } = *wanted;
    let exit = exit(networks.hyperliquid, chain_id)?;
    let mode = known_mode(calls.mode(from.tenant, from.wallet).await?)?;
    let source = pocket(mode, source)?;
    let (route, fee, name, arrival) = match calls.route(from.tenant).await? {
        WithdrawalRoute::Bridge => {
            if mode == AccountMode::Standard && source != Dex::perps() {
                return Err(MoneyError::NotOffered {
                    what: "a withdrawal from the spot balance by the bridge",
                    advice: "Move the USDC from spot to perp with POST \
                             /api/trading/hyperliquid/transfer, then retry the call.",
                });
            }
            (Route::Bridge, amount(BRIDGE_FEE)?, "bridge", BRIDGE_ARRIVAL)
        }
        WithdrawalRoute::Cctp => {
            let route = Route::Cctp { domain: exit.domain, gas_limit: exit.gas_limit, source };
            (route, amount(exit.fee)?, "cctp", CCTP_ARRIVAL)
        }
    };
    let activation = match route {
        Route::Bridge => Amount::ZERO,
        Route::Cctp { .. } => {
            let system = USDC_SYSTEM.parse().map_err(|_| MoneyError::Damaged("an address"))?;
            calls
                .pre_transfer(from.tenant, system, from.wallet)
                .await?
                .fee
                .text()
                .parse()
                .map_err(|_| MoneyError::Damaged("the exchange's number is too long"))?
        }
    };
    let max_fee = fee.checked_add(activation).ok_or(MoneyError::Damaged("a fee"))?;
    let payment = HyperliquidWithdraw { destination, amount: total, route, max_fee };
    Ok(Quote {
        payment: Payment::HyperliquidWithdraw(payment),
        fee: max_fee,
        fee_asset: USDC.to_owned(),
        activation_fee: activation,
        receives: total.saturating_sub(fee),
        chain_id: Some(exit.chain_id),
        arrival,
        route: name,
    })
}

/// Plans a transfer to another account, or between the wallet's own balances.
pub(super) async fn transfer(
    calls: &Calls<MoneyClient>,
    networks: Chains,
    from: PlanFor<'_>,
    wanted: &HyperliquidMove,
) -> Result<Quote, MoneyError> {
    let mode = known_mode(calls.mode(from.tenant, from.wallet).await?)?;
    let token = match &wanted.token {
        Some(token) => token.clone(),
        None => usdc(networks.hyperliquid)?,
    };
    match wanted.destination.filter(|destination| *destination != from.wallet) {
        Some(destination) => send(calls, from, mode, token, destination, wanted).await,
        None => move_own(mode, token, wanted),
    }
}

async fn send(
    calls: &Calls<MoneyClient>,
    from: PlanFor<'_>,
    mode: AccountMode,
    token: HyperliquidToken,
    destination: Address,
    wanted: &HyperliquidMove,
) -> Result<Quote, MoneyError> {
    let check = calls.pre_transfer(from.tenant, destination, from.wallet).await?;
    if check.is_sanctioned {
        return Err(MoneyError::DestinationRefused);
    }
    let default = if mode.is_unified() { Dex::spot() } else { Dex::perps() };
    let source = wanted.from.clone().unwrap_or_else(|| default.clone());
    let target = wanted.to.clone().unwrap_or_else(|| source.clone());
    if mode.is_unified() && source != Dex::spot() {
        return Err(MoneyError::NotOffered {
            what: "a transfer from this balance of a unified account",
            advice: "Leave out from. A unified account keeps all money in one balance.",
        });
    }
    let activation = amount(&check.fee.text())?;
    let total = wanted.amount;
    // Every mode accepts `sendAsset`, and the ledger shows its nonce. `usdSend` has none there.
    let standard = false;
    let payment =
        HyperliquidSendAsset { destination, token, amount: total, source, target, standard };
    Ok(Quote {
        payment: Payment::HyperliquidSendAsset(payment),
        fee: activation,
        // Also of another token: the exchange takes the activation from the USDC balance.
        fee_asset: USDC.to_owned(),
        activation_fee: activation,
        receives: total,
        chain_id: None,
        arrival: AT_ONCE,
        route: "sendAsset",
    })
}

fn move_own(
    mode: AccountMode,
    token: HyperliquidToken,
    wanted: &HyperliquidMove,
) -> Result<Quote, MoneyError> {
    if mode.is_unified() {
        return Err(MoneyError::NotOffered {
            what: "a transfer between balances of a unified account",
            advice: "A unified account keeps all money in one balance, so nothing can be moved.",
        });
    }
    let from = wanted.from.clone().ok_or(MoneyError::Missing("from"))?;
    let to = wanted.to.clone().ok_or(MoneyError::Missing("to"))?;
    // As above: the ledger shows no nonce for `usdClassTransfer`.
    let standard = false;
    let (total, fee_asset) = (wanted.amount, token.name().to_owned());
    let payment = HyperliquidMoveOwn { token, amount: total, from, to, standard };
    Ok(Quote {
        payment: Payment::HyperliquidMoveOwn(payment),
        fee: Amount::ZERO,
        fee_asset,
        activation_fee: Amount::ZERO,
        receives: total,
        chain_id: None,
        arrival: AT_ONCE,
        route: "sendAsset",
    })
}

/// Refuses a mode that this version does not know, because it would take money from a wrong balance.
const fn known_mode(mode: AccountMode) -> Result<AccountMode, MoneyError> {
    match mode {
        AccountMode::Standard | AccountMode::Unified | AccountMode::PortfolioMargin => Ok(mode),
        AccountMode::Other => Err(MoneyError::NotOffered {
            what: "a payment from an account in this mode",
            advice: "The account is in a mode that this version does not know. Change its mode at \
                     the exchange, or contact the operator.",
        }),
    }
}

/// Returns the balance that a withdrawal takes money from.
fn pocket(mode: AccountMode, named: Option<AccountType>) -> Result<Dex, MoneyError> {
    match (mode.is_unified(), named) {
        (true, None | Some(AccountType::Spot)) | (false, Some(AccountType::Spot)) => {
            Ok(Dex::spot())
        }
        (false, None | Some(AccountType::Perp)) => Ok(Dex::perps()),
        (true, Some(AccountType::Perp)) => Err(MoneyError::NotOffered {
            what: "a withdrawal from the perpetuals of a unified account",
            advice: "Leave out accountType. A unified account keeps all money in one balance.",
        }),
    }
}

/// Returns the way to a chain.
fn exit(network: HyperliquidChain, chain_id: u64) -> Result<Exit, MoneyError> {
    let mut exits = EXITS.into_iter();
    let found = exits.find(|exit| exit.network == network && exit.chain_id == chain_id);
    found.ok_or(MoneyError::NotOffered {
        what: "a withdrawal from Hyperliquid to this chain",
        advice: "Withdraw to Arbitrum: chainId 42161, on the test network 421614.",
    })
}

/// Returns USDC with its id on a network.
fn usdc(network: HyperliquidChain) -> Result<HyperliquidToken, MoneyError> {
    let text = match network {
        HyperliquidChain::Mainnet => "USDC:0x6d1e7cde53ba9467b783cb7c530ce054",
        HyperliquidChain::Testnet => "USDC:0xeb62eee3685fc4c43992febcd9e75443",
    };
    Ok(HyperliquidToken::try_from(text.to_owned())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(from: &str, to: &str) -> HyperliquidMove {
        HyperliquidMove {
            destination: None,
            token: None,
            amount: Amount::parse("5").unwrap(),
            from: Some(Dex::try_from(from.to_owned()).unwrap()),
            to: Some(Dex::try_from(to.to_owned()).unwrap()),
        }
    }

    fn moved(mode: AccountMode, from: &str, to: &str) -> Result<HyperliquidMoveOwn, MoneyError> {
        let token = usdc(HyperliquidChain::Mainnet).unwrap();
        match move_own(mode, token, &wanted(from, to))?.payment {
            Payment::HyperliquidMoveOwn(payment) => Ok(payment),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn own_transfer_has_a_nonce_in_the_ledger() {
        for (from, to) in [("", "spot"), ("spot", ""), ("", "xyz")] {
            assert!(!moved(AccountMode::Standard, from, to).unwrap().standard, "{from} {to}");
        }
    }

    #[test]
    fn own_transfer_of_a_unified_account_is_refused() {
        for mode in [AccountMode::Unified, AccountMode::PortfolioMargin] {
            let refused = moved(mode, "", "spot");
            assert!(matches!(refused, Err(MoneyError::NotOffered { .. })), "{mode:?}");
        }
    }

    /// The built-in policy of the cosigner allows each way, with its gas and fee.
    #[test]
    fn cosigner_allows_each_way_to_a_chain() {
        let policy = include_str!("../../../../infra/cosigner-policy.json");
        let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
        let rules = policy["payments"]["hyperliquid"]["cctp"].as_array().unwrap();
        for exit in EXITS {
            let network = serde_json::to_value(exit.network).unwrap();
            let rule = rules
                .iter()
                .find(|rule| rule["network"] == network && rule["domain"] == exit.domain);
            let rule = rule.unwrap();
            assert_eq!(rule["chainId"], exit.chain_id);
            assert!(rule["gasLimits"].as_array().unwrap().contains(&exit.gas_limit.into()));
            // The fee and the activation of an account.
            let most = rule["maxFee"].as_str().unwrap().parse().unwrap();
            let fee = amount(exit.fee).unwrap().checked_add(amount("1").unwrap()).unwrap();
            assert!(fee <= most, "{exit:?}");
        }
        assert!(exit(HyperliquidChain::Mainnet, 421_614).is_err());
        assert!(exit(HyperliquidChain::Mainnet, 1).is_err());
    }

    #[test]
    fn withdrawal_takes_money_from_the_balance_of_the_mode() {
        let of = |mode, named| pocket(mode, named).ok();
        assert_eq!(of(AccountMode::Standard, None), Some(Dex::perps()));
        assert_eq!(of(AccountMode::Standard, Some(AccountType::Spot)), Some(Dex::spot()));
        assert_eq!(of(AccountMode::Unified, None), Some(Dex::spot()));
        assert_eq!(of(AccountMode::Unified, Some(AccountType::Perp)), None);
        assert!(known_mode(AccountMode::Other).is_err());
    }
}
