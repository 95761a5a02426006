//! The parameters of Aster's calls and their encoding.
//!
//! The bytes that are sent are the bytes that are signed. Every byte outside `A-Za-z0-9-._~` is
//! encoded, so that no reader's rules for a space, `'`, `*`, `!` or brackets matter.

use domain::builder::Builder;
use domain::eth::Address;
use serde_json::Value;

use crate::exchanges::account::MarginMode;
use crate::trading::order::{ChangeRequest, OrderRequest, OrderType, PositionSide, TimeInForce};

/// Parameters in the order in which they are signed and sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Params(Vec<(&'static str, String)>);

/// A reference to an order in a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderId<'a> {
    /// The exchange's own id.
    Exchange(u64),
    /// The id that was given to the exchange.
    Client(&'a str),
}

/// An order with the names that the exchange uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order<'a> {
    /// The exchange's name of the market.
    pub symbol: &'a str,
    /// The id that is given to the exchange.
    pub client_id: &'a str,
    /// The caller's order. Its own name of the market and the fields that Aster does not offer are
    /// not used.
    pub request: &'a OrderRequest,
    /// The builder that receives a fee for the order. The wallet must have approved it.
    pub builder: Option<Builder>,
}

impl Params {
    /// Makes parameters in this order.
    #[must_use]
    pub const fn new(params: Vec<(&'static str, String)>) -> Self {
        Self(params)
    }

    /// Returns no parameters.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns the parameters that name a market.
    #[must_use]
    pub fn of_symbol(symbol: &str) -> Self {
        Self(vec![("symbol", symbol.to_owned())])
    }

    /// Returns the parameters that name an order, to read or to cancel it.
    #[must_use]
    pub fn of_order(symbol: &str, order: OrderId<'_>) -> Self {
        let named = match order {
            OrderId::Exchange(id) => ("orderId", id.to_string()),
            OrderId::Client(id) => ("origClientOrderId", id.to_owned()),
        };
        Self(vec![("symbol", symbol.to_owned()), named])
    }

    /// Returns the parameters that place an order. Only the fields of its type are sent, because
    /// the exchange refuses others (-1106). Numbers have the caller's text.
    #[must_use]
    pub fn placing(order: Order<'_>) -> Self {
        let Order { symbol, client_id, request, builder } = order;
        let mut params =
            vec![("symbol", symbol.to_owned()), ("side", request.side.as_str().to_owned())];
        if request.position_side != PositionSide::Both {
            params.push(("positionSide", request.position_side.as_str().to_owned()));
        }
        params.push(("type", type_word(request.order_type).to_owned()));
        if let Some(time_in_force) = request.time_in_force {
            params.push(("timeInForce", time_in_force_word(time_in_force).to_owned()));
        }
        params.push(("quantity", request.quantity.text().to_owned()));
        if let Some(price) = &request.price {
            params.push(("price", price.text().to_owned()));
        }
        if let Some(trigger) = &request.trigger_price {
            params.push(("stopPrice", trigger.text().to_owned()));
        }
        // In hedge mode the exchange refuses the flag, and the direction reduces by its nature.
        if request.reduce_only && request.position_side == PositionSide::Both {
            params.push(("reduceOnly", "true".to_owned()));
        }
        if ends_at_once(request) {
            params.push(("newOrderRespType", "RESULT".to_owned()));
        }
        params.push(("newClientOrderId", client_id.to_owned()));
        if let Some(builder) = builder {
            params.push(("builder", builder.address.to_string()));
            params.push(("feeRate", builder.fee.rate()));
        }
        Self(params)
    }

    /// Returns the parameters that place a batch: one parameter with compact JSON, whose values are
    /// texts.
    #[must_use]
    pub fn placing_batch(orders: &[Order<'_>]) -> Self {
        let of = |order: &Order<'_>| {
            let fields = Self::placing(*order).0.into_iter();
            let fields = fields.map(|(name, text)| format!("{}:{}", quoted(name), quoted(&text)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        };
        Self(vec![("batchOrders", list(orders.iter().map(of)))])
    }

    /// Returns the parameters that change an order.
    #[must_use]
    pub fn modifying(symbol: &str, order: OrderId<'_>, change: &ChangeRequest) -> Self {
        let Self(mut params) = Self::of_order(symbol, order);
        params.push(("quantity", change.quantity.text().to_owned()));
        params.push(("price", change.price.text().to_owned()));
        Self(params)
    }

    /// Returns the parameters that cancel several orders of a market by the exchange's ids.
    #[must_use]
    pub fn cancelling_ids(symbol: &str, ids: &[u64]) -> Self {
        let ids = list(ids.iter().map(u64::to_string));
        Self(vec![("symbol", symbol.to_owned()), ("orderIdList", ids)])
    }

    /// Returns the parameters that cancel several orders of a market by the ids that were given to
    /// the exchange.
    #[must_use]
    pub fn cancelling_client_ids(symbol: &str, ids: &[&str]) -> Self {
        let ids = list(ids.iter().map(|id| quoted(id)));
        Self(vec![("symbol", symbol.to_owned()), ("origClientOrderIdList", ids)])
    }

    /// Returns the parameters that set the leverage of a market.
    #[must_use]
    pub fn leverage(symbol: &str, leverage: u32) -> Self {
        Self(vec![("symbol", symbol.to_owned()), ("leverage", leverage.to_string())])
    }

    /// Returns the parameters that set the margin mode of a market.
    #[must_use]
    pub fn margin_type(symbol: &str, mode: MarginMode) -> Self {
        let word = match mode {
            MarginMode::Cross => "CROSSED",
            MarginMode::Isolated => "ISOLATED",
        };
        Self(vec![("symbol", symbol.to_owned()), ("marginType", word.to_owned())])
    }

    /// Returns the encoded parameters, joined with `&`.
    #[must_use]
    pub fn text(&self) -> String {
        joined(self.0.iter().map(|(name, text)| (*name, text.as_str())))
    }
}

/// Returns the signed text of a call: nonce, wallet and agent first, then the parameters.
#[must_use]
pub fn message(params: &Params, nonce_us: u64, user: Address, signer: Address) -> String {
    let (nonce, user, signer) = (nonce_us.to_string(), user.to_string(), signer.to_string());
    let head = [("nonce", nonce.as_str()), ("user", user.as_str()), ("signer", signer.as_str())];
    joined(head.into_iter().chain(params.0.iter().map(|(name, text)| (*name, text.as_str()))))
}

fn joined<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encoded = params.map(|(name, text)| format!("{name}={}", encode(text)));
    encoded.collect::<Vec<_>>().join("&")
}

/// Encodes every byte outside `A-Za-z0-9-._~` as `%` and two upper-case hex digits.
#[must_use]
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Returns the exchange's word for a type.
pub(super) const fn type_word(order_type: OrderType) -> &'static str {
    match order_type {
        OrderType::StopLimit => "STOP",
        other => other.as_str(),
    }
}

/// Returns the exchange's word for a time in force.
pub(super) const fn time_in_force_word(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::PostOnly => "GTX",
        other => other.as_str(),
    }
}

/// Returns whether the order ends with the request, so that the response must have its result.
const fn ends_at_once(request: &OrderRequest) -> bool {
    matches!(
        (request.order_type, request.time_in_force),
        (OrderType::Market, _) | (OrderType::Limit, Some(TimeInForce::Ioc | TimeInForce::Fok))
    )
}

#[cfg(test)]
mod tests {
    use domain::ids::Exchange;
    use proptest::prelude::*;
    use serde_json::Map;

    use super::*;
    use crate::trading::order::OrderFields;

    const LIMIT: OrderFields<'_> = OrderFields {
        symbol: Some("BTC"),
        side: Some("SELL"),
        order_type: Some("LIMIT"),
        quantity: Some("0.0010"),
        price: Some("060000.50"),
        trigger_price: None,
        stop_price: None,
        time_in_force: None,
        reduce_only: false,
        position_side: None,
        take_profit: None,
        stop_loss: None,
        slippage: None,
    };

    fn placing(fields: OrderFields<'_>) -> String {
        let request = fields.check(Exchange::Aster).unwrap();
        let order =
            Order { symbol: "BTCUSDT", client_id: "hd-1", request: &request, builder: None };
        Params::placing(order).text()
    }

    #[test]
    fn order_has_the_fields_of_its_type_in_order() {
        let market =
            OrderFields { order_type: Some("MARKET"), price: None, reduce_only: true, ..LIMIT };
        let stop = OrderFields { order_type: Some("STOP_MARKET"), price: None, ..LIMIT };
        let stop = OrderFields { trigger_price: Some("59000"), ..stop };
        let stop_limit = OrderFields { price: Some("58000"), ..stop };
        let stop_limit = OrderFields { order_type: Some("STOP_LIMIT"), ..stop_limit };
        for (fields, expected) in [
            (LIMIT, "type=LIMIT&timeInForce=GTC&quantity=0.0010&price=060000.50"),
            (
                OrderFields { time_in_force: Some("POST_ONLY"), reduce_only: true, ..LIMIT },
                "type=LIMIT&timeInForce=GTX&quantity=0.0010&price=060000.50&reduceOnly=true",
            ),
            (
                OrderFields { time_in_force: Some("IOC"), ..LIMIT },
                "type=LIMIT&timeInForce=IOC&quantity=0.0010&price=060000.50\
                 &newOrderRespType=RESULT",
            ),
            (market, "type=MARKET&quantity=0.0010&reduceOnly=true&newOrderRespType=RESULT"),
            (stop, "type=STOP_MARKET&quantity=0.0010&stopPrice=59000"),
            (
                OrderFields { order_type: Some("TAKE_PROFIT_MARKET"), ..stop },
                "type=TAKE_PROFIT_MARKET&quantity=0.0010&stopPrice=59000",
            ),
            (stop_limit, "type=STOP&timeInForce=GTC&quantity=0.0010&price=58000&stopPrice=59000"),
        ] {
            let expected = format!("symbol=BTCUSDT&side=SELL&{expected}&newClientOrderId=hd-1");
            assert_eq!(placing(fields), expected);
        }
    }

    #[test]
    fn order_names_its_builder_and_fee() {
        let request = LIMIT.check(Exchange::Aster).unwrap();
        let address = "0xc2af13e1B1de3A015252A115309A0F9DEEDCFa0A".parse().unwrap();
        let builder = Some(Builder { address, fee: 50.try_into().unwrap() });
        let order = Order { symbol: "BTCUSDT", client_id: "hd-1", request: &request, builder };
        let fields = "&builder=0xc2af13e1B1de3A015252A115309A0F9DEEDCFa0A&feeRate=0.0005";
        let text = Params::placing(order).text();
        assert_eq!(text, format!("{}{fields}", placing(LIMIT)));
        let Params(batch) = Params::placing_batch(&[order, order]);
        let json = r#""feeRate":"0.0005"}"#;
        assert_eq!(batch[0].1.matches(json).count(), 2, "{}", batch[0].1);
    }

    /// In hedge mode the position is named, and the flag is not sent.
    #[test]
    fn hedge_order_names_its_position_instead_of_the_flag() {
        let fields = OrderFields { position_side: Some("LONG"), reduce_only: true, ..LIMIT };
        assert_eq!(
            placing(fields),
            "symbol=BTCUSDT&side=SELL&positionSide=LONG&type=LIMIT&timeInForce=GTC\
             &quantity=0.0010&price=060000.50&newClientOrderId=hd-1"
        );
    }

    proptest! {
        #[test]
        fn encoded_text_is_plain_and_decodes(text in any::<String>()) {
            let encoded = encode(&text);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            prop_assert!(encoded.bytes().all(is_plain));
            let form = format!("a={encoded}");
            let decoded: Vec<_> = url::form_urlencoded::parse(form.as_bytes()).collect();
            prop_assert_eq!(decoded.len(), 1);
            prop_assert_eq!(decoded[0].1.as_ref(), text.as_str());
        }

        /// A text cannot add a parameter, an order, or a field of an order.
        #[test]
        fn batch_is_json_with_the_given_texts(
            texts in prop::collection::vec(any::<String>(), 1..4),
        ) {
            let request = LIMIT.check(Exchange::Aster).unwrap();
            let of = |text: &String| Value::from(text.as_str());
            let orders: Vec<_> = texts
                .iter()
                .map(|text| Order { symbol: text, client_id: text, request: &request, builder: None })
                .collect();
            let Params(params) = Params::placing_batch(&orders);
            prop_assert_eq!(params.len(), 1);
            let batch: Vec<Map<String, Value>> = serde_json::from_str(&params[0].1).unwrap();
            prop_assert_eq!(batch.len(), texts.len());
            for (order, text) in batch.iter().zip(&texts) {
                prop_assert_eq!(order.len(), 7);
                prop_assert_eq!(&order["symbol"], &of(text));
                prop_assert_eq!(&order["newClientOrderId"], &of(text));
            }
        }
    }
}
