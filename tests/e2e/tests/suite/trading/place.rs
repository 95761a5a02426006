//! Placing orders without faults.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate};
use exchange_sim::faults::Fault;
use shared::exchanges::trade::TradeCode;
use shared::orders::{OrderToPlace, TradeError};
use shared::trading::order::{OrderFields, OrderStatus};

use super::{Desk, MARKET, RESTING, STOP_LOSS, TAKE_PROFIT};

#[tokio::test]
async fn limit_order_rests_and_repeat_replays() {
    for desk in Desk::both().await {
        let (order, is_replay) = desk.place(&desk.process(), "bot-1", RESTING).await.unwrap();
        assert_eq!((order.status, is_replay), (OrderStatus::Open, false));
        assert_eq!(order.client_order_id.as_deref(), Some("bot-1"));
        assert_eq!((order.price.as_str(), order.quantity.as_str()), ("59000", "0.01"));
        let again = OrderFields { quantity: Some("0.0100"), ..RESTING };
        let (replay, is_replay) = desk.place(&desk.process(), "bot-1", again).await.unwrap();
        assert!(is_replay);
        assert_eq!(replay.order_id, order.order_id);
        assert_eq!(desk.accepted("bot-1"), 1);
    }
}

#[tokio::test]
async fn market_order_fills() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        let (order, _) = desk.place(&desk.process(), "m", MARKET).await.unwrap();
        assert_eq!(order.status, OrderStatus::Filled, "{order:?}");
        assert_eq!((order.filled_quantity.as_str(), order.price.as_str()), ("0.01", "0"));
        assert!(order.average_price.is_some());
        assert_eq!(order.exchange_price.is_some(), exchange == Exchange::Hyperliquid);
        let status = desk.status("m").await.unwrap();
        assert_eq!((status.status, status.order_type.as_str()), (OrderStatus::Filled, "MARKET"));
    }
}

#[tokio::test]
async fn reused_id_is_refused() {
    for desk in Desk::both().await {
        desk.place(&desk.process(), "bot-1", RESTING).await.unwrap();
        let other = OrderFields { price: Some("59001"), ..RESTING };
        let refused = desk.place(&desk.process(), "bot-1", other).await;
        assert!(matches!(refused, Err(TradeError::IdReused { is_exhausted: false, .. })));
        // An id that was used alone cannot be used in a batch.
        let batch = [desk.order("bot-1", RESTING), desk.order("bot-2", RESTING)];
        let refused = desk.place_all(&desk.process(), &batch).await;
        assert!(matches!(refused, Err(TradeError::IdReused { .. })));
        assert_eq!((desk.accepted("bot-1"), desk.accepted("bot-2")), (1, 0));
    }
}

#[tokio::test]
async fn refusal_of_an_order_is_replayed() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let crossing =
        OrderFields { time_in_force: Some("POST_ONLY"), price: Some("60500"), ..RESTING };
    for id in ["alo", "alo"] {
        let orders = [desk.order(id, crossing)];
        let placing = desk.place_all(&desk.process(), &orders).await.unwrap();
        let is_first = desk.app.stack.hyperliquid_sim.set_price("BTC", "61000");
        assert!(is_first);
        let refused = placing.orders.into_iter().next().unwrap().result;
        let Err(TradeError::Refused { refusal, client_order_id }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(refusal.code, TradeCode::WouldCross);
        assert_eq!(client_order_id.unwrap().as_str(), "alo");
        assert_eq!(desk.status("alo").await.unwrap().status, OrderStatus::Rejected);
    }
    // The market has moved away: the repeat would have been accepted at another moment.
    assert_eq!((desk.accepted("alo"), desk.record("alo").await.unwrap().generation), (0, 0));
    let (order, is_replay) = desk.place(&desk.process(), "alo-2", crossing).await.unwrap();
    assert_eq!((order.status, is_replay), (OrderStatus::Open, false));
}

#[tokio::test]
async fn refused_batch_is_replayed_as_one() {
    for desk in Desk::both().await {
        // More than the margin allows.
        deposit(&desk, "-99000");
        let large = OrderFields { quantity: Some("2"), price: Some("59900"), ..RESTING };
        let batch = [desk.order("a", large), desk.order("b", large)];
        for is_replay in [false, true] {
            let placing = desk.place_all(&desk.process(), &batch).await.unwrap();
            assert_eq!((placing.placed(), placing.is_replay), (0, is_replay), "{placing:?}");
            for order in placing.orders {
                let Err(TradeError::Refused { refusal, .. }) = order.result else {
                    panic!("{:?}", order.result)
                };
                assert_eq!(refusal.code, TradeCode::InsufficientFunds);
            }
            deposit(&desk, "10000000");
        }
        assert_eq!((desk.accepted("a"), desk.accepted("b")), (0, 0));
    }
}

fn deposit(desk: &Desk, amount: &str) {
    let (aster, hyperliquid) = (&desk.app.stack.aster_sim, &desk.app.stack.hyperliquid_sim);
    let is_known = match desk.exchange() {
        Exchange::Aster => aster.deposit_amount(desk.address, amount),
        Exchange::Hyperliquid => hyperliquid.deposit_amount(desk.address, "", amount),
        Exchange::Lighter => unreachable!("no wallet is registered there"),
    };
    assert!(is_known);
}

/// The exchange's limit says nothing about the order.
#[tokio::test]
async fn order_after_a_rate_limit_is_placed_by_a_repeat() {
    for desk in Desk::both().await {
        let name = desk.send_name();
        let process = desk.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            let is_it = arrival.name == name && arrival.nth_of_name == 1;
            let limited = Fault::RateLimited { retry_after_s: 7 };
            if is_it { Fate::Fail(limited) } else { Fate::Pass }
        }));
        let refused = desk.place(&process, "limited", RESTING).await;
        let Err(TradeError::Refused { refusal, .. }) = refused else { panic!("{refused:?}") };
        assert!(matches!(refusal.code, TradeCode::RateLimited { .. }), "{refusal:?}");
        desk.app.clock.advance_ms(120_000);
        let (order, is_replay) = desk.place(&process, "limited", RESTING).await.unwrap();
        assert_eq!((order.status, is_replay), (OrderStatus::Open, false));
        assert_eq!(
            (desk.accepted("limited"), desk.record("limited").await.unwrap().generation),
            (1, 1)
        );
    }
}

/// One `Idempotency-Key` names one request, whether it has one order or several.
#[tokio::test]
async fn key_of_a_single_order_is_refused_for_a_batch() {
    for desk in Desk::both().await {
        let trader = desk.trader(&desk.process());
        let order = |fields| OrderToPlace { client_order_id: None, ..desk.order("x", fields) };
        let other = order(OrderFields { price: Some("58000"), ..RESTING });
        let (one, two) = (vec![order(RESTING)], vec![order(RESTING), other]);
        for (key, first, second) in [("single first", &one, &two), ("batch first", &two, &one)] {
            let place = async |orders: &[OrderToPlace]| {
                trader.place(&Desk::caller(), &desk.wallet(), orders, Some(key)).await
            };
            let placed = place(first).await.unwrap();
            assert_eq!(placed.placed(), first.len(), "{placed:?}");
            let refused = place(second).await;
            assert!(matches!(refused, Err(TradeError::IdReused { .. })), "{key}: {refused:?}");
            assert!(place(first).await.unwrap().is_replay);
        }
        assert_eq!(desk.open_orders().await.len(), 3);
    }
}

/// API Gateway ends a request after 29 seconds. An order that would be sent after that is not
/// signed, so the caller knows that nothing was executed.
#[tokio::test]
async fn request_without_time_to_send_signs_nothing() {
    for desk in Desk::both().await {
        let clock = desk.app.clock.clone();
        // The wallet is read for 20 seconds.
        let process = desk.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == "DynamoDB.BatchGetItem" && arrival.nth_of_name == 1 {
                clock.advance_ms(20_000);
            }
            Fate::Pass
        }));
        let placed = desk.place(&process, "slow", RESTING).await;
        assert!(matches!(placed, Err(TradeError::OutOfTime)), "{placed:?}");
        assert_eq!(desk.record("slow").await, None);
        assert!(!process.calls().iter().any(|call| call == desk.send_name()));
        let (_, is_replay) = desk.place(&process, "slow", RESTING).await.unwrap();
        assert!(!is_replay);
    }
}

/// A request that takes more than five seconds from each reading of its policy to the reservation
/// is not in progress elsewhere.
#[tokio::test]
async fn request_whose_policy_grows_old_is_out_of_time() {
    for desk in Desk::both().await {
        let clock = desk.app.clock.clone();
        let process = desk.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == "DynamoDB.UpdateItem" {
                clock.advance_ms(5_500);
            }
            Fate::Pass
        }));
        let placed = desk.place(&process, "old", RESTING).await;
        assert!(matches!(placed, Err(TradeError::OutOfTime)), "{placed:?}");
        assert_eq!((desk.record("old").await, desk.accepted("old")), (None, 0));
    }
}

#[tokio::test]
async fn batch_is_placed_and_replayed_as_one() {
    for desk in Desk::both().await {
        let second = OrderFields { price: Some("58000"), ..RESTING };
        let batch = [desk.order("a", RESTING), desk.order("b", second)];
        let placing = desk.place_all(&desk.process(), &batch).await.unwrap();
        assert_eq!((placing.placed(), placing.is_replay), (2, false), "{placing:?}");
        let replay = desk.place_all(&desk.process(), &batch).await.unwrap();
        assert_eq!((replay.placed(), replay.is_replay), (2, true));
        let alone = desk.place(&desk.process(), "b", second).await;
        assert!(matches!(alone, Err(TradeError::IdReused { .. })));
        assert_eq!((desk.accepted("a"), desk.accepted("b")), (1, 1));
        assert_eq!(desk.open_orders().await.len(), 2);
    }
}

#[tokio::test]
async fn order_with_attached_orders_states_them() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let (take_profit, stop_loss) = (Some(TAKE_PROFIT), Some(STOP_LOSS));
    let fields = OrderFields { take_profit, stop_loss, ..RESTING };
    let (order, _) = desk.place(&desk.process(), "tpsl", fields).await.unwrap();
    assert_eq!(order.status, OrderStatus::Open);
    let (take_profit, stop_loss) = (order.take_profit.unwrap(), order.stop_loss.unwrap());
    assert_eq!((take_profit.status, stop_loss.status), (OrderStatus::Open, OrderStatus::Open));
    assert_ne!(take_profit.client_order_id, stop_loss.client_order_id);
    let status = desk.status("tpsl").await.unwrap();
    assert!(status.take_profit.is_some() && status.stop_loss.is_some());
}

#[tokio::test]
async fn broken_market_rule_sends_nothing() {
    for desk in Desk::both().await {
        let process = desk.process();
        for (fields, code) in [
            (OrderFields { price: Some("59000.123"), ..RESTING }, TradeCode::TickSize),
            (OrderFields { quantity: Some("0.0100001"), ..RESTING }, TradeCode::LotSize),
            (OrderFields { symbol: Some("NOPE"), ..RESTING }, TradeCode::MarketUnknown),
        ] {
            let refused = desk.place(&process, "x", fields).await;
            let Err(TradeError::Rule(rule)) = refused else { panic!("{refused:?}") };
            assert_eq!(rule.code, code);
        }
        assert!(!process.calls().iter().any(|call| call == desk.send_name()));
        assert_eq!(desk.record("x").await, None);
    }
}

#[tokio::test]
async fn order_without_a_key_is_refused() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let wallet = desk.app.wallet("other").await;
    let name = shared_wallet(wallet.text("/walletId"));
    let trader = desk.trader(&desk.process());
    let orders = [desk.order("x", RESTING)];
    let refused = trader.place(&Desk::caller(), &name, &orders, None).await;
    assert!(matches!(refused, Err(TradeError::NoCredential(_))), "{refused:?}");
    let nobody = shared_wallet("00000000-0000-4000-8000-000000000000");
    let refused = trader.place(&Desk::caller(), &nobody, &orders, None).await;
    assert!(matches!(refused, Err(TradeError::WalletNotFound)), "{refused:?}");
}

fn shared_wallet(text: &str) -> domain::ids::WalletRef {
    text.parse().unwrap()
}

/// The path of one order: three calls before the exchange's, and one after it.
#[tokio::test]
async fn warm_order_makes_three_calls_before_the_exchanges() {
    for desk in Desk::both().await {
        let process = desk.process();
        let trader = desk.trader(&process);
        let place = async |id: &str| {
            let orders = [desk.order(id, RESTING)];
            let placing = trader.place(&Desk::caller(), &desk.wallet(), &orders, None).await;
            placing.unwrap().single().unwrap();
        };
        place("warm").await;
        let before = process.calls().len();
        place("counted").await;
        let calls = process.calls().split_off(before);
        let expected = [
            "DynamoDB.BatchGetItem",
            "DynamoDB.UpdateItem",
            "DynamoDB.TransactWriteItems",
            desk.send_name(),
            "DynamoDB.UpdateItem",
        ];
        assert_eq!(calls, expected);
    }
}
