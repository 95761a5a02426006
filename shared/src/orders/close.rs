//! Closing a position: the whole of it or a part.
//!
//! A close is an order: its bytes, its nonce and its id are stored before it is sent, and it is
//! reduce-only. Its record has the fingerprint of the request, not of the position. A repeat is
//! therefore the same request after the position has changed, returns the first outcome, and never
//! closes more.

use domain::ids::{Exchange, WalletRef};

use super::client::call::Asker;
use super::markets::Market;
use super::place::Batch;
use super::view::Placing;
use super::{BrokenRule, REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::account::AccountPosition;
use crate::exchanges::trade::TradeCode;
use crate::store::{TradingAccount, TradingView};
use crate::trading::decimal::Decimal;
use crate::trading::ids::ClientOrderId;
use crate::trading::order::{Amount, CloseRequest, OrderRequest, SymbolText};

/// The value below which Hyperliquid refuses an order with a quantity. Such a rest is closed with
/// the quantity zero, which means the whole position.
const REST: Decimal = match Decimal::new(10, 0) {
    Some(value) => value,
    None => Decimal::ZERO,
};

/// A position to close.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PositionToClose {
    /// The caller's id. `None` derives it from the `Idempotency-Key`, or draws one.
    pub client_order_id: Option<ClientOrderId>,
    /// The request.
    pub request: CloseRequest,
}

impl Trader {
    /// Closes a position, or a part of it, with a reduce-only order. `key` is the
    /// `Idempotency-Key`, from which an order without an id derives one.
    ///
    /// # Errors
    /// Fails when the wallet has no such position, or when the order was not placed.
    pub async fn close(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        close: &PositionToClose,
        key: Option<&str>,
    ) -> Result<Placing, TradeError> {
        let until_ms = self.now_ms() + REQUEST_MS;
        let account = self.account(caller, wallet).await?;
        let id = self.id_of(close.client_order_id.as_ref(), key, None)?;
        let batch = Batch::closing(&account, id, close.request.clone());
        self.place_batch(&account, &batch, until_ms).await
    }

    /// Returns the order that closes a position, which is read now. The second value is the size of
    /// the position if the order is sent with the quantity zero.
    pub(super) async fn closing_order(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        close: &CloseRequest,
    ) -> Result<(OrderRequest, Option<Decimal>), TradeError> {
        let (market, positions) = self.positions_in(account, view, close.symbol()).await?;
        if matches!(&market, Market::Hyperliquid(market) if market.is_spot()) {
            return Err(rule(close.symbol(), TradeCode::NotOffered, None, SPOT).into());
        }
        let mut meant = positions.iter().filter(|position| {
            close.means(position.position_side, position.direction.closing_side())
        });
        let position = meant
            .next()
            .ok_or_else(|| TradeError::NoPosition { symbol: Some(close.symbol().to_string()) })?;
        if meant.next().is_some() {
            return Err(TradeError::PositionSideRequired { symbol: close.symbol().to_string() });
        }
        let quantity = quantity(position, close)?;
        let whole = is_rest(account.exchange, position) && close.quantity().is_none();
        let whole = whole.then_some(position.size);
        let side = position.direction.closing_side();
        Ok((close.order(side, quantity, position.position_side), whole))
    }

    /// Returns an order with the quantity zero, which closes the whole position, with the size of
    /// the position. An order that executes at once gets it as its quantity. An order that waits for
    /// a trigger keeps the quantity zero, because it closes the position of then. Without a position
    /// the order stays as it is.
    pub(super) async fn sized(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        order: OrderRequest,
    ) -> Result<(OrderRequest, Option<Decimal>), TradeError> {
        let (_, positions) = self.positions_in(account, view, &order.symbol).await?;
        let is_it = |position: &&AccountPosition| position.direction.closing_side() == order.side;
        let Some(position) = positions.iter().find(is_it) else { return Ok((order, None)) };
        let whole = Some(position.size);
        if order.order_type.has_trigger() {
            return Ok((order, whole));
        }
        Ok((OrderRequest { quantity: amount(position.size)?, ..order }, whole))
    }

    /// Reads the positions in a market. A spot market has none.
    async fn positions_in(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        symbol: &SymbolText,
    ) -> Result<(Market, Vec<AccountPosition>), TradeError> {
        let market = self.markets(&account.tenant).find(symbol).await?;
        let within = match &market {
            Market::Aster(market) => Some(market.name.as_str()),
            Market::Lighter(spot) if spot.is_spot => return Ok((market, Vec::new())),
            Market::Lighter(market) => Some(market.name.as_str()),
            Market::Hyperliquid(spot) if spot.is_spot() => return Ok((market, Vec::new())),
            Market::Hyperliquid(market) => Some(market.dex.as_str()).filter(|dex| !dex.is_empty()),
        };
        let key = self.key_to_ask(view).await?;
        let asker = Asker { wallet: view.address(), key: key.as_ref() };
        let mut positions = self.client.positions(&account.tenant, asker, within).await?;
        positions.retain(|position| position.symbol == market.name());
        Ok((market, positions))
    }
}

const SPOT: &str = "A spot market has no position. Place an order that sells the balance.";

/// Returns whether a position is a rest that Hyperliquid closes only as a whole.
fn is_rest(exchange: Exchange, position: &AccountPosition) -> bool {
    exchange == Exchange::Hyperliquid && position.notional < REST
}

/// Returns the quantity of the order: the requested one, or the size of the position.
fn quantity(position: &AccountPosition, close: &CloseRequest) -> Result<Amount, TradeError> {
    let Some(given) = close.quantity() else { return amount(position.size) };
    if given.value() <= position.size {
        return Ok(given.clone());
    }
    let limit = position.size.text();
    let advice =
        format!("Use a quantity of at most {limit}, or omit it to close the whole position.");
    Err(rule(close.symbol(), TradeCode::ReduceOnlyRefused, Some(limit), &advice).into())
}

fn amount(size: Decimal) -> Result<Amount, TradeError> {
    size.text().parse().map_err(|_| TradeError::DamagedOrder("a size with too many digits"))
}

fn rule(symbol: &SymbolText, code: TradeCode, limit: Option<String>, advice: &str) -> BrokenRule {
    BrokenRule { index: 0, code, symbol: symbol.to_string(), limit, advice: advice.to_owned() }
}
