//! Limits of withdrawals, and the history of deposits and withdrawals.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::{Exchange, Parameters, refusal::Refusal, trade};
use super::{FIRST_ENTRY, Kind, fees, read};
use crate::market::{Engine, Num};

/// Most that leaves by one chain at once.
const CHAIN_LIMIT: Num = Num::whole(50_000);

/// Returns the most that an account can withdraw by a chain.
pub(super) fn most(engine: &Engine, account: Address, (_, asset): (u64, &str), kind: Kind) -> Num {
    let pocket = kind.pocket(asset);
    let available = if pocket == trade::POCKET {
        trade::account::withdrawable(engine, account)
    } else {
        engine.available(account, &pocket).max(Num::ZERO)
    };
    available.min(CHAIN_LIMIT)
}

/// `POST /fapi/v3/aster/user-withdraw-info`
pub(in crate::aster) fn info(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let rules = exchange.rules().money;
    read(exchange, parameters, |engine, account| {
        let mut balances = json!({});
        for asset in assets(engine, account) {
            let of = |kind: Kind, chain_id| most(engine, account, (chain_id, &asset), kind).text();
            let mut chains = json!({});
            for chain_id in fees::chains_of(&asset) {
                let fee = fees::fee(&rules, chain_id, &asset).unwrap_or_default();
                chains[chain_id.to_string()] = json!({
                    "chainId": chain_id,
                    "spotMaxWithdrawAmount": of(Kind::Spot, chain_id),
                    "perpMaxWithdrawAmount": of(Kind::Perp, chain_id),
                    "chainLimit": CHAIN_LIMIT.text(),
                    "withdrawFee": fee.text(),
                });
            }
            balances[&asset] = json!({
                "currency": asset,
                "spotTotalWithdrawAmount": of(Kind::Spot, 0),
                "perpTotalWithdrawAmount": of(Kind::Perp, 0),
                "dailyLimit": "1000000",
                "chainBalances": chains,
            });
        }
        json!({
            "userDailyLimit": "1000000",
            "userRemainingDailyLimit": "1000000",
            "totalDailyLimit": "10000000",
            "totalRemainingDailyLimit": "10000000",
            "balances": balances,
        })
    })
}

/// Returns the assets of which an account has something.
fn assets(engine: &Engine, account: Address) -> Vec<String> {
    let pockets = engine.account(account).into_iter().flat_map(|account| &account.balances);
    let held = pockets.filter(|(_, amount)| amount.is_positive());
    let mut assets: Vec<_> = held
        .filter_map(|(pocket, _)| {
            let asset = pocket.split_once(':')?.1;
            Some(if asset.is_empty() { "USDT" } else { asset }.to_owned())
        })
        .collect();
    assets.sort();
    assets.dedup();
    assets
}

/// `POST /fapi/v3/aster/deposit-withdraw-history`: the newest come first.
pub(in crate::aster) fn history(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, account| {
        let mut entries: Vec<_> = engine
            .bookings(account)
            .map(|(id, booking)| {
                let paid = booking.payout.as_ref().map(|payout| payout.paid.as_deref());
                let (state, transaction) = match paid {
                    Some(None) => ("PROCESSING", ""),
                    Some(Some(transaction)) => ("SUCCESS", transaction),
                    None => ("SUCCESS", booking.hash.as_str()),
                };
                json!({
                    "id": (FIRST_ENTRY + id).to_string(),
                    "type": booking.shown["type"],
                    "asset": booking.shown["asset"],
                    "amount": booking.amount.text(),
                    "state": state,
                    "txHash": transaction,
                    "time": booking.at,
                    "chainId": booking.shown["chainId"],
                    "accountType": booking.shown["accountType"],
                })
            })
            .collect();
        entries.reverse();
        Value::Array(entries)
    })
}
