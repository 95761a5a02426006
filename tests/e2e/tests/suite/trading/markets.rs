//! Markets whose metadata or prices differ from the usual ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Plan};
use exchange_sim::faults::Fault;
use serde_json::{Value, json};
use shared::exchanges::trade::TradeCode;
use shared::orders::TradeError;
use shared::trading::order::OrderFields;
use shared::trading::policy::{PolicyFields, PolicyRule};

use super::policy::{rule, set};
use super::{Desk, RESTING};

/// Responds to the first calls of a name with another body.
fn answering(name: &'static str, times: usize, body: &Value) -> Plan {
    let body = body.to_string();
    Box::new(move |arrival: Arrival<'_>| {
        if arrival.name == name && arrival.nth_of_name <= times {
            Fate::Fail(Fault::Status(200, body.clone()))
        } else {
            Fate::Pass
        }
    })
}

/// Places an order with one engine, which keeps its metadata.
async fn place(
    desk: &Desk,
    trader: &shared::orders::Trader,
    id: &str,
    fields: OrderFields<'_>,
) -> Result<(), TradeError> {
    let orders = [desk.order(id, fields)];
    let placed = trader.place(&Desk::caller(), &desk.wallet(), &orders, None).await?;
    placed.single().map(|_| ())
}

fn is_unknown<T: std::fmt::Debug>(result: &Result<T, TradeError>) -> bool {
    matches!(result, Err(TradeError::Rule(rule)) if rule.code == TradeCode::MarketUnknown)
}

/// Another tenant asks for names that do not exist, again and again.
#[tokio::test]
async fn new_market_is_known_after_five_seconds_beside_unknown_names() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let eth = json!({ "name": "ETH", "szDecimals": 3, "maxLeverage": 25, "marginTableId": 25 });
    let before = json!({ "universe": [eth] }).to_string();
    let is_listed = Arc::new(AtomicBool::new(false));
    let listed = is_listed.clone();
    let process =
        desk.proxy.process_with(Box::new(move |arrival: Arrival<'_>| match arrival.name {
            "Hyperliquid.meta" if !listed.load(Ordering::SeqCst) => {
                Fate::Fail(Fault::Status(200, before.clone()))
            }
            _ => Fate::Pass,
        }));
    let trader = desk.trader(&process);
    let early = place(&desk, &trader, "early", RESTING).await;
    assert!(is_unknown(&early), "{early:?}");
    is_listed.store(true, Ordering::SeqCst);
    for nth in 0..5 {
        desk.app.clock.advance_ms(1_200);
        let spot = OrderFields { symbol: Some("NOPE/USDC"), ..RESTING };
        let unknown = place(&desk, &trader, &format!("unknown-{nth}"), spot).await;
        assert!(is_unknown(&unknown), "{unknown:?}");
    }
    place(&desk, &trader, "listed", RESTING).await.unwrap();
    // All unknown names together cause one reading in five seconds.
    let reads = process.calls().iter().filter(|call| *call == "Hyperliquid.spotMeta").count();
    assert!((1..=2).contains(&reads), "{reads}");
}

/// A DEX that is settled in another token: one unit of its values is not one dollar.
#[tokio::test]
async fn market_without_dollars_requires_a_policy_that_names_it() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let gold =
        json!({ "name": "test:GOLD", "szDecimals": 3, "maxLeverage": 20, "marginTableId": 20 });
    let meta = |token: u32| json!({ "universe": [gold], "collateralToken": token });
    let order = OrderFields { symbol: Some("test:GOLD"), quantity: Some("0.01"), ..RESTING };
    let order = OrderFields { price: Some("2300"), ..order };
    let in_hype = || desk.proxy.process_with(answering("Hyperliquid.meta", 9, &meta(1_105)));
    let refused = desk.place(&in_hype(), "hype", order).await;
    assert_eq!(rule(refused), PolicyRule::Symbol);
    // A position in it can be closed: the exchange alone refuses, because there is none.
    let reducing = OrderFields { reduce_only: true, ..order };
    let closed = desk.place(&in_hype(), "close", reducing).await;
    assert!(matches!(closed, Err(TradeError::Refused { .. })), "{closed:?}");

    desk.app.stack.hyperliquid_sim.deposit_amount(desk.address, "test", "1000");
    let in_dollars = desk.proxy.process_with(answering("Hyperliquid.meta", 9, &meta(0)));
    desk.place(&in_dollars, "dollars", order).await.unwrap();
    let symbols = Some(vec!["test:GOLD".to_owned()]);
    set(&desk, PolicyFields { symbols, ..PolicyFields::default() }).await;
    desk.place(&in_hype(), "named", order).await.unwrap();
    assert_eq!((desk.accepted("hype"), desk.accepted("named")), (0, 1));
}

/// A spot market without a book has no price, so what the wallet holds has no known value.
#[tokio::test]
async fn spot_market_without_a_price_exceeds_limits() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let exchange = &desk.app.stack.hyperliquid_sim;
    exchange.deposit_amount(desk.address, "spot", "1000");
    exchange.deposit_amount(desk.address, "spot:HYPE", "10");
    let order = OrderFields { symbol: Some("HYPE/USDC"), quantity: Some("1"), ..RESTING };
    let buy = OrderFields { price: Some("20"), ..order };
    let limit = "1000".parse().ok();
    set(&desk, PolicyFields { max_position_notional: limit, ..PolicyFields::default() }).await;
    let without = || desk.proxy.process_with(answering("Hyperliquid.allMids", 9, &json!({})));
    let refused = desk.place(&without(), "held", buy).await;
    assert_eq!(rule(refused), PolicyRule::PositionNotional);
    desk.place(&desk.process(), "priced", buy).await.unwrap();
    // A sale executes at a price that nobody knows.
    set(&desk, PolicyFields::default()).await;
    let sell = OrderFields { side: Some("SELL"), price: Some("30"), ..order };
    let refused = desk.place(&without(), "sale", sell).await;
    assert_eq!(rule(refused), PolicyRule::OrderNotional);
    desk.place(&desk.process(), "sale", sell).await.unwrap();
    assert_eq!(desk.accepted("held"), 0);
}
