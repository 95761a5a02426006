//! The fields of a request for an order as text, and the rules between them.

use domain::ids::Exchange;

use super::{
    Amount, Attached, ChangeRequest, OrderRequest, OrderType, PositionSide, Side, SymbolText,
    TimeInForce, max_batch,
};
use crate::trading::decimal::Decimal;
use crate::trading::ids::ClientOrderId;

/// Why a request for an order is invalid. Nothing was signed or stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OrderFault {
    /// A required field is missing.
    #[error("Missing required parameter: {0}")]
    Missing(&'static str),
    /// A field has another form, or contradicts another one.
    #[error("{field} {expected}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// The expectation, such as "must be BUY or SELL".
        expected: &'static str,
    },
    /// The exchange does not offer it.
    #[error("{exchange} does not offer {what}")]
    NotOffered {
        /// The exchange.
        exchange: Exchange,
        /// What the caller asked for.
        what: &'static str,
        /// The action to take, as a sentence.
        advice: &'static str,
    },
}

/// Returns the fault of a field that has another form, or contradicts another one.
pub(super) const fn invalid(field: &'static str, expected: &'static str) -> OrderFault {
    OrderFault::Invalid { field, expected }
}

/// Returns the value whose published word the text is, or `fault`.
pub(super) fn one_of<T: Copy>(
    text: &str,
    values: &[T],
    word: fn(T) -> &'static str,
    fault: OrderFault,
) -> Result<T, OrderFault> {
    values.iter().copied().find(|value| word(*value) == text).ok_or(fault)
}

/// The fields of an attached take profit or stop loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AttachedFields<'a> {
    /// `triggerPrice`
    pub trigger_price: Option<&'a str>,
    /// `price`
    pub price: Option<&'a str>,
}

/// The fields of a request for one order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OrderFields<'a> {
    /// `symbol`
    pub symbol: Option<&'a str>,
    /// `side`
    pub side: Option<&'a str>,
    /// `type`
    pub order_type: Option<&'a str>,
    /// `quantity`
    pub quantity: Option<&'a str>,
    /// `price`
    pub price: Option<&'a str>,
    /// `triggerPrice`
    pub trigger_price: Option<&'a str>,
    /// `stopPrice`, another name of `triggerPrice`
    pub stop_price: Option<&'a str>,
    /// `timeInForce`
    pub time_in_force: Option<&'a str>,
    /// `reduceOnly`
    pub reduce_only: bool,
    /// `positionSide`
    pub position_side: Option<&'a str>,
    /// `takeProfit`
    pub take_profit: Option<AttachedFields<'a>>,
    /// `stopLoss`
    pub stop_loss: Option<AttachedFields<'a>>,
    /// `slippage`
    pub slippage: Option<&'a str>,
}

impl OrderFields<'_> {
    /// Validates the fields for an exchange.
    ///
    /// # Errors
    /// Fails at the first field that is missing, invalid, or not offered by the exchange.
    pub fn check(&self, exchange: Exchange) -> Result<OrderRequest, OrderFault> {
        let order_type = self.order_type()?;
        let order = OrderRequest {
            symbol: self.symbol()?,
            side: self.side()?,
            order_type,
            quantity: amount("quantity", required("quantity", self.quantity)?)?,
            price: self.price(order_type)?,
            trigger_price: self.trigger_price(order_type)?,
            time_in_force: self.time_in_force(order_type)?,
            reduce_only: self.reduce_only,
            position_side: self.position_side()?,
            take_profit: attached("takeProfit.triggerPrice", "takeProfit.price", self.take_profit)?,
            stop_loss: attached("stopLoss.triggerPrice", "stopLoss.price", self.stop_loss)?,
            slippage: self.slippage(order_type)?,
        };
        check_position(&order)?;
        check_attached(&order)?;
        check_offer(&order, exchange)?;
        Ok(order)
    }

    fn symbol(&self) -> Result<SymbolText, OrderFault> {
        required("symbol", self.symbol)?.parse().map_err(|_| {
            invalid("symbol", "must have 1 to 40 characters, without spaces and control characters")
        })
    }

    fn side(&self) -> Result<Side, OrderFault> {
        let fault = invalid("side", "must be BUY or SELL");
        one_of(required("side", self.side)?, &[Side::Buy, Side::Sell], Side::as_str, fault)
    }

    fn order_type(&self) -> Result<OrderType, OrderFault> {
        let expected = "must be MARKET, LIMIT, STOP_MARKET, TAKE_PROFIT_MARKET or STOP_LIMIT";
        let (text, fault) = (required("type", self.order_type)?, invalid("type", expected));
        one_of(text, &OrderType::ALL, OrderType::as_str, fault)
    }

    fn price(&self, order_type: OrderType) -> Result<Option<Amount>, OrderFault> {
        if !order_type.has_price() {
            return absent(self.price, invalid("price", "is for LIMIT and STOP_LIMIT only"));
        }
        positive("price", required("price", self.price)?).map(Some)
    }

    /// Reads the trigger under either of its names.
    fn trigger_price(&self, order_type: OrderType) -> Result<Option<Amount>, OrderFault> {
        let given = self.trigger_price.or(self.stop_price);
        if !order_type.has_trigger() {
            let expected = "is for STOP_MARKET, TAKE_PROFIT_MARKET and STOP_LIMIT only";
            return absent(given, invalid("triggerPrice", expected));
        }
        let trigger = positive("triggerPrice", required("triggerPrice", given)?)?;
        if let Some(stop) = self.stop_price
            && positive("stopPrice", stop)?.value() != trigger.value()
        {
            return Err(invalid("stopPrice", "must equal triggerPrice. Send one of them."));
        }
        Ok(Some(trigger))
    }

    fn time_in_force(&self, order_type: OrderType) -> Result<Option<TimeInForce>, OrderFault> {
        if !order_type.has_price() {
            let fault = invalid("timeInForce", "is for LIMIT and STOP_LIMIT only");
            return absent(self.time_in_force, fault);
        }
        let Some(text) = self.time_in_force else { return Ok(Some(TimeInForce::Gtc)) };
        let fault = invalid("timeInForce", "must be GTC, IOC, FOK or POST_ONLY");
        one_of(text, &TimeInForce::ALL, TimeInForce::as_str, fault).map(Some)
    }

    fn position_side(&self) -> Result<PositionSide, OrderFault> {
        let Some(text) = self.position_side else { return Ok(PositionSide::Both) };
        let fault = invalid("positionSide", "must be BOTH, LONG or SHORT");
        one_of(text, &PositionSide::ALL, PositionSide::as_str, fault)
    }

    fn slippage(&self, order_type: OrderType) -> Result<Option<Amount>, OrderFault> {
        let Some(text) = self.slippage else { return Ok(None) };
        if order_type != OrderType::Market {
            return Err(invalid("slippage", "is for MARKET only"));
        }
        let slippage = amount("slippage", text)?;
        if slippage.value() >= Decimal::ONE {
            return Err(invalid("slippage", "must be below 1; 0.01 is 1 percent"));
        }
        Ok(Some(slippage))
    }
}

/// The fields of a request that changes an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChangeFields<'a> {
    /// `price`
    pub price: Option<&'a str>,
    /// `quantity`
    pub quantity: Option<&'a str>,
}

impl ChangeFields<'_> {
    /// Validates the fields.
    ///
    /// # Errors
    /// Fails at the first field that is missing or invalid.
    pub fn check(&self) -> Result<ChangeRequest, OrderFault> {
        Ok(ChangeRequest {
            price: positive("price", required("price", self.price)?)?,
            quantity: positive("quantity", required("quantity", self.quantity)?)?,
        })
    }
}

/// Checks the rules between the orders of one request.
///
/// # Errors
/// Fails when there are too few or too many orders, when two have the same id, or when one of
/// several has an attached order.
pub fn check_batch(
    exchange: Exchange,
    orders: &[(ClientOrderId, OrderRequest)],
) -> Result<(), OrderFault> {
    if !(1..=max_batch(exchange)).contains(&orders.len()) {
        let expected = match exchange {
            Exchange::Aster => "must have 1 to 5 orders",
            Exchange::Hyperliquid => "must have 1 to 20 orders",
            Exchange::Lighter => "must have 1 order",
        };
        return Err(invalid("orders", expected));
    }
    let mut ids: Vec<_> = orders.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(invalid("clientOrderId", "must differ for each order of a batch"));
    }
    let has_attached =
        |order: &OrderRequest| order.take_profit.is_some() || order.stop_loss.is_some();
    if orders.len() > 1 && orders.iter().any(|(_, order)| has_attached(order)) {
        return Err(OrderFault::NotOffered {
            exchange,
            what: "takeProfit and stopLoss in a batch",
            advice: "Send the order in a request of its own.",
        });
    }
    Ok(())
}

/// Checks that the direction fits the position of an account in hedge mode.
fn check_position(order: &OrderRequest) -> Result<(), OrderFault> {
    if order.position_side != PositionSide::Both
        && order.reduce_only
        && !order.side.reduces(order.position_side)
    {
        let expected =
            "contradicts positionSide: only SELL reduces LONG, and only BUY reduces SHORT";
        return Err(invalid("reduceOnly", expected));
    }
    if order.quantity.value().is_zero() && !order.reduce_only {
        return Err(invalid("quantity", "must be above 0"));
    }
    Ok(())
}

fn check_attached(order: &OrderRequest) -> Result<(), OrderFault> {
    let has_entry = matches!(order.order_type, OrderType::Market | OrderType::Limit);
    for (field, attached) in [("takeProfit", &order.take_profit), ("stopLoss", &order.stop_loss)] {
        if attached.is_some() && !has_entry {
            return Err(invalid(field, "is for MARKET and LIMIT only"));
        }
        if attached.is_some() && order.reduce_only {
            return Err(invalid(field, "cannot be attached to a reduce-only order"));
        }
    }
    Ok(())
}

/// Checks the order against the exchange's list of features.
fn check_offer(order: &OrderRequest, exchange: Exchange) -> Result<(), OrderFault> {
    let fault = |what, advice| Err(OrderFault::NotOffered { exchange, what, advice });
    match exchange {
        Exchange::Aster => {
            if order.take_profit.is_some() || order.stop_loss.is_some() {
                return fault(
                    "takeProfit and stopLoss on an order",
                    "Place a TAKE_PROFIT_MARKET or STOP_MARKET order after it.",
                );
            }
            if order.slippage.is_some() {
                return fault("slippage", "Place a LIMIT order with timeInForce IOC.");
            }
            if order.quantity.value().is_zero() {
                return fault("a quantity of 0", "Send the position's quantity.");
            }
        }
        Exchange::Hyperliquid => {
            if order.position_side != PositionSide::Both {
                return fault("positionSide LONG and SHORT", "Omit positionSide.");
            }
            if order.time_in_force == Some(TimeInForce::Fok) {
                return fault("timeInForce FOK", "Use IOC.");
            }
            let waits = order.order_type == OrderType::StopLimit;
            if waits && order.time_in_force != Some(TimeInForce::Gtc) {
                return fault("timeInForce on STOP_LIMIT", "Omit timeInForce.");
            }
        }
        Exchange::Lighter => {
            if order.position_side != PositionSide::Both {
                return fault("positionSide LONG and SHORT", "Omit positionSide.");
            }
            if order.time_in_force == Some(TimeInForce::Fok) {
                return fault("timeInForce FOK", "Use IOC.");
            }
        }
    }
    Ok(())
}

/// Returns the text of a required field. An empty text counts as missing.
fn required<'a>(field: &'static str, text: Option<&'a str>) -> Result<&'a str, OrderFault> {
    text.filter(|text| !text.is_empty()).ok_or(OrderFault::Missing(field))
}

fn absent<T>(text: Option<&str>, fault: OrderFault) -> Result<Option<T>, OrderFault> {
    if text.is_some() { Err(fault) } else { Ok(None) }
}

fn amount(field: &'static str, text: &str) -> Result<Amount, OrderFault> {
    let expected = "must be a decimal number of at most 15 digits before and 12 after the point, \
                    without a sign or an exponent";
    text.parse().map_err(|_| invalid(field, expected))
}

fn positive(field: &'static str, text: &str) -> Result<Amount, OrderFault> {
    let amount = amount(field, text)?;
    if amount.value().is_zero() { Err(invalid(field, "must be above 0")) } else { Ok(amount) }
}

fn attached(
    trigger: &'static str,
    limit: &'static str,
    fields: Option<AttachedFields<'_>>,
) -> Result<Option<Attached>, OrderFault> {
    let Some(AttachedFields { trigger_price, price }) = fields else { return Ok(None) };
    let trigger_price = positive(trigger, required(trigger, trigger_price)?)?;
    let price = price.map(|text| positive(limit, text)).transpose()?;
    Ok(Some(Attached { trigger_price, price }))
}
