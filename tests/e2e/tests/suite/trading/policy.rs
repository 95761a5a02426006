//! The trading policy, which is checked before anything is signed.

use domain::ids::Exchange;
use domain::random::Random;
use shared::orders::TradeError;
use shared::store::PolicyChange;
use shared::trading::order::OrderFields;
use shared::trading::policy::{PolicyFields, PolicyRule};

use super::{Desk, RESTING};

async fn tighten(desk: &Desk, fields: PolicyFields) {
    let change = PolicyChange {
        tenant: desk.account.tenant.clone(),
        wallet_id: None,
        fields,
        may_loosen: true,
        delay_ms: 0,
    };
    let (clock, random) = (desk.app.clock.clock(), Random::system());
    desk.app.store().change_trading_policy(&change, &clock, &random).await.unwrap();
}

fn rule<T: std::fmt::Debug>(refused: Result<T, TradeError>) -> PolicyRule {
    match refused {
        Err(TradeError::Policy(refusal)) => refusal.rule,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn order_above_a_limit_is_refused() {
    for desk in Desk::both().await {
        let limit = "600".parse().ok();
        tighten(&desk, PolicyFields { max_order_notional: limit, ..Default::default() }).await;
        let large = OrderFields { quantity: Some("0.02"), ..RESTING };
        let refused = desk.place(&desk.process(), "large", large).await;
        assert_eq!(rule(refused), PolicyRule::OrderNotional);
        desk.place(&desk.process(), "small", RESTING).await.unwrap();
        let changed = desk.modify(&desk.process(), "small", ("59000", "0.02")).await;
        assert_eq!(rule(changed), PolicyRule::OrderNotional);
        assert_eq!((desk.accepted("large"), desk.accepted("small")), (0, 1));
    }
}

#[tokio::test]
async fn parallel_orders_do_not_exceed_a_limit_of_positions() {
    for desk in Desk::both().await {
        let exchange = desk.exchange();
        // Room for two orders of 590 each.
        let limit = "1300".parse().ok();
        tighten(&desk, PolicyFields { max_position_notional: limit, ..Default::default() }).await;
        let processes: Vec<_> = (0..5).map(|_| desk.process()).collect();
        let ids: Vec<_> = (0..5).map(|nth| format!("p-{nth}")).collect();
        let placing =
            processes.iter().zip(&ids).map(|(process, id)| desk.place(process, id, RESTING));
        let placed = futures_util::future::join_all(placing).await;
        let is_refused = |refused: &&Result<_, TradeError>| {
            matches!(refused, Err(TradeError::Policy(refusal))
                if refusal.rule == PolicyRule::PositionNotional)
        };
        let done = placed.iter().filter(|placed| placed.is_ok()).count();
        assert_eq!(placed.iter().filter(is_refused).count() + done, 5, "{placed:?}");
        assert_eq!(done, 2, "{exchange}: {placed:?}");
        let third = desk.place(&desk.process(), "third", RESTING).await;
        assert_eq!(rule(third), PolicyRule::PositionNotional);
        let reducing = OrderFields { side: Some("SELL"), price: Some("61000"), ..RESTING };
        desk.place(&desk.process(), "sell", reducing).await.unwrap();
    }
}

#[tokio::test]
async fn orders_above_the_rate_are_refused() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let orders_per_minute = Some(2);
    tighten(&desk, PolicyFields { orders_per_minute, ..Default::default() }).await;
    desk.place(&desk.process(), "a", RESTING).await.unwrap();
    desk.place(&desk.process(), "b", RESTING).await.unwrap();
    let refused = desk.place(&desk.process(), "c", RESTING).await;
    assert_eq!(rule(refused), PolicyRule::OrderRate);
    desk.app.clock.advance_ms(70_000);
    desk.place(&desk.process(), "c", RESTING).await.unwrap();
}
