//! Reservations: orders, their signed bytes and the nonce in one transaction.

use std::collections::BTreeSet;

use domain::ids::Exchange;
use futures_util::future::join_all;
use shared::store::{
    MAX_POLICY_AGE_MS, MovedOrder, OrderRecord, OrderState, ReserveLost, ReserveTime, Reserving,
    Seen, Settling, TradingAccount,
};
use shared::trading::ledger::Ledger;
use uuid::Uuid;

use crate::table::{
    NOW_MS, Table, WEEK_MS, account, at, batch, changing, new, placed, record, uuid,
};

fn orders(lost: Result<u64, ReserveLost>) -> Vec<MovedOrder> {
    match lost {
        Err(ReserveLost::Orders(moved)) => moved,
        other => panic!("{other:?}"),
    }
}

/// The next signature of an order that was refused or is dead.
fn again(record: &OrderRecord) -> Reserving {
    let next = OrderRecord {
        generation: record.generation + 1,
        revision: uuid(),
        state: OrderState::Sending,
        expires_at_s: None,
        ..record.clone()
    };
    Reserving { record: next, seen: Seen::Revision(record.revision) }
}

#[tokio::test]
async fn batch_of_twenty_and_its_nonce_are_one_transaction() {
    let table = Table::new().await;
    table.put_wallet().await;
    let account = account(Exchange::Hyperliquid);
    let records = batch(&account, 20);
    let reserving: Vec<_> = records.iter().map(new).collect();
    let nonce = table.reserve(&account, &reserving).await.unwrap();
    let ids: Vec<_> = records.iter().map(|record| record.client_order_id.as_str()).collect();
    let mut stored = table.orders(&account, &ids).await;
    stored.sort_by_key(|found| ids.iter().position(|id| *id == found.client_order_id.as_str()));
    assert_eq!(stored, records);
    let ledger = table.ledger(&account).await;
    assert_eq!((ledger.nonce, ledger.rev, ledger.orders_counted()), (nonce, 1, 20));

    // One order that is known refuses the whole batch, and changes neither an order nor the ledger.
    let mut others: Vec<_> = (0..20).map(|place| record(&account, &format!("o-{place}"))).collect();
    others[7] = record(&account, "batch-3");
    let others: Vec<_> = others.iter().map(new).collect();
    let moved = orders(table.reserve(&account, &others).await);
    assert_eq!(moved, [MovedOrder { index: 7, record: Some(Box::new(records[3].clone())) }]);
    assert!(table.orders(&account, &["o-0", "o-19"]).await.is_empty());
    assert_eq!(table.ledger(&account).await, ledger);
    // A repeated batch learns the state of each order.
    let moved = orders(table.reserve(&account, &reserving).await);
    let present: Vec<_> = moved.into_iter().map(|moved| *moved.record.unwrap()).collect();
    assert_eq!(present, records);
}

#[tokio::test]
async fn parallel_reservations_of_one_id_have_one_winner() {
    let table = Table::new().await;
    let account = account(Exchange::Hyperliquid);
    let rivals: Vec<_> = (0..16).map(|_| record(&account, "bot-17")).collect();
    let calls = rivals.iter().map(|rival| async {
        let reserving = [new(rival)];
        (rival.revision, table.reserve(&account, &reserving).await)
    });
    let (mut winners, mut present) = (Vec::new(), BTreeSet::new());
    for (revision, outcome) in join_all(calls).await {
        match outcome {
            Ok(_) => winners.push(revision),
            lost => {
                let moved = orders(lost);
                present.insert(moved[0].record.as_ref().unwrap().revision);
            }
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(present.into_iter().collect::<Vec<_>>(), winners);
    assert_eq!(table.order(&account, "bot-17").await.revision, winners[0]);
}

#[tokio::test]
async fn parallel_orders_take_distinct_nonces_and_are_all_counted() {
    let table = Table::new().await;
    table.put_wallet().await;
    for exchange in Exchange::ALL {
        let account = account(exchange);
        let records: Vec<_> = (0..16).map(|at| record(&account, &format!("p-{at}"))).collect();
        let calls = records.iter().map(|record| async {
            let reserving = [new(record)];
            table.reserve(&account, &reserving).await.unwrap()
        });
        let nonces: BTreeSet<u64> = join_all(calls).await.into_iter().collect();
        assert_eq!(nonces.len(), 16);
        let ledger = table.ledger(&account).await;
        assert_eq!((ledger.rev, ledger.orders_counted()), (16, 16));
        assert_eq!(Some(&ledger.nonce), nonces.last());
    }
}

#[tokio::test]
async fn stale_ledger_refuses_the_reservation_with_the_present_one() {
    let table = Table::new().await;
    table.put_wallet().await;
    let account = account(Exchange::Aster);
    table.sent(&account, "first").await;
    let present = table.ledger(&account).await;
    let stale = Ledger::default().with_next_nonce(account.exchange, NOW_MS * 1_000);
    let second = record(&account, "second");
    let reserve = |ledger: Ledger| {
        let (table, account, reserving) = (&table, &account, [new(&second)]);
        async move { table.store.reserve(account, &reserving, &ledger, at(NOW_MS)).await }
    };
    let ahead = Ledger { rev: 9, ..present.clone() };
    for ledger in [stale, ahead] {
        match reserve(ledger).await {
            Err(ReserveLost::Ledger(found)) => assert_eq!(*found, present),
            other => panic!("{other:?}"),
        }
    }
    assert!(table.orders(&account, &["second"]).await.is_empty());
    let next = present.with_next_nonce(account.exchange, NOW_MS * 1_000);
    reserve(next).await.unwrap();
}

#[tokio::test]
async fn policy_read_too_long_ago_refuses_the_reservation() {
    let table = Table::new().await;
    table.put_wallet().await;
    let account = account(Exchange::Aster);
    let view = table.store.trading_view(&account, &[], &table.clock()).await.unwrap().unwrap();
    let reserving = [new(&record(&account, "held"))];
    let ledger = view.ledger.clone().with_next_nonce(account.exchange, NOW_MS * 1_000);
    let reserve = |now_ms: u64| {
        let (table, account, reserving, ledger) = (&table, &account, &reserving, &ledger);
        let time = ReserveTime { policy_read_at_ms: view.read_at_ms, now_ms };
        async move { table.store.reserve(account, reserving, ledger, time).await }
    };
    // A clock that was set back hides how old the policy is.
    for now_ms in [NOW_MS + MAX_POLICY_AGE_MS + 1, NOW_MS - MAX_POLICY_AGE_MS - 1, u64::MAX] {
        assert!(matches!(reserve(now_ms).await, Err(ReserveLost::Policy)), "{now_ms}");
    }
    assert!(table.orders(&account, &["held"]).await.is_empty());
    reserve(NOW_MS + MAX_POLICY_AGE_MS).await.unwrap();
}

#[tokio::test]
async fn missing_ledger_refuses_a_later_write_of_it() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    let reserving = [new(&record(&account, "a"))];
    let ledger = Ledger { rev: 2, ..Ledger::default() };
    match table.store.reserve(&account, &reserving, &ledger, at(NOW_MS)).await {
        Err(ReserveLost::Ledger(found)) => assert_eq!(*found, Ledger::default()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_a_refused_or_dead_order_is_signed_again() {
    let table = Table::new().await;
    let account = account(Exchange::Hyperliquid);
    for state in [OrderState::Refused, OrderState::Dead, OrderState::Placed, OrderState::Unknown] {
        let id = state.as_str();
        let sent = table.sent(&account, id).await;
        let record = sent.settled(state, None, uuid(), NOW_MS);
        let settling = Settling { known: sent.revision, record: record.clone() };
        table.store.settle(&account, vec![settling]).await.unwrap();
        // An earlier revision is refused in each state.
        let moved = orders(table.reserve(&account, &[again(&sent)]).await);
        assert_eq!(moved[0].record.as_deref(), Some(&record));
        let outcome = table.reserve(&account, &[again(&record)]).await;
        if matches!(state, OrderState::Refused | OrderState::Dead) {
            outcome.unwrap();
            let stored = table.order(&account, id).await;
            assert_eq!((stored.generation, stored.state), (1, OrderState::Sending));
        } else {
            assert_eq!(orders(outcome)[0].record.as_deref(), Some(&record));
        }
    }
}

#[tokio::test]
async fn parallel_repeats_of_a_dead_order_have_one_winner() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    let sent = table.sent(&account, "bot-17").await;
    let dead = sent.settled(OrderState::Dead, None, uuid(), NOW_MS);
    let settling = Settling { known: sent.revision, record: dead.clone() };
    table.store.settle(&account, vec![settling]).await.unwrap();
    let rivals: Vec<_> = (0..8).map(|_| [again(&dead)]).collect();
    let calls = rivals.iter().map(|rival| table.reserve(&account, rival));
    let won = join_all(calls).await.into_iter().filter(Result::is_ok).count();
    assert_eq!((won, table.order(&account, "bot-17").await.generation), (1, 1));
}

#[tokio::test]
async fn expired_record_is_replaced_from_generation_0() {
    let table = Table::new().await;
    let account = account(Exchange::Hyperliquid);
    let sent = table.sent(&account, "bot-17").await;
    let mut placed = sent.settled(OrderState::Placed, Some(placed("1")), uuid(), NOW_MS);
    placed.generation = 3;
    let settling = Settling { known: sent.revision, record: placed.clone() };
    table.store.settle(&account, vec![settling]).await.unwrap();
    let stored = table.order(&account, "bot-17").await;
    assert_eq!(stored.expires_at_s, Some((NOW_MS + WEEK_MS) / 1_000));

    let later_ms = NOW_MS + WEEK_MS;
    let next = OrderRecord { created_at_ms: later_ms, ..record(&account, "bot-17") };
    let reserve = |now_ms: u64, rev: u64| {
        let (table, account, reserving) = (&table, &account, [new(&next)]);
        let ledger = Ledger { rev, ..Ledger::default() };
        async move { table.store.reserve(account, &reserving, &ledger, at(now_ms)).await }
    };
    assert!(!stored.is_expired(later_ms - 1));
    assert!(matches!(reserve(later_ms - 1, 2).await, Err(ReserveLost::Orders(_))));
    assert!(stored.is_expired(later_ms));
    reserve(later_ms, 2).await.unwrap();
    assert_eq!(table.order(&account, "bot-17").await, next);
    // A writer of the earlier record is refused.
    let late = Settling { known: stored.revision, record: stored };
    assert!(table.store.settle(&account, vec![late]).await.is_err());
    // An order whose outcome is unknown never expires.
    assert!(!next.is_expired(u64::MAX));
    assert!(matches!(reserve(u64::MAX, 3).await, Err(ReserveLost::Orders(_))));
}

#[tokio::test]
async fn change_is_reserved_only_for_the_placed_record() {
    let table = Table::new().await;
    let account = account(Exchange::Hyperliquid);
    let sent = table.sent(&account, "bot-17").await;
    let change = |record: &OrderRecord| Reserving {
        record: OrderRecord { state: OrderState::Placed, ..changing(record) },
        seen: Seen::Revision(record.revision),
    };
    // The outcome is not known yet.
    assert_eq!(orders(table.reserve(&account, &[change(&sent)]).await).len(), 1);
    let record = sent.settled(OrderState::Placed, Some(placed("1")), uuid(), NOW_MS);
    let settling = Settling { known: sent.revision, record: record.clone() };
    table.store.settle(&account, vec![settling]).await.unwrap();
    let rivals: Vec<_> = (0..8).map(|_| [change(&record)]).collect();
    let calls = rivals.iter().map(|rival| table.reserve(&account, rival));
    let won = join_all(calls).await.into_iter().filter(Result::is_ok).count();
    let stored = table.order(&account, "bot-17").await;
    assert_eq!((won, stored.generation, stored.placed_generation), (1, 1, 0));
    assert_eq!((stored.expires_at_s, stored.is_at_rest()), (None, false));
    assert_eq!(stored.unresolved(), stored.change.as_ref().map(|change| &change.submission));
}

#[tokio::test]
async fn order_of_others_gets_a_record_with_its_change() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    let foreign = OrderRecord {
        state: OrderState::Placed,
        submission: None,
        outcome: Some(placed("77")),
        ..record(&account, "hdx-foreign")
    };
    let foreign = changing(&foreign);
    table.reserve(&account, &[new(&foreign)]).await.unwrap();
    assert_eq!(table.order(&account, "hdx-foreign").await, foreign);
    assert!(foreign.unresolved().is_some());
}

/// A removal of a trading key skips the index of unknown orders when a wallet has no ledger.
#[tokio::test]
async fn ledger_exists_as_soon_as_an_order_exists() {
    let table = Table::new().await;
    for at in 0..20 {
        let wallet_id = Uuid::from_u128(at);
        let account = TradingAccount { wallet_id, ..account(Exchange::Aster) };
        assert!(!table.store.has_ledger(&account, &table.clock()).await.unwrap());
        let (records, other) = (batch(&account, 3), record(&account, "other"));
        let (reserving, other) = (records.iter().map(new).collect::<Vec<_>>(), [new(&other)]);
        // The first orders of the wallet, and readers that see each state between their writes.
        let readers = (0..8).map(|_| async {
            loop {
                let orders = table.orders(&account, &["batch-0", "batch-2", "other"]).await;
                let traded = table.store.has_ledger(&account, &table.clock()).await.unwrap();
                assert!(traded || orders.is_empty(), "{orders:?}");
                if orders.len() == 3 {
                    break;
                }
            }
        });
        let writers =
            join_all([table.reserve(&account, &reserving), table.reserve(&account, &other)]);
        let (written, _) = tokio::join!(writers, join_all(readers));
        assert!(written.iter().all(Result::is_ok), "{written:?}");
    }
}

/// A refused reservation stores neither, and a nonce without an order makes a ledger.
#[tokio::test]
async fn refused_first_reservation_leaves_no_ledger() {
    let table = Table::new().await;
    let account = account(Exchange::Hyperliquid);
    let traded = async || table.store.has_ledger(&account, &table.clock()).await.unwrap();
    let first = record(&account, "first");
    let next = Ledger::default().with_next_nonce(account.exchange, NOW_MS * 1_000);
    let unseen = Reserving { seen: Seen::Revision(uuid()), ..again(&first) };
    let refused = table.store.reserve(&account, &[unseen], &next, at(NOW_MS)).await;
    assert!(matches!(refused, Err(ReserveLost::Orders(_))), "{refused:?}");
    assert!(!traded().await);
    table.store.take_trading_nonce(&account, &table.clock()).await.unwrap();
    assert!(traded().await);
}
