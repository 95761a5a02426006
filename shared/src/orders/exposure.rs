//! What a wallet already has in a market, for a limit of positions.

use futures_util::future::try_join_all;

use super::TradeError;
use super::client::call::Asker;
use super::client::wire::Wire;
use super::markets::{Market, Reading};
use crate::exchanges::aster::trade::markets::at_market;
use crate::exchanges::aster::trade::{Call, Reader};
use crate::exchanges::trade::ExchangeOrder;
use crate::trading::decimal::Decimal;
use crate::trading::order::Side;
use crate::trading::policy::{Exposure, MarketExposure};

/// Request weight of Hyperliquid's positions.
const POSITIONS_WEIGHT: u64 = 2;

/// A value that exceeds every limit.
const ABOVE_EVERY_LIMIT: Decimal = match Decimal::new(10_u128.pow(30), 0) {
    Some(value) => value,
    None => Decimal::ZERO,
};

/// Reads the positions and the open orders of a wallet in these markets, without the order that is
/// about to be replaced.
pub(super) async fn exposure(
    reading: Reading<'_>,
    asker: Asker<'_>,
    markets: &[&Market],
    replaced: Option<&ExchangeOrder>,
) -> Result<Exposure, TradeError> {
    let mut distinct: Vec<&Market> = Vec::new();
    for market in markets {
        if !distinct.iter().any(|known| known.name() == market.name()) {
            distinct.push(market);
        }
    }
    let read = distinct.into_iter().map(|market| async move {
        // In this sequence an order that fills in between counts twice, not never. Both reads can
        // lag: the ledger's reservations cover that time.
        let mut open = open_orders(reading, asker, market).await?;
        open.retain(|order| replaced.is_none_or(|it| it.order_id != order.order_id));
        let position = position(reading, asker, market).await?;
        let side = |side| value_of(&open, market.name(), side);
        let exposure = MarketExposure { position, buys: side(Side::Buy), sells: side(Side::Sell) };
        Ok::<_, TradeError>((market.name().to_owned(), exposure))
    });
    Ok(Exposure(try_join_all(read).await?.into_iter().collect()))
}

/// Reads the value of the position in a market.
async fn position(
    reading: Reading<'_>,
    asker: Asker<'_>,
    market: &Market,
) -> Result<Decimal, TradeError> {
    let Reading { client, tenant, .. } = reading;
    let value = match (&client.wire, market) {
        (Wire::Aster(aster), Market::Aster(market)) => {
            let (user, name) = (asker.wallet, market.name.as_str());
            let key = asker.key.ok_or(TradeError::DamagedKey)?.agent()?;
            let asked = client.ask(tenant, Call::Positions.weight(), || {
                Box::pin(aster.position_notional(Reader { user, key }, name))
            });
            Some(asked.await?)
        }
        (Wire::Hyperliquid(hyperliquid), Market::Hyperliquid(inner)) => {
            let wallet = asker.wallet;
            let positions = client.ask(tenant, POSITIONS_WEIGHT, || {
                Box::pin(async move { Ok(hyperliquid.positions(wallet, inner).await?) })
            });
            let positions = positions.await?;
            // Positions have a value of their own.
            let price = if inner.is_spot() { reading.price(market).await? } else { None };
            positions.value_of(inner, price)
        }
        (Wire::Lighter(_), Market::Lighter(market)) => {
            let positions = client.positions(tenant, asker, None).await?;
            let held = positions.iter().find(|position| position.symbol == market.name);
            Some(held.map_or(Decimal::ZERO, |position| position.notional))
        }
        _ => return Err(TradeError::DamagedOrder("a market of another exchange")),
    };
    Ok(value.unwrap_or(ABOVE_EVERY_LIMIT))
}

async fn open_orders(
    reading: Reading<'_>,
    asker: Asker<'_>,
    market: &Market,
) -> Result<Vec<ExchangeOrder>, TradeError> {
    let within = match market {
        Market::Aster(market) => market.name.as_str(),
        Market::Hyperliquid(market) => market.dex.as_str(),
        Market::Lighter(market) => market.name.as_str(),
    };
    let Reading { client, tenant, .. } = reading;
    Ok(client.open_orders(tenant, asker, Some(within)).await?)
}

/// Returns the value of the open orders of one side that can add to a position.
fn value_of(orders: &[ExchangeOrder], market: &str, side: Side) -> Decimal {
    let adds = |order: &&ExchangeOrder| {
        order.symbol == market
            && order.side == side
            && !order.reduce_only
            && !order.side.reduces(order.position_side)
    };
    let value = |order: &ExchangeOrder| {
        let price = match order.trigger_price {
            // Aster states no price of a market order that waits for its trigger.
            Some(trigger) if order.price.is_zero() => at_market(trigger)?,
            trigger => order.price.max(trigger.unwrap_or(Decimal::ZERO)),
        };
        order.quantity.checked_sub(order.filled)?.checked_mul(price)
    };
    let sum = orders
        .iter()
        .filter(adds)
        .try_fold(Decimal::ZERO, |sum, order| sum.checked_add(value(order)?));
    sum.unwrap_or(ABOVE_EVERY_LIMIT)
}
