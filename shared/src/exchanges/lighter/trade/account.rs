//! Reads an account: its positions, its balances, and the leverage of a market.

use domain::eth::Address;
use serde_json::Value;

use super::markets::leverage_of;
use crate::exchanges::account::{
    AccountBalance, AccountMode, AccountPosition, Balances, Direction, LeverageState, MarginMode,
    Pocket,
};
use crate::trading::decimal::Decimal;
use crate::trading::order::PositionSide;
use crate::trading::signed::Signed;

/// The asset that settles perpetuals.
const USDC: &str = "USDC";

/// An account, as the exchange states it to anybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The owner's address on Ethereum.
    pub owner: Address,
    /// The open positions.
    pub positions: Vec<AccountPosition>,
    /// The balances.
    pub balances: Balances,
    /// The leverage of each market that the account has used, by the market's name.
    pub leverages: Vec<(String, LeverageState)>,
}

/// Parses the answer to the question for one account. `None` means that it has not the form of one.
#[must_use]
pub fn account(body: &Value, at_ms: u64) -> Option<Account> {
    let account = body.get("accounts")?.as_array()?.first()?;
    let rows = account.get("positions")?.as_array()?;
    let read: Vec<Row> = rows.iter().map(row).collect::<Option<_>>()?;
    let sum = read.iter().try_fold(Signed::ZERO, |sum, row| sum.checked_add(row.pnl))?;
    let decimal = |name: &str| Decimal::parse(account.get(name)?.as_str()?).ok();
    let (collateral, available) =
        (signed(account.get("collateral")?)?, decimal("available_balance")?);
    let free = Signed::new(false, available);
    let mode = match account.get("account_trading_mode").and_then(Value::as_u64) {
        Some(1) => AccountMode::Unified,
        _ => AccountMode::Standard,
    };
    let mut balances = vec![AccountBalance {
        asset: USDC.to_owned(),
        pocket: Pocket::Perps,
        dex: None,
        total: collateral,
        free,
        locked: collateral.checked_sub(free)?,
        cross_wallet_balance: Some(collateral),
        cross_unrealized_pnl: Some(sum),
        max_withdrawable: available,
    }];
    if let Some(assets) = account.get("assets").and_then(Value::as_array) {
        // In the unified mode the spot USDC is the collateral.
        let is_row = |row: &AccountBalance| mode == AccountMode::Standard || row.asset != USDC;
        balances.extend(assets.iter().filter_map(spot).filter(is_row));
    }
    let total_value = account.get("total_asset_value").and_then(signed);
    Some(Account {
        owner: account.get("l1_address")?.as_str()?.parse().ok()?,
        leverages: read.iter().map(|row| (row.symbol.clone(), row.leverage)).collect(),
        positions: read.into_iter().filter_map(|row| row.position(at_ms)).collect(),
        balances: Balances {
            mode,
            rows: balances,
            withdrawable: available,
            account_value: total_value.or_else(|| collateral.checked_add(sum))?,
            unread: Vec::new(),
        },
    })
}

/// A row of the positions. The exchange lists those of size zero, too.
struct Row {
    symbol: String,
    is_short: bool,
    size: Decimal,
    entry: Decimal,
    value: Decimal,
    pnl: Signed,
    liquidation: Option<Decimal>,
    leverage: LeverageState,
    margin: Option<Decimal>,
}

fn row(value: &Value) -> Option<Row> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let decimal = |name: &str| Decimal::parse(text(name)?).ok();
    let percent = decimal("initial_margin_fraction")?;
    let margin_mode = match value.get("margin_mode")?.as_u64()? {
        1 => MarginMode::Isolated,
        _ => MarginMode::Cross,
    };
    let position_value = signed(value.get("position_value")?)?.magnitude();
    let allocated = decimal("allocated_margin").filter(|margin| !margin.is_zero());
    let hundred = Decimal::new(100, 0)?;
    let used = || position_value.checked_mul(percent)?.checked_div(hundred, 6);
    Some(Row {
        symbol: text("symbol")?.to_owned(),
        is_short: value.get("sign")?.as_i64()? < 0,
        size: signed(value.get("position")?)?.magnitude(),
        entry: decimal("avg_entry_price")?,
        value: position_value,
        pnl: signed(value.get("unrealized_pnl")?)?,
        // "0" means that no price liquidates the position.
        liquidation: signed(value.get("liquidation_price")?)
            .filter(|price| !price.is_negative() && !price.is_zero())
            .map(Signed::magnitude),
        leverage: LeverageState { leverage: leverage_of(percent)?, margin_mode },
        margin: allocated.or_else(used),
    })
}

impl Row {
    fn position(self, at_ms: u64) -> Option<AccountPosition> {
        let mark_price = self.value.checked_div(self.size, 8)?;
        Some(AccountPosition {
            symbol: self.symbol,
            direction: if self.is_short { Direction::Short } else { Direction::Long },
            position_side: PositionSide::Both,
            size: self.size,
            entry_price: self.entry,
            mark_price,
            liquidation_price: self.liquidation,
            notional: self.value,
            unrealized_pnl: self.pnl,
            leverage: self.leverage.leverage,
            margin_mode: self.leverage.margin_mode,
            margin: self.margin.unwrap_or(Decimal::ZERO),
            at_ms,
        })
    }
}

/// Parses a spot balance.
fn spot(value: &Value) -> Option<AccountBalance> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let asset = text("symbol")?;
    let total = Decimal::parse(text("balance")?).ok().filter(|total| !total.is_zero())?;
    let locked = text("locked_balance").and_then(|text| Decimal::parse(text).ok());
    let locked = locked.unwrap_or(Decimal::ZERO);
    let free = total.checked_sub(locked)?;
    Some(AccountBalance {
        asset: asset.to_owned(),
        pocket: Pocket::Spot,
        dex: None,
        total: Signed::new(false, total),
        free: Signed::new(false, free),
        locked: Signed::new(false, locked),
        cross_wallet_balance: None,
        cross_unrealized_pnl: None,
        max_withdrawable: free,
    })
}

fn signed(value: &Value) -> Option<Signed> {
    Signed::parse(value.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        let row = |symbol: &str, sign: i64, size: &str| {
            json!({
                "market_id": 1, "symbol": symbol, "initial_margin_fraction": "4.34", "sign": sign,
                "position": size, "avg_entry_price": "64000.0", "position_value": "128.000000",
                "unrealized_pnl": "-1.500000", "liquidation_price": "0", "margin_mode": 1,
                "allocated_margin": "6.000000",
            })
        };
        json!({ "code": 200, "accounts": [{
            "l1_address": "0x07943f0f79097572451601e768c329a2765f2ea2", "collateral": "100.000000",
            "available_balance": "90.500000", "total_asset_value": "98.500000",
            "positions": [row("BTC", -1, "0.00200"), row("ETH", 1, "0.0000")],
            "assets": [
                { "symbol": "USDC", "balance": "40", "locked_balance": "15" },
                { "symbol": "ETH", "balance": "2.5", "locked_balance": "0.5" },
            ],
        }]})
    }

    #[test]
    fn account_is_read_without_empty_positions() {
        let account = account(&body(), 7).unwrap();
        let [position] = account.positions.as_slice() else { panic!("one position") };
        assert_eq!((position.symbol.as_str(), position.direction), ("BTC", Direction::Short));
        assert_eq!((position.leverage, position.margin_mode), (23, MarginMode::Isolated));
        assert_eq!(position.mark_price, Decimal::parse("64000").unwrap());
        assert_eq!((position.liquidation_price, position.at_ms), (None, 7));
        assert_eq!(position.unrealized_pnl.text(), "-1.5");
        assert_eq!(account.leverages.len(), 2);
    }

    #[test]
    fn balances_have_the_collateral_and_the_spot_assets() {
        let rows = |balances: &Balances| -> Vec<String> {
            let text = |row: &AccountBalance| {
                let (total, free, locked) = (row.total.text(), row.free.text(), row.locked.text());
                format!("{} {:?} {total} {free} {locked}", row.asset, row.pocket)
            };
            balances.rows.iter().map(text).collect()
        };
        let balances = account(&body(), 7).unwrap().balances;
        let (perps, eth) = ("USDC Perps 100 90.5 9.5", "ETH Spot 2.5 2 0.5");
        assert_eq!(rows(&balances), [perps, "USDC Spot 40 25 15", eth]);
        assert_eq!(balances.account_value.text(), "98.5");
        let mut unified = body();
        unified["accounts"][0]["account_trading_mode"] = 1.into();
        assert_eq!(rows(&account(&unified, 7).unwrap().balances), [perps, eth]);
    }

    #[test]
    fn account_with_an_unreadable_row_is_not_read() {
        let mut body = body();
        body["accounts"][0]["positions"][0]["position"] = "x".into();
        assert_eq!(account(&body, 7), None);
    }
}
