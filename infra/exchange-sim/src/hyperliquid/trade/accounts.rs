//! `POST /info`: what an account holds, in every mode.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::markets;
use crate::market::{Engine, Mode, Num, Position, Spec};

/// The pocket that pays everything in a unified account.
const UNIFIED: &str = "spot:USDC";

/// Sums of the positions of a DEX.
#[derive(Default)]
struct Sums {
    notional: Num,
    /// With the sign of the position.
    signed: Num,
    profit: Num,
    margin: Num,
}

impl Sums {
    fn add(&mut self, mark: Num, held: &Position, margin: Num) {
        self.notional += held.size.abs().times(mark);
        self.signed += held.size.times(mark);
        self.profit += held.profit(mark);
        self.margin += margin;
    }

    fn summary(&self, value: Num) -> Value {
        json!({
            "accountValue": value.dotted(),
            "totalNtlPos": self.notional.dotted(),
            "totalRawUsd": (value - self.signed).dotted(),
            "totalMarginUsed": self.margin.dotted(),
        })
    }
}

/// Returns the response to `clearinghouseState`: the perpetuals of a DEX. In a unified account its
/// values have no meaning, because the spot balance pays them.
pub(in crate::hyperliquid) fn clearinghouse(
    engine: &Engine,
    user: Address,
    dex: &str,
    now: u64,
) -> Value {
    let (mut all, mut cross) = (Sums::default(), Sums::default());
    let mut positions = Vec::new();
    let account = engine.account(user);
    for held in account.into_iter().flat_map(|account| account.positions()) {
        let Some(spec) = engine.spec(&held.market).filter(|spec| spec.dex == dex) else {
            continue;
        };
        let (mark, margin) = (engine.mark(&spec), engine.margin_of(user, &spec, held));
        all.add(mark, held, margin);
        if engine.leverage(user, &spec).1 {
            cross.add(mark, held, margin);
        }
        positions.push(json!({"type": "oneWay", "position": position(engine, user, &spec, held)}));
    }
    let pocket = format!("perp:{dex}");
    let is_unified = engine.mode(user).is_unified();
    let balance = account.map_or(Num::ZERO, |account| account.balance(&pocket));
    let cross_value = if is_unified { cross.profit } else { engine.cross_value(user, &pocket) };
    let maintenance = if is_unified { UNIFIED } else { &pocket };
    let free = if is_unified { Num::ZERO } else { engine.available(user, &pocket).max(Num::ZERO) };
    json!({
        "marginSummary": all.summary(balance + all.profit),
        "crossMarginSummary": cross.summary(cross_value),
        "crossMaintenanceMarginUsed": engine.cross_maintenance(user, maintenance).dotted(),
        "withdrawable": free.dotted(),
        "assetPositions": positions,
        "time": now,
    })
}

fn position(engine: &Engine, user: Address, spec: &Spec, held: &Position) -> Value {
    let mark = engine.mark(spec);
    let (gain, used) = (held.profit(mark), engine.margin_of(user, spec, held));
    json!({
        "coin": spec.name,
        "szi": held.size.dotted(),
        "leverage": leverage(engine, user, spec),
        "entryPx": held.entry.dotted(),
        "positionValue": held.size.abs().times(mark).dotted(),
        "unrealizedPnl": gain.dotted(),
        "returnOnEquity": gain.over(used).dotted(),
        "liquidationPx": engine.liquidation(user, spec, held).map(Num::dotted),
        "marginUsed": used.dotted(),
        "maxLeverage": spec.max_leverage,
        "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
    })
}

/// Returns the leverage of a market. Isolated margin also states the dollars of the position.
fn leverage(engine: &Engine, user: Address, spec: &Spec) -> Value {
    let (value, is_cross) = engine.leverage(user, spec);
    if is_cross {
        return json!({"type": "cross", "value": value});
    }
    let account = engine.account(user);
    let held = account.and_then(|it| it.position(spec.name, crate::market::Side::Both));
    let raw = held
        .map_or(Num::ZERO, |held| engine.margin_of(user, spec, held) - held.size.times(held.entry));
    json!({"type": "isolated", "value": value, "rawUsd": raw.dotted()})
}

/// Returns the response to `activeAssetData`: leverage and room of a market, `null` for an unknown
/// market.
pub(in crate::hyperliquid) fn active_asset(engine: &Engine, user: Address, coin: &str) -> Value {
    let Some(spec) = engine.spec(coin).filter(|spec| spec.base.is_none()) else {
        return Value::Null;
    };
    let mark = engine.mark(&spec);
    let free = engine.available(user, &engine.pocket(user, &spec)).max(Num::ZERO);
    let (value, _) = engine.leverage(user, &spec);
    let size = free.ratio(i128::from(value), 1).over(mark).down_to(Num::step(spec.size_places));
    let (size, free) = (size.dotted(), free.dotted());
    json!({
        "user": format!("{user:#x}"),
        "coin": coin,
        "leverage": leverage(engine, user, &spec),
        "maxTradeSzs": [size, size],
        "availableToTrade": [free, free],
        "markPx": mark.dotted(),
    })
}

/// Returns the response to `spotClearinghouseState`. Unified accounts also state what remains above
/// the maintenance margin.
pub(in crate::hyperliquid) fn spot(engine: &Engine, user: Address) -> Value {
    let balances = engine.account(user).into_iter().flat_map(|account| &account.balances);
    let spot = balances.filter_map(|(pocket, total)| {
        let token = pocket.strip_prefix("spot:")?;
        Some((pocket, token, markets::token_index(token)?, *total))
    });
    let spot: Vec<_> = spot.collect();
    let rows: Value = spot
        .iter()
        .map(|(pocket, token, index, total)| {
            let hold = (*total - engine.available(user, pocket)).max(Num::ZERO);
            json!({
                "coin": token,
                "token": index,
                "total": total.dotted(),
                "hold": hold.dotted(),
                "entryNtl": "0.0",
            })
        })
        .collect();
    if !engine.mode(user).is_unified() {
        return json!({"balances": rows});
    }
    let after: Value = spot
        .iter()
        .map(|(pocket, _, index, total)| {
            let used = if *pocket == UNIFIED {
                *total - engine.cross_value(user, pocket) + engine.cross_maintenance(user, pocket)
            } else {
                Num::ZERO
            };
            json!([index, (*total - used).max(Num::ZERO).dotted()])
        })
        .collect();
    json!({"balances": rows, "tokenToAvailableAfterMaintenance": after})
}

/// Returns the response to `userAbstraction`: a bare text.
pub(in crate::hyperliquid) fn abstraction(engine: &Engine, user: Address) -> Value {
    json!(match engine.mode(user) {
        Mode::Default => "default",
        Mode::Disabled => "disabled",
        Mode::Unified => "unifiedAccount",
        Mode::Portfolio => "portfolioMargin",
    })
}
