//! Cancelling, changing and reading orders.

use domain::ids::Exchange;
use e2e::proxy::Fate;
use exchange_sim::faults::Fault;
use shared::orders::TradeError;
use shared::trading::order::{OrderFields, OrderStatus};

use super::{Desk, LEASE_MS, MARKET, RESTING, symbol};

#[tokio::test]
async fn cancelled_order_is_not_open_any_more() {
    for desk in Desk::both().await {
        let (order, _) = desk.place(&desk.process(), "c", RESTING).await.unwrap();
        let cancelled = desk.cancel("c").await.unwrap();
        assert_eq!(cancelled.status, OrderStatus::Canceled);
        assert_eq!(cancelled.order_id, order.order_id);
        let again = desk.cancel("c").await;
        let Err(TradeError::NotOpen(view)) = again else { panic!("{again:?}") };
        assert_eq!(view.status, OrderStatus::Canceled);
        assert_eq!(desk.status("c").await.unwrap().status, OrderStatus::Canceled);
        // By the exchange's id.
        let by_id = desk.status(order.order_id.as_deref().unwrap()).await.unwrap();
        assert_eq!(by_id.client_order_id.as_deref(), Some("c"));
    }
}

#[tokio::test]
async fn cancelling_a_filled_order_shows_it_as_filled() {
    for desk in Desk::both().await {
        desk.place(&desk.process(), "f", MARKET).await.unwrap();
        let refused = desk.cancel("f").await;
        let Err(TradeError::NotOpen(view)) = refused else { panic!("{refused:?}") };
        assert_eq!(view.status, OrderStatus::Filled);
        let unknown = desk.cancel("nothing").await;
        assert!(matches!(unknown, Err(TradeError::OrderNotFound { .. })), "{unknown:?}");
        let unknown = desk.status("12345").await;
        let Err(TradeError::OrderNotFound { order }) = unknown else { panic!("{unknown:?}") };
        assert_eq!(order, "12345");
    }
}

#[tokio::test]
async fn all_orders_of_a_market_are_cancelled() {
    for desk in Desk::both().await {
        desk.place(&desk.process(), "a", RESTING).await.unwrap();
        desk.place(&desk.process(), "b", RESTING).await.unwrap();
        let other = OrderFields { symbol: Some("ETH"), price: Some("2900"), ..RESTING };
        desk.place(&desk.process(), "eth", other).await.unwrap();
        assert_eq!(desk.open_orders().await.len(), 3);
        let trader = desk.trader(&desk.process());
        let btc = symbol("BTC");
        let cancelled = trader.cancel_all(&Desk::caller(), &desk.wallet(), &btc).await.unwrap();
        assert_eq!(cancelled.len(), 2);
        assert!(cancelled.iter().all(|order| order.status == OrderStatus::Canceled));
        let left = desk.open_orders().await;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].client_order_id.as_deref(), Some("eth"));
        let none = trader.cancel_all(&Desk::caller(), &desk.wallet(), &btc).await.unwrap();
        assert!(none.is_empty());
    }
}

#[tokio::test]
async fn changed_order_has_the_new_values() {
    for desk in Desk::both().await {
        desk.place(&desk.process(), "m", RESTING).await.unwrap();
        let changed = desk.modify(&desk.process(), "m", ("58500", "0.02")).await.unwrap();
        assert_eq!((changed.price.as_str(), changed.quantity.as_str()), ("58500", "0.02"));
        assert_eq!(changed.status, OrderStatus::Open);
        let status = desk.status("m").await.unwrap();
        assert_eq!((status.price.as_str(), status.quantity.as_str()), ("58500", "0.02"));
        // The present values send nothing.
        let process = desk.process();
        desk.modify(&process, "m", ("58500", "0.02")).await.unwrap();
        assert!(!process.calls().iter().any(|call| call == "DynamoDB.TransactWriteItems"));
        let open = desk.open_orders().await;
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].client_order_id.as_deref(), Some("m"));
        // A repeat of the placing call returns the order as it is after the change.
        let (_, is_replay) = desk.place(&desk.process(), "m", RESTING).await.unwrap();
        assert!(is_replay);
        desk.cancel("m").await.unwrap();
        let refused = desk.modify(&desk.process(), "m", ("58600", "0.02")).await;
        assert!(matches!(refused, Err(TradeError::NotOpen(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn lost_response_to_a_change_is_found() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let name = match exchange {
            Exchange::Aster => "Aster.PUT order",
            Exchange::Hyperliquid => "Hyperliquid.batchModify",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        for (id, fault) in [("lost", Fault::AppliedButLost), ("late", Fault::Late { ms: 8_000 })] {
            desk.place(&desk.process(), id, RESTING).await.unwrap();
            let process = desk.proxy.process_with(Box::new(move |arrival| {
                if arrival.name == name { Fate::Fail(fault.clone()) } else { Fate::Pass }
            }));
            let changed = desk.modify(&process, id, ("58500", "0.02")).await;
            if id == "lost" {
                assert_eq!(changed.unwrap().price, "58500", "{exchange}");
            } else {
                // Aster's acknowledgement of a noop proves nothing, so the last lookup waits.
                let is_dead = matches!(changed, Err(TradeError::NotPlaced { .. }));
                let is_open = matches!(changed, Err(TradeError::Unknown { .. }));
                assert!(if exchange == Exchange::Aster { is_open } else { is_dead }, "{changed:?}");
                desk.app.clock.advance_ms(8_000);
                desk.proxy.deliver_late().await;
                desk.app.clock.advance_ms(LEASE_MS);
                desk.resolve(&desk.process()).await;
                assert_eq!(desk.status(id).await.unwrap().price, "59000", "{exchange}");
                let changed = desk.modify(&desk.process(), id, ("58500", "0.02")).await;
                assert_eq!(changed.unwrap().price, "58500", "{exchange}");
            }
            assert!(desk.record(id).await.unwrap().is_at_rest());
        }
        assert_eq!(desk.open_orders().await.len(), 2);
    }
}

#[tokio::test]
async fn change_to_a_price_that_crosses_is_refused() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    desk.place(&desk.process(), "m", RESTING).await.unwrap();
    let refused = desk.modify(&desk.process(), "m", ("61000", "0.01")).await;
    assert!(matches!(refused, Err(TradeError::Rule(_))), "{refused:?}");
    assert_eq!(desk.status("m").await.unwrap().price, "59000");
}
