//! What an account holds: positions, balances and leverage. Source: the futures API V3 document.
//! Fields that are not used here may be absent or new.

use serde_json::Value;

use super::read::{AskError, ask_error, position_side};
use crate::exchanges::LookupError;
use crate::exchanges::account::{
    AccountBalance, AccountPosition, Direction, LeverageState, MarginMode, Pocket,
};
use crate::exchanges::http::Answer;
use crate::exchanges::trade::shown;
use crate::trading::decimal::Decimal;
use crate::trading::order::PositionSide;
use crate::trading::signed::Signed;

/// Decimal places of a margin that is computed from value and leverage.
const MARGIN_PLACES: u8 = 8;

/// The sums of the futures account, in its settlement asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sums {
    /// The value with unrealized profits.
    pub value: Signed,
    /// What can be withdrawn.
    pub withdrawable: Decimal,
}

/// Returns a number, which the exchange writes as a text.
pub(super) fn number(row: &Value, name: &str) -> Option<Signed> {
    Signed::parse(row.get(name)?.as_str()?).ok()
}

/// Parses a list, each element of which must be readable.
pub(super) fn list<T>(
    what: &'static str,
    answer: &Answer,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, AskError> {
    if answer.status != 200 {
        return Err(ask_error(what, answer));
    }
    let rows = match serde_json::from_str(&answer.body) {
        Ok(Value::Array(rows)) => rows.iter().map(read).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    rows.ok_or_else(|| LookupError::unreadable(what, answer).into())
}

/// Interprets `positionRisk`: the positions that are not empty, of one market if one was asked for.
/// One position that cannot be read fails the whole list, so that none is hidden.
///
/// # Errors
/// Fails when the response is not such a list, or when it is about another market.
pub fn positions(answer: &Answer, symbol: Option<&str>) -> Result<Vec<AccountPosition>, AskError> {
    let rows = list("positions", answer, |row| {
        let name = row.get("symbol")?.as_str()?;
        let is_asked = symbol.is_none_or(|symbol| symbol == name);
        if number(row, "positionAmt")?.is_zero() {
            return is_asked.then_some(None);
        }
        position(row, name, answer.at_ms).filter(|_| is_asked).map(Some)
    })?;
    Ok(rows.into_iter().flatten().collect())
}

fn position(row: &Value, name: &str, now_ms: u64) -> Option<AccountPosition> {
    let amount = number(row, "positionAmt")?;
    let position_side = position_side(row.get("positionSide")?.as_str()?)?;
    let direction = match position_side {
        PositionSide::Long => Direction::Long,
        PositionSide::Short => Direction::Short,
        PositionSide::Both if amount.is_negative() => Direction::Short,
        PositionSide::Both => Direction::Long,
    };
    let mark_price = number(row, "markPrice")?.or_zero();
    let LeverageState { leverage, margin_mode } = leverage_of(row)?;
    let size = amount.magnitude();
    let notional = match number(row, "notional") {
        Some(notional) => notional.magnitude(),
        None => size.checked_mul(mark_price)?,
    };
    // An isolated position states its margin; a cross position uses its share of the account's.
    let isolated = number(row, "isolatedMargin").map(Signed::or_zero);
    let isolated =
        isolated.filter(|margin| margin_mode == MarginMode::Isolated && !margin.is_zero());
    let share = || notional.checked_div(Decimal::new(leverage.into(), 0)?, MARGIN_PLACES);
    let liquidation = number(row, "liquidationPrice")?.or_zero();
    Some(AccountPosition {
        symbol: shown(name),
        direction,
        position_side,
        size,
        entry_price: number(row, "entryPrice")?.or_zero(),
        mark_price,
        liquidation_price: Some(liquidation).filter(|price| !price.is_zero()),
        notional,
        unrealized_pnl: number(row, "unRealizedProfit")?,
        leverage,
        margin_mode,
        margin: isolated.or_else(share)?,
        at_ms: row
            .get("updateTime")
            .and_then(Value::as_u64)
            .filter(|time| *time != 0)
            .unwrap_or(now_ms),
    })
}

/// Returns the value of these positions at the mark price, without their direction.
///
/// # Errors
/// Fails when the sum has too many digits.
pub fn notional(positions: &[AccountPosition]) -> Result<Decimal, AskError> {
    let mut values =
        positions.iter().map(|position| position.size.checked_mul(position.mark_price));
    let sum = values.try_fold(Decimal::ZERO, |sum, value| sum.checked_add(value?));
    sum.ok_or_else(|| LookupError::Unreadable { what: "positions", status: 200 }.into())
}

/// Returns the leverage of a row: a text or a number.
fn leverage_number(row: &Value) -> Option<u32> {
    let leverage = row.get("leverage")?;
    let leverage = match leverage.as_str() {
        Some(text) => text.parse().ok()?,
        None => u32::try_from(leverage.as_u64()?).ok()?,
    };
    (leverage > 0).then_some(leverage)
}

/// Returns leverage and margin mode of a row.
fn leverage_of(row: &Value) -> Option<LeverageState> {
    let margin_mode = match row.get("marginType")?.as_str()?.to_ascii_lowercase().as_str() {
        "cross" | "crossed" => MarginMode::Cross,
        "isolated" => MarginMode::Isolated,
        _ => return None,
    };
    Some(LeverageState { leverage: leverage_number(row)?, margin_mode })
}

/// Interprets `positionRisk` of one market: its leverage, which rows without a position state, too.
/// `None` means that the exchange lists no row for the market.
///
/// # Errors
/// Fails when the response does not state it.
pub fn leverage(answer: &Answer, symbol: &str) -> Result<Option<LeverageState>, AskError> {
    let rows = list("leverage", answer, |row| {
        let is_asked = row.get("symbol")?.as_str()? == symbol;
        leverage_of(row).filter(|_| is_asked)
    })?;
    Ok(rows.first().copied())
}

/// Interprets the account: the leverage of a market, whose rows state the margin mode as a flag.
///
/// # Errors
/// Fails when the response does not state it.
pub fn leverage_in_account(answer: &Answer, symbol: &str) -> Result<LeverageState, AskError> {
    const WHAT: &str = "account";
    if answer.status != 200 {
        return Err(ask_error(WHAT, answer));
    }
    let read = || {
        let body: Value = serde_json::from_str(&answer.body).ok()?;
        let rows = body.get("positions")?.as_array()?;
        let is_asked = |row: &&Value| row.get("symbol").and_then(Value::as_str) == Some(symbol);
        let row = rows.iter().find(is_asked)?;
        let is_isolated = row.get("isolated")?.as_bool()?;
        let margin_mode = if is_isolated { MarginMode::Isolated } else { MarginMode::Cross };
        Some(LeverageState { leverage: leverage_number(row)?, margin_mode })
    };
    read().ok_or_else(|| LookupError::unreadable(WHAT, answer).into())
}

/// Interprets `balance`. Empty balances are left out, except the first row, so that an account
/// without funds shows its settlement asset.
///
/// # Errors
/// Fails when the response is not a list of balances.
pub fn balance(answer: &Answer) -> Result<Vec<AccountBalance>, AskError> {
    let rows = list("balance", answer, |row| {
        let (total, free) = (number(row, "balance")?, number(row, "availableBalance")?);
        Some(AccountBalance {
            asset: shown(row.get("asset")?.as_str()?),
            pocket: Pocket::Perps,
            dex: None,
            total,
            free,
            locked: total.checked_sub(free)?,
            cross_wallet_balance: Some(number(row, "crossWalletBalance")?),
            cross_unrealized_pnl: Some(number(row, "crossUnPnl")?),
            max_withdrawable: number(row, "maxWithdrawAmount")?.or_zero(),
        })
    })?;
    let rows = rows.into_iter().enumerate();
    let kept = rows.filter(|(index, row)| *index == 0 || !row.total.is_zero());
    Ok(kept.map(|(_, row)| row).collect())
}

/// Interprets the account of the spot API. Empty balances are left out.
///
/// # Errors
/// Fails when the response is not an account with balances.
pub fn spot_balances(answer: &Answer) -> Result<Vec<AccountBalance>, AskError> {
    const WHAT: &str = "spot account";
    if answer.status != 200 {
        return Err(ask_error(WHAT, answer));
    }
    let row = |row: &Value| {
        let (free, locked) = (number(row, "free")?, number(row, "locked")?);
        Some(AccountBalance {
            asset: shown(row.get("asset")?.as_str()?),
            pocket: Pocket::Spot,
            dex: None,
            total: free.checked_add(locked)?,
            free,
            locked,
            cross_wallet_balance: None,
            cross_unrealized_pnl: None,
            max_withdrawable: free.or_zero(),
        })
    };
    let read = || {
        let body: Value = serde_json::from_str(&answer.body).ok()?;
        body.get("balances")?.as_array()?.iter().map(row).collect::<Option<Vec<_>>>()
    };
    let mut rows = read().ok_or_else(|| LookupError::unreadable(WHAT, answer))?;
    rows.retain(|row| !row.free.is_zero() || !row.locked.is_zero());
    Ok(rows)
}

/// Interprets the account: its sums.
///
/// # Errors
/// Fails when the response does not state them.
pub fn sums(answer: &Answer) -> Result<Sums, AskError> {
    const WHAT: &str = "account";
    if answer.status != 200 {
        return Err(ask_error(WHAT, answer));
    }
    let read = || {
        let body: Value = serde_json::from_str(&answer.body).ok()?;
        Some(Sums {
            value: number(&body, "totalMarginBalance")?,
            withdrawable: number(&body, "maxWithdrawAmount")?.or_zero(),
        })
    };
    read().ok_or_else(|| LookupError::unreadable(WHAT, answer).into())
}

#[cfg(test)]
mod tests;
