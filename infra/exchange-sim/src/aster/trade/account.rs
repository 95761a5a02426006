//! What an account holds, and what it has executed.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::{Exchange, Parameters, refusal::Refusal};
use super::POCKET;
use super::orders::fail;
use super::reads::{read, side, symbol_of};
use crate::lock;
use crate::market::{Engine, Fill, Num, Position, Side, Spec};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Longest period of `userTrades`, in milliseconds.
const LONGEST_MS: u64 = 7 * DAY_MS;

/// Number of executions in a response, unless the request names another.
const TRADES: usize = 500;

/// Largest number that a request may name.
const MOST_TRADES: usize = 1_000;

/// `GET /fapi/v3/userTrades`: the executions of a period of at most seven days, or from an id on.
/// The oldest come first. With a start the oldest are returned, without one the latest.
pub(in crate::aster) fn user_trades(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, account, now| {
        let symbol = parameters.text("symbol")?;
        symbol_of(engine, symbol)?;
        let optional = |name| parameters.get(name).map(|_| parameters.number(name)).transpose();
        let limit = match optional("limit")? {
            None => TRADES,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=MOST_TRADES).contains(limit))
                .ok_or(Refusal::Invalid("limit"))?,
        };
        let (start, end) = (optional("startTime")?, optional("endTime")?);
        let all = engine.fills(account).filter(|fill| fill.market == symbol);
        if let Some(first) = optional("fromId")? {
            if start.or(end).is_some() {
                let text = "fromId cannot be sent with startTime or endTime.";
                return Err(fail(-1_128, text));
            }
            return Ok(all.filter(|fill| fill.id >= first).take(limit).map(trade).collect());
        }
        let (from, to) = match (start, end) {
            (Some(start), Some(end)) => (start, end),
            (Some(start), None) => (start, start.saturating_add(LONGEST_MS)),
            (None, end) => {
                let end = end.unwrap_or(now);
                (end.saturating_sub(LONGEST_MS), end)
            }
        };
        if to < from || to - from > LONGEST_MS {
            return Err(fail(-4_165, "Invalid time interval: the maximum is 7 days."));
        }
        let fills: Vec<_> = all.filter(|fill| (from..=to).contains(&fill.at)).collect();
        let skipped = if start.is_some() { 0 } else { fills.len().saturating_sub(limit) };
        Ok(fills.into_iter().skip(skipped).take(limit).map(trade).collect())
    })
}

fn trade(fill: &Fill) -> Value {
    json!({
        "symbol": fill.market,
        "id": fill.id,
        "orderId": fill.oid,
        "side": if fill.buy { "BUY" } else { "SELL" },
        "price": fill.price.fixed(8),
        "qty": fill.size.text(),
        "realizedPnl": fill.profit.fixed(8),
        "quoteQty": fill.price.times(fill.size).fixed(8),
        "commission": fill.fee.fixed(8),
        "commissionAsset": fill.fee_token,
        "time": fill.at,
        "positionSide": side(fill.side),
        "buyer": fill.buy,
        "maker": !fill.taker,
    })
}

/// `GET /fapi/v3/positionRisk`: also rows without a position.
pub(in crate::aster) fn position_risk(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, account, _| {
        let symbol = parameters.get("symbol");
        symbol.map_or(Ok(()), |symbol| symbol_of(engine, symbol).map(drop))?;
        let specs = engine.specs().iter();
        let asked = specs.filter(|spec| symbol.is_none_or(|symbol| spec.name == symbol));
        Ok(rows(engine, account, asked, risk))
    })
}

/// Returns a row for each market and position side.
fn rows<'a>(
    engine: &Engine,
    address: Address,
    specs: impl Iterator<Item = &'a Spec>,
    row: fn(&Engine, Address, &Spec, &Position) -> Value,
) -> Value {
    let account = engine.account(address);
    let is_hedged = account.is_some_and(|account| account.hedge);
    let sides: &[Side] =
        if is_hedged { &[Side::Both, Side::Long, Side::Short] } else { &[Side::Both] };
    let rows = specs.flat_map(|spec| sides.iter().map(move |side| (spec, *side)));
    rows.map(|(spec, of)| {
        let held = account.and_then(|account| account.position(spec.name, of)).cloned();
        let none = || Position {
            market: spec.name.to_owned(),
            side: of,
            size: Num::ZERO,
            entry: Num::ZERO,
            added: Num::ZERO,
            updated: 0,
        };
        row(engine, address, spec, &held.unwrap_or_else(none))
    })
    .collect()
}

fn risk(engine: &Engine, address: Address, spec: &Spec, held: &Position) -> Value {
    let (leverage, is_cross) = engine.leverage(address, spec);
    let mark = engine.mark(spec);
    let margin = engine.margin_of(address, spec, held);
    let isolated = if is_cross { Num::ZERO } else { margin };
    let is_empty = held.size.is_zero();
    let liquidation = if is_empty { None } else { engine.liquidation(address, spec, held) };
    json!({
        "symbol": spec.name,
        "positionAmt": held.size.fixed(usize::from(spec.size_places)),
        "entryPrice": held.entry.fixed(5),
        "markPrice": mark.fixed(8),
        "unRealizedProfit": held.profit(mark).fixed(8),
        "liquidationPrice": liquidation.map_or_else(|| "0".to_owned(), |price| price.fixed(8)),
        "leverage": leverage.to_string(),
        "maxNotionalValue": "1000000",
        "marginType": if is_cross { "cross" } else { "isolated" },
        "isolatedMargin": isolated.fixed(8),
        "isAutoAddMargin": "false",
        "positionSide": side(held.side),
        "notional": held.size.times(mark).fixed(8),
        "isolatedWallet": isolated.fixed(8),
        "updateTime": held.updated,
    })
}

/// `GET /fapi/v3/positionSide/dual`
pub(in crate::aster) fn position_mode(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, account, _| {
        let hedge = engine.account(account).is_some_and(|account| account.hedge);
        Ok(json!({"dualSidePosition": hedge}))
    })
}

/// Sums of an account, in USDT.
struct Sums {
    wallet: Num,
    cross_wallet: Num,
    profit: Num,
    cross_profit: Num,
    margin: Num,
    maintenance: Num,
    free: Num,
    /// Margin of positions and orders.
    used: Num,
}

impl Sums {
    fn of(engine: &Engine, address: Address) -> Self {
        let account = engine.account(address);
        let wallet = account.map_or(Num::ZERO, |account| account.balance(POCKET));
        let (mut profit, mut cross_profit, mut margin) = (Num::ZERO, Num::ZERO, Num::ZERO);
        let mut isolated = Num::ZERO;
        for held in account.into_iter().flat_map(|account| account.positions()) {
            let Some(spec) = engine.spec(&held.market) else { continue };
            let gain = held.profit(engine.mark(&spec));
            let of_position = engine.margin_of(address, &spec, held);
            profit += gain;
            margin += of_position;
            if engine.leverage(address, &spec).1 {
                cross_profit += gain;
            } else {
                isolated += of_position;
            }
        }
        let available = engine.available(address, POCKET);
        Self {
            wallet,
            cross_wallet: wallet - isolated,
            profit,
            cross_profit,
            margin,
            maintenance: engine.cross_maintenance(address, POCKET),
            free: available.max(Num::ZERO),
            used: wallet + cross_profit - available,
        }
    }

    fn withdrawable(&self) -> Num {
        self.free.min(self.cross_wallet).max(Num::ZERO)
    }
}

/// Returns how much USDT an account can withdraw from futures.
pub(in crate::aster) fn withdrawable(engine: &Engine, address: Address) -> Num {
    Sums::of(engine, address).withdrawable()
}

/// Returns the response to `balance`.
pub(in crate::aster) fn balance(engine: &Engine, address: Address) -> Value {
    let sums = Sums::of(engine, address);
    json!([{
        "accountAlias": "SgsR",
        "asset": "USDT",
        "balance": sums.wallet.fixed(8),
        "crossWalletBalance": sums.cross_wallet.fixed(8),
        "crossUnPnl": sums.cross_profit.fixed(8),
        "availableBalance": sums.free.fixed(8),
        "maxWithdrawAmount": sums.withdrawable().fixed(8),
        "marginAvailable": true,
        "updateTime": 0,
    }])
}

/// `GET /fapi/v3/accountWithJoinMargin` and `GET /fapi/v3/account`
pub(in crate::aster) fn account(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    read(exchange, parameters, |engine, address, _| {
        let sums = Sums::of(engine, address);
        let text = |number: Num| number.fixed(8);
        let of_orders = (sums.used - sums.margin).max(Num::ZERO);
        Ok(json!({
            "feeTier": 0,
            "canTrade": true,
            "canDeposit": true,
            "canWithdraw": true,
            "updateTime": 0,
            "totalInitialMargin": text(sums.used),
            "totalMaintMargin": text(sums.maintenance),
            "totalWalletBalance": text(sums.wallet),
            "totalUnrealizedProfit": text(sums.profit),
            "totalMarginBalance": text(sums.wallet + sums.profit),
            "totalPositionInitialMargin": text(sums.margin),
            "totalOpenOrderInitialMargin": text(of_orders),
            "totalCrossWalletBalance": text(sums.cross_wallet),
            "totalCrossUnPnl": text(sums.cross_profit),
            "availableBalance": text(sums.free),
            "maxWithdrawAmount": text(sums.withdrawable()),
            "assets": [{
                "asset": "USDT",
                "walletBalance": text(sums.wallet),
                "unrealizedProfit": text(sums.profit),
                "marginBalance": text(sums.wallet + sums.profit),
                "maintMargin": text(sums.maintenance),
                "initialMargin": text(sums.used),
                "positionInitialMargin": text(sums.margin),
                "openOrderInitialMargin": text(of_orders),
                "crossWalletBalance": text(sums.cross_wallet),
                "crossUnPnl": text(sums.cross_profit),
                "availableBalance": text(sums.free),
                "maxWithdrawAmount": text(sums.withdrawable()),
                "marginAvailable": true,
                "updateTime": 0,
            }],
            "positions": rows(engine, address, engine.specs().iter(), account_position),
        }))
    })
}

/// `GET /api/v3/account`: the balances of the spot account. A guess: an agent without the permission
/// for spot trading may not read it.
pub(in crate::aster) fn spot(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let (user, signer) = (parameters.address("user")?, parameters.address("signer")?);
    let agents = lock(&exchange.0.accounts).agents_of(user);
    let is_closed = agents.iter().any(|agent| agent.address == signer && !agent.can_spot_trade);
    read(exchange, parameters, |engine, address, now| {
        if is_closed {
            return Err(Refusal::ApiKey);
        }
        let pockets = engine.account(address).into_iter().flat_map(|account| &account.balances);
        let balances: Vec<_> = pockets
            .filter_map(|(pocket, amount)| Some((pocket.strip_prefix("spot:")?, amount)))
            .map(|(asset, amount)| {
                json!({"asset": asset, "free": amount.fixed(8), "locked": "0.00000000"})
            })
            .collect();
        Ok(json!({
            "feeTier": 0,
            "canTrade": true,
            "canDeposit": true,
            "canWithdraw": true,
            "canBurnAsset": true,
            "updateTime": now,
            "balances": balances,
        }))
    })
}

fn account_position(engine: &Engine, address: Address, spec: &Spec, held: &Position) -> Value {
    let (leverage, is_cross) = engine.leverage(address, spec);
    let margin = engine.margin_of(address, spec, held).fixed(8);
    json!({
        "symbol": spec.name,
        "initialMargin": margin,
        "maintMargin": "0",
        "unrealizedProfit": held.profit(engine.mark(spec)).fixed(8),
        "positionInitialMargin": margin,
        "openOrderInitialMargin": "0",
        "leverage": leverage.to_string(),
        "isolated": !is_cross,
        "entryPrice": held.entry.fixed(5),
        "maxNotional": "1000000",
        "positionSide": side(held.side),
        "positionAmt": held.size.fixed(usize::from(spec.size_places)),
        "updateTime": held.updated,
    })
}
