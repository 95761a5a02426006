//! Reading positions, balances, executions and past orders.

use domain::ids::Exchange;
use shared::exchanges::account::Direction;
use shared::orders::TradeError;
use shared::trading::decimal::Decimal;
use shared::trading::order::OrderFields;

use super::{Desk, MARKET, RESTING, symbol};

#[tokio::test]
async fn open_positions_are_listed_and_closed_ones_are_not() {
    for desk in Desk::both().await {
        let trader = desk.trader(&desk.process());
        let list = async || {
            let listed = trader.positions(&Desk::caller(), &desk.wallet(), None).await.unwrap();
            listed.positions
        };
        assert!(list().await.is_empty());
        desk.place(&desk.process(), "long", MARKET).await.unwrap();
        let short = OrderFields {
            symbol: Some("ETH"),
            side: Some("SELL"),
            quantity: Some("0.1"),
            ..MARKET
        };
        desk.place(&desk.process(), "short", short).await.unwrap();
        let positions = list().await;
        assert_eq!(positions.len(), 2, "{positions:?}");
        let long = positions.iter().find(|it| it.direction == Direction::Long).unwrap();
        assert!(long.symbol.starts_with("BTC"));
        assert_eq!(long.size.text(), "0.01");
        assert!(long.margin > Decimal::ZERO && long.leverage > 0);
        let only = Some(symbol("ETH"));
        let of_market = trader.positions(&Desk::caller(), &desk.wallet(), only.as_ref()).await;
        assert_eq!(of_market.unwrap().positions[0].direction, Direction::Short);
        let sell = OrderFields { side: Some("SELL"), reduce_only: true, ..MARKET };
        desk.place(&desk.process(), "closed", sell).await.unwrap();
        assert_eq!(list().await.len(), 1);
    }
}

#[tokio::test]
async fn balances_state_the_value_of_the_account() {
    for desk in Desk::both().await {
        let trader = desk.trader(&desk.process());
        let view = trader.balances(&Desk::caller(), &desk.wallet()).await.unwrap();
        let first = &view.balances.rows[0];
        let asset = match desk.exchange() {
            Exchange::Aster => "USDT",
            Exchange::Hyperliquid => "USDC",
        };
        assert_eq!(first.asset, asset, "{view:?}");
        assert!(!first.total.is_zero() && first.total == view.balances.account_value);
    }
}

#[tokio::test]
async fn executions_are_listed_with_the_callers_ids() {
    for desk in Desk::both().await {
        let from = desk.app.clock.clock().now_ms();
        desk.place(&desk.process(), "one", MARKET).await.unwrap();
        let sell = OrderFields { side: Some("SELL"), ..MARKET };
        desk.place(&desk.process(), "two", sell).await.unwrap();
        let trader = desk.trader(&desk.process());
        let (wallet, btc) = (desk.wallet(), symbol("BTC"));
        let page = trader.fills(&Desk::caller(), &wallet, Some(&btc), from).await.unwrap();
        let ids: Vec<_> = page.fills.iter().map(|it| it.client_order_id.as_deref()).collect();
        match desk.exchange() {
            // Aster's list has no client's id.
            Exchange::Aster => assert_eq!(page.fills.len(), 2, "{ids:?}"),
            Exchange::Hyperliquid => assert_eq!(ids, [Some("one"), Some("two")]),
        }
        let all = trader.fills(&Desk::caller(), &wallet, None, from).await;
        match desk.exchange() {
            Exchange::Aster => assert!(matches!(all, Err(TradeError::Fault(_))), "{all:?}"),
            Exchange::Hyperliquid => assert_eq!(all.unwrap().fills.len(), 2),
        }
    }
}

#[tokio::test]
async fn past_orders_include_ended_ones() {
    for desk in Desk::both().await {
        desk.place(&desk.process(), "filled", MARKET).await.unwrap();
        desk.place(&desk.process(), "gone", RESTING).await.unwrap();
        desk.cancel("gone").await.unwrap();
        let trader = desk.trader(&desk.process());
        let past = trader.past_orders(&Desk::caller(), &desk.wallet()).await;
        match desk.exchange() {
            Exchange::Aster => assert!(matches!(past, Err(TradeError::Refused { .. }))),
            Exchange::Hyperliquid => {
                let past = past.unwrap();
                let ids: Vec<_> =
                    past.iter().filter_map(|it| it.client_order_id.as_deref()).collect();
                assert!(ids.contains(&"filled") && ids.contains(&"gone"), "{ids:?}");
            }
        }
    }
}
