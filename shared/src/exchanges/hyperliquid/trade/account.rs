//! What an account holds: positions, balances, mode and leverage. Sources: the info endpoint
//! document, and the documents on account modes and margin. Fields that are not used here may be
//! absent or new.

use std::collections::HashMap;

use domain::eth::Address;
use serde::Deserialize;
use serde_json::json;

use super::markets::parsed;
use super::read::Question;
use crate::exchanges::LookupError;
use crate::exchanges::account::{
    AccountBalance, AccountMode, AccountPosition, Balances, Direction, LeverageState, MarginMode,
    Pocket,
};
use crate::exchanges::http::Answer;
use crate::exchanges::trade::shown;
use crate::trading::decimal::Decimal;
use crate::trading::order::PositionSide;
use crate::trading::signed::Signed;

/// Maximum size of a response, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The token that settles the perpetuals of the main DEX, and its index.
const USDC: &str = "USDC";

/// Index of `USDC`.
pub const USDC_INDEX: u32 = 0;

/// Decimal places of a mark price that is computed from a position's value.
const MARK_PLACES: u8 = 8;

impl Question {
    fn of_account(kind: &str, wallet: Address, weight: u64) -> Self {
        let body = json!({ "type": kind, "user": wallet.to_lower_hex() });
        Self { body: body.to_string(), weight, max_bytes: MAX_BYTES }
    }

    /// Asks for the mode of an account; see [`mode`].
    #[must_use]
    pub fn mode(wallet: Address) -> Self {
        Self::of_account("userAbstraction", wallet, 20)
    }

    /// Asks for the leverage of a market; see [`leverage`].
    #[must_use]
    pub fn leverage(wallet: Address, coin: &str) -> Self {
        let body =
            json!({ "type": "activeAssetData", "user": wallet.to_lower_hex(), "coin": coin });
        Self { body: body.to_string(), weight: 20, max_bytes: MAX_BYTES }
    }
}

/// The account of the perpetuals of one DEX.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PerpsAccount {
    /// The value with unrealized profits.
    pub value: Signed,
    /// The part of the value that is cross margin.
    pub cross_value: Signed,
    /// What can be withdrawn.
    pub withdrawable: Decimal,
    /// The open positions.
    pub positions: Vec<AccountPosition>,
}

/// The balance of a spot token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpotBalance {
    /// The token's name.
    pub coin: String,
    /// The whole balance; negative if the token is borrowed.
    pub total: Signed,
    /// The part that orders and positions use.
    pub hold: Signed,
    /// What remains above the maintenance margin, in a unified account.
    pub after_maintenance: Option<Signed>,
}

/// The account of the perpetuals of a DEX other than the main one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DexAccount {
    /// The name of the DEX.
    pub dex: String,
    /// The token that settles its perpetuals.
    pub token: String,
    /// The account.
    pub account: PerpsAccount,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    margin_summary: Summary,
    cross_margin_summary: Summary,
    withdrawable: String,
    asset_positions: Vec<AssetPosition>,
    #[serde(default)]
    time: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    account_value: String,
}

#[derive(Deserialize)]
struct AssetPosition {
    position: WirePosition,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePosition {
    coin: String,
    szi: String,
    leverage: WireLeverage,
    entry_px: Option<String>,
    position_value: String,
    unrealized_pnl: String,
    liquidation_px: Option<String>,
    margin_used: String,
}

#[derive(Deserialize)]
struct WireLeverage {
    #[serde(rename = "type")]
    kind: WireMargin,
    value: u32,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum WireMargin {
    Cross,
    Isolated,
}

impl From<WireMargin> for MarginMode {
    fn from(kind: WireMargin) -> Self {
        match kind {
            WireMargin::Cross => Self::Cross,
            WireMargin::Isolated => Self::Isolated,
        }
    }
}

fn number(text: &str) -> Option<Signed> {
    Signed::parse(text).ok()
}

/// Reads `clearinghouseState`. One position that cannot be read fails the whole answer, so that none
/// is hidden.
///
/// # Errors
/// Fails when the response does not state the account.
pub fn perps(answer: &Answer) -> Result<PerpsAccount, LookupError> {
    const WHAT: &str = "clearinghouseState";
    let state: State = parsed(WHAT, answer)?;
    let at_ms = state.time.unwrap_or(answer.at_ms);
    let read = || {
        let positions = state.asset_positions.iter();
        let positions = positions.filter_map(|entry| entry.position.read(at_ms).transpose());
        Some(PerpsAccount {
            value: number(&state.margin_summary.account_value)?,
            cross_value: number(&state.cross_margin_summary.account_value)?,
            withdrawable: number(&state.withdrawable)?.or_zero(),
            positions: positions.collect::<Result<_, ()>>().ok()?,
        })
    };
    read().ok_or_else(|| LookupError::unreadable(WHAT, answer))
}

impl WirePosition {
    /// Returns the position; `None` if it is empty.
    fn read(&self, at_ms: u64) -> Result<Option<AccountPosition>, ()> {
        let read = || {
            let size = number(&self.szi)?;
            if size.is_zero() {
                return Some(None);
            }
            let notional = number(&self.position_value)?.magnitude();
            let liquidation = match &self.liquidation_px {
                Some(price) => Some(number(price)?.or_zero()),
                None => None,
            };
            Some(Some(AccountPosition {
                symbol: shown(&self.coin),
                direction: if size.is_negative() { Direction::Short } else { Direction::Long },
                position_side: PositionSide::Both,
                size: size.magnitude(),
                entry_price: number(self.entry_px.as_ref()?)?.magnitude(),
                mark_price: notional.checked_div(size.magnitude(), MARK_PLACES)?,
                liquidation_price: liquidation.filter(|price| !price.is_zero()),
                notional,
                unrealized_pnl: number(&self.unrealized_pnl)?,
                leverage: self.leverage.value,
                margin_mode: self.leverage.kind.into(),
                margin: number(&self.margin_used)?.or_zero(),
                at_ms,
            }))
        };
        read().ok_or(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpotState {
    balances: Vec<WireBalance>,
    #[serde(default)]
    token_to_available_after_maintenance: Option<Vec<(u32, String)>>,
}

#[derive(Deserialize)]
struct WireBalance {
    coin: String,
    token: u32,
    total: String,
    hold: String,
}

/// Reads `spotClearinghouseState`. Empty balances are left out.
///
/// # Errors
/// Fails when the response does not state the balances.
pub fn spot(answer: &Answer) -> Result<Vec<SpotBalance>, LookupError> {
    const WHAT: &str = "spotClearinghouseState";
    let state: SpotState = parsed(WHAT, answer)?;
    let after = state.token_to_available_after_maintenance.unwrap_or_default();
    let read = |balance: &WireBalance| {
        let after = after.iter().find(|(token, _)| *token == balance.token);
        Some(SpotBalance {
            coin: shown(&balance.coin),
            total: number(&balance.total)?,
            hold: number(&balance.hold)?,
            after_maintenance: match after {
                Some((_, text)) => Some(number(text)?),
                None => None,
            },
        })
    };
    let balances = state.balances.iter().map(read).collect::<Option<Vec<_>>>();
    let mut balances = balances.ok_or_else(|| LookupError::unreadable(WHAT, answer))?;
    balances.retain(|balance| !balance.total.is_zero() || !balance.hold.is_zero());
    Ok(balances)
}

/// Reads `userAbstraction`: a bare text.
///
/// # Errors
/// Fails when the response is not a text.
pub fn mode(answer: &Answer) -> Result<AccountMode, LookupError> {
    let word: String = parsed("userAbstraction", answer)?;
    Ok(match word.as_str() {
        "default" | "disabled" | "dexAbstraction" => AccountMode::Standard,
        "unifiedAccount" => AccountMode::Unified,
        "portfolioMargin" => AccountMode::PortfolioMargin,
        _ => AccountMode::Other,
    })
}

#[derive(Deserialize)]
struct ActiveAsset {
    leverage: WireLeverage,
}

/// Reads `activeAssetData`: the leverage of a market.
///
/// # Errors
/// Fails when the response does not state it.
pub fn leverage(answer: &Answer) -> Result<LeverageState, LookupError> {
    let ActiveAsset { leverage } = parsed("activeAssetData", answer)?;
    Ok(LeverageState { leverage: leverage.value, margin_mode: leverage.kind.into() })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DexMeta {
    #[serde(default)]
    collateral_token: u32,
}

/// Reads the index of the token that settles a DEX, from its `meta`.
///
/// # Errors
/// Fails when the response is not metadata.
pub fn collateral(answer: &Answer) -> Result<u32, LookupError> {
    let DexMeta { collateral_token } = parsed("meta", answer)?;
    Ok(collateral_token)
}

#[derive(Deserialize)]
struct SpotTokens {
    tokens: Vec<TokenName>,
}

#[derive(Deserialize)]
struct TokenName {
    name: String,
    index: u32,
}

/// Reads the names of the spot tokens by their index, from `spotMeta`.
///
/// # Errors
/// Fails when the response is not a list of tokens.
pub fn tokens(answer: &Answer) -> Result<HashMap<u32, String>, LookupError> {
    let SpotTokens { tokens } = parsed("spotMeta", answer)?;
    Ok(tokens.into_iter().map(|token| (token.index, shown(&token.name))).collect())
}

/// Returns the balances of an account in any mode. In unified modes the values of the perpetuals'
/// accounts have no meaning, because the spot balances pay everything.
///
/// `None` means that a sum has too many digits.
#[must_use]
pub fn balances(
    mode: AccountMode,
    main: &PerpsAccount,
    others: &[DexAccount],
    spot: &[SpotBalance],
) -> Option<Balances> {
    let mut spot = spot.iter().map(SpotBalance::row).collect::<Option<Vec<_>>>()?;
    if mode.is_unified() {
        let is_usdc = |row: &AccountBalance| row.asset == USDC;
        let usdc = spot.iter().position(is_usdc).map(|at| spot.remove(at));
        let usdc = usdc.unwrap_or_else(|| empty(USDC, Pocket::Spot));
        let (account_value, withdrawable) = (usdc.total, usdc.max_withdrawable);
        let rows = std::iter::once(usdc).chain(spot).collect();
        let unread = Vec::new();
        return Some(Balances { mode, rows, withdrawable, account_value, unread });
    }
    let others = others.iter().filter(|other| !other.account.value.is_zero());
    let others = others.map(|other| other.account.row(&other.token, Some(&other.dex)));
    let rows = std::iter::once(main.row(USDC, None)).chain(others);
    let rows = rows.chain(spot.into_iter().map(Some)).collect::<Option<_>>()?;
    let (withdrawable, account_value) = (main.withdrawable, main.value);
    Some(Balances { mode, rows, withdrawable, account_value, unread: Vec::new() })
}

fn empty(asset: &str, pocket: Pocket) -> AccountBalance {
    AccountBalance {
        asset: asset.to_owned(),
        pocket,
        dex: None,
        total: Signed::ZERO,
        free: Signed::ZERO,
        locked: Signed::ZERO,
        cross_wallet_balance: None,
        cross_unrealized_pnl: None,
        max_withdrawable: Decimal::ZERO,
    }
}

impl PerpsAccount {
    fn row(&self, token: &str, dex: Option<&str>) -> Option<AccountBalance> {
        let cross = self.positions.iter().filter(|it| it.margin_mode == MarginMode::Cross);
        let profit = cross
            .map(|position| position.unrealized_pnl)
            .try_fold(Signed::ZERO, Signed::checked_add)?;
        let free = Signed::from(self.withdrawable);
        Some(AccountBalance {
            dex: dex.map(shown),
            total: self.value,
            free,
            locked: self.value.checked_sub(free)?,
            cross_wallet_balance: Some(self.cross_value.checked_sub(profit)?),
            cross_unrealized_pnl: Some(profit),
            max_withdrawable: self.withdrawable,
            ..empty(token, Pocket::Perps)
        })
    }
}

impl SpotBalance {
    fn row(&self) -> Option<AccountBalance> {
        let free = self.total.checked_sub(self.hold)?;
        let max = self.after_maintenance.map_or(free, |after| after.min(free));
        Some(AccountBalance {
            total: self.total,
            free,
            locked: self.hold,
            max_withdrawable: max.or_zero(),
            ..empty(&self.coin, Pocket::Spot)
        })
    }
}

#[cfg(test)]
mod tests;
