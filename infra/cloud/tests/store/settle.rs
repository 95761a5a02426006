//! Outcomes, leases and fences of reserved orders, and the index of those without an outcome.

use std::collections::BTreeSet;

use domain::ids::Exchange;
use futures_util::future::join_all;
use platform::items::SHARDS;
use shared::store::{
    DueOrder, Index, OrderLost, OrderRecord, OrderState, ReserveLost, Reserving, Seen, Settling,
    StoredOutcome, StoredRefusal, TradingAccount,
};
use shared::trading::ledger::{Ledger, READ_LAG_MS, Reservation};
use shared::trading::order::Side;

use crate::table::{NOW_MS, Table, account, at, batch, changing, new, placed, record, uuid};

const LEASE_END_MS: u64 = NOW_MS + 15_000;

fn settling(known: &OrderRecord, record: &OrderRecord) -> Settling {
    Settling { known: known.revision, record: record.clone() }
}

fn refusal() -> StoredRefusal {
    let (code, text) = ("TICK_SIZE".to_owned(), "Price must be divisible".to_owned());
    StoredRefusal { code, text, at_ms: NOW_MS }
}

async fn due(table: &Table, exchange: Exchange, until_ms: u64) -> Vec<DueOrder> {
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        let page = table.store.due_orders(exchange, shard, until_ms, None).await.unwrap();
        assert!(page.next.is_none());
        found.extend(page.keys);
        // No order is in the shards of the credentials.
        let others = table.store.due(Index::Due, shard, u64::MAX, None).await.unwrap();
        assert!(others.keys.is_empty());
    }
    found
}

fn present(lost: OrderLost) -> OrderRecord {
    match lost {
        OrderLost::Moved(moved) => *moved.into_iter().next().unwrap().record.unwrap(),
        OrderLost::Store(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn order_is_due_from_the_end_of_its_lease_until_its_outcome() {
    let table = Table::new().await;
    for exchange in Exchange::ALL {
        let account = account(exchange);
        let sent = table.sent(&account, "bot-17").await;
        let key = account.order_key(&sent.client_order_id);
        let entry = |at_ms| DueOrder { account: account.clone(), key, at_ms };
        assert_eq!(due(&table, exchange, LEASE_END_MS - 1).await, []);
        assert_eq!(due(&table, exchange, LEASE_END_MS).await, [entry(LEASE_END_MS)]);
        let unknown = sent.settled(OrderState::Unknown, None, uuid(), NOW_MS + 1);
        table.store.settle(&account, vec![settling(&sent, &unknown)]).await.unwrap();
        assert_eq!(due(&table, exchange, NOW_MS + 1).await, [entry(NOW_MS + 1)]);
        let taken = table.store.take_over(&account, &unknown, NOW_MS + 9, uuid()).await.unwrap();
        assert_eq!(due(&table, exchange, NOW_MS + 8).await, []);
        assert_eq!(due(&table, exchange, NOW_MS + 9).await, [entry(NOW_MS + 9)]);
        assert_eq!(table.order(&account, "bot-17").await, taken);
        let outcome = Some(StoredOutcome::Refused(refusal()));
        let refused = taken.settled(OrderState::Refused, outcome, uuid(), NOW_MS + 10);
        table.store.settle(&account, vec![settling(&taken, &refused)]).await.unwrap();
        assert_eq!(due(&table, exchange, u64::MAX).await, []);
        assert_eq!(table.order(&account, "bot-17").await, refused);
    }
}

#[tokio::test]
async fn stale_revision_is_refused_with_the_present_record() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    let sent = table.sent(&account, "bot-17").await;
    let record = sent.settled(OrderState::Placed, Some(placed("1")), uuid(), NOW_MS);
    table.store.settle(&account, vec![settling(&sent, &record)]).await.unwrap();

    let dead = sent.settled(OrderState::Dead, None, uuid(), NOW_MS);
    let lost = table.store.settle(&account, vec![settling(&sent, &dead)]).await.unwrap_err();
    assert_eq!(present(lost), record);
    let lost = table.store.take_over(&account, &sent, LEASE_END_MS, uuid()).await.unwrap_err();
    assert_eq!(present(lost), record);
    let lost = table.store.note_fenced(&account, &sent, uuid()).await.unwrap_err();
    assert_eq!(present(lost), record);
    assert_eq!(table.order(&account, "bot-17").await, record);
}

#[tokio::test]
async fn repeated_write_after_a_lost_response_succeeds() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    let sent = table.sent(&account, "bot-17").await;
    let revision = uuid();
    for _ in 0..2 {
        table.store.take_over(&account, &sent, LEASE_END_MS + 5, revision).await.unwrap();
    }
    let taken = table.order(&account, "bot-17").await;
    let fence = uuid();
    for _ in 0..2 {
        let fenced = table.store.note_fenced(&account, &taken, fence).await.unwrap();
        assert!(fenced.submission.as_ref().unwrap().fenced);
        assert_eq!(table.order(&account, "bot-17").await, fenced);
    }
    let fenced = table.order(&account, "bot-17").await;
    let dead = fenced.settled(OrderState::Dead, None, uuid(), NOW_MS);
    for _ in 0..2 {
        let settled = vec![settling(&fenced, &dead)];
        assert_eq!(
            table.store.settle(&account, settled).await.unwrap(),
            std::slice::from_ref(&dead)
        );
    }
}

#[tokio::test]
async fn parallel_take_overs_have_one_winner() {
    let table = Table::new().await;
    let account = account(Exchange::Hyperliquid);
    let sent = table.sent(&account, "bot-17").await;
    // The leases are equal, so only the revisions tell the writers apart.
    let calls = (0..8).map(|_| table.store.take_over(&account, &sent, LEASE_END_MS + 1, uuid()));
    let won: Vec<_> = join_all(calls).await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won, [table.order(&account, "bot-17").await]);
}

#[tokio::test]
async fn batch_is_settled_whole_or_not_at_all() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    let records = batch(&account, 5);
    let reserving: Vec<_> = records.iter().map(new).collect();
    table.reserve(&account, &reserving).await.unwrap();
    assert_eq!(due(&table, account.exchange, u64::MAX).await.len(), 1);
    let outcome = |(place, record): (usize, &OrderRecord)| match place {
        0 => record.settled(OrderState::Placed, Some(placed("1")), uuid(), NOW_MS),
        1 => {
            let outcome = Some(StoredOutcome::Refused(refusal()));
            record.settled(OrderState::Refused, outcome, uuid(), NOW_MS)
        }
        _ => record.settled(OrderState::Dead, None, uuid(), NOW_MS),
    };
    let settled: Vec<_> = records.iter().enumerate().map(outcome).collect();
    let pairs = || records.iter().zip(&settled).map(|(known, next)| settling(known, next));
    let mut stale: Vec<_> = pairs().collect();
    stale[3].known = uuid();
    match table.store.settle(&account, stale).await {
        Err(OrderLost::Moved(moved)) => {
            assert_eq!((moved.len(), moved[0].index), (1, 3));
            assert_eq!(moved[0].record.as_deref(), Some(&records[3]));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(table.order(&account, "batch-0").await, records[0]);
    assert_eq!(table.store.settle(&account, pairs().collect()).await.unwrap(), settled);
    for record in &settled {
        assert_eq!(table.order(&account, record.client_order_id.as_str()).await, *record);
    }
    assert_eq!(due(&table, account.exchange, u64::MAX).await, []);
    assert_eq!(table.store.settle(&account, Vec::new()).await.unwrap(), []);
}

/// Reserves orders with a reservation of notional each.
async fn reserve_notional(
    table: &Table,
    account: &TradingAccount,
    records: &[OrderRecord],
) -> Ledger {
    let mut ledger = Ledger::default().at(NOW_MS).with_orders(2);
    for record in records {
        let reservation = Reservation {
            symbol: "BTC".to_owned(),
            side: Side::Buy,
            notional: "600".parse().unwrap(),
            until_ms: LEASE_END_MS,
            rev: 1,
            before: None,
        };
        ledger.reserved.insert(account.order_key(&record.client_order_id).to_hex(), reservation);
    }
    let ledger = ledger.with_next_nonce(account.exchange, NOW_MS * 1_000);
    let reserving: Vec<_> = records.iter().map(new).collect();
    table.store.reserve(account, &reserving, &ledger, at(NOW_MS)).await.unwrap();
    ledger
}

#[tokio::test]
async fn outcome_ends_the_reservation_after_reads_can_lag() {
    let table = Table::new().await;
    table.put_wallet().await;
    let account = account(Exchange::Hyperliquid);
    let records: Vec<_> = ["a", "b"]
        .map(|id| OrderRecord { reserved: true, ..record(&account, id) })
        .into_iter()
        .collect();
    let before = reserve_notional(&table, &account, &records).await;
    assert_eq!(table.ledger(&account).await, before);
    let before_outcome = before.clone().with_next_nonce(account.exchange, NOW_MS * 1_000);

    // An unknown order keeps its reservation.
    let unknown = records[0].settled(OrderState::Unknown, None, uuid(), NOW_MS);
    let stored = table.store.settle(&account, vec![settling(&records[0], &unknown)]).await;
    assert!(stored.unwrap()[0].reserved);
    assert_eq!(table.ledger(&account).await, before);

    let dead = unknown.settled(OrderState::Dead, None, uuid(), NOW_MS);
    let stored = table.store.settle(&account, vec![settling(&unknown, &dead)]).await.unwrap();
    assert!(!stored[0].reserved && !table.order(&account, "a").await.reserved);
    let ledger = table.ledger(&account).await;
    let kept: Vec<_> = ledger.reserved.keys().cloned().collect();
    assert_eq!(kept, [account.order_key(&"b".parse().unwrap()).to_hex()]);
    assert_eq!((ledger.rev, ledger.nonce), (before.rev + 1, before.nonce));
    // A policy check that counted the ended order is not written.
    let third = [new(&record(&account, "c"))];
    let lost = table.store.reserve(&account, &third, &before_outcome, at(NOW_MS)).await;
    assert!(matches!(lost, Err(ReserveLost::Ledger(present)) if *present == ledger));
    // The exchange has the second order, and its reads may not show it yet.
    let end = records[1].settled(OrderState::Placed, Some(placed("2")), uuid(), NOW_MS);
    table.store.settle(&account, vec![settling(&records[1], &end)]).await.unwrap();
    let ledger = table.ledger(&account).await;
    let held = &ledger.reserved[&kept[0]];
    assert_eq!((held.until_ms, ledger.rev), (NOW_MS + READ_LAG_MS, before.rev + 2));
    assert_eq!(held.notional, "600".parse().unwrap());
    assert!(!table.order(&account, "b").await.reserved);
    // The same write again, after its response was lost, changes nothing else.
    table.store.settle(&account, vec![settling(&records[1], &end)]).await.unwrap();
    assert_eq!(table.ledger(&account).await.reserved, ledger.reserved);
}

#[tokio::test]
async fn outcome_is_stored_without_its_reservation() {
    let table = Table::new().await;
    table.put_wallet().await;
    let account = account(Exchange::Hyperliquid);
    let records: Vec<_> = ["a", "b", "d"]
        .map(|id| OrderRecord { reserved: true, ..record(&account, id) })
        .into_iter()
        .collect();
    let ledger = reserve_notional(&table, &account, &records).await;
    let third = [new(&record(&account, "c"))];
    // The ledger dropped the reservations by their time. The outcomes are stored all the same.
    let next = ledger.at(LEASE_END_MS).with_next_nonce(account.exchange, NOW_MS * 1_000);
    assert!(next.reserved.is_empty());
    table.store.reserve(&account, &third, &next, at(NOW_MS)).await.unwrap();
    let placed_one = records[1].settled(OrderState::Placed, Some(placed("2")), uuid(), NOW_MS);
    table.store.settle(&account, vec![settling(&records[1], &placed_one)]).await.unwrap();
    assert_eq!(table.order(&account, "b").await.state, OrderState::Placed);
    let placed_two = records[0].settled(OrderState::Placed, Some(placed("1")), uuid(), NOW_MS);
    let dead = records[2].settled(OrderState::Dead, None, uuid(), NOW_MS);
    let both = vec![settling(&records[0], &placed_two), settling(&records[2], &dead)];
    table.store.settle(&account, both).await.unwrap();
    assert_eq!(table.order(&account, "a").await.state, OrderState::Placed);
    assert_eq!(table.order(&account, "d").await.state, OrderState::Dead);
    assert!(table.ledger(&account).await.reserved.is_empty());
}

#[tokio::test]
async fn change_that_was_made_replaces_price_and_outcome() {
    let table = Table::new().await;
    for exchange in Exchange::ALL {
        let account = account(exchange);
        let sent = table.sent(&account, "bot-17").await;
        let first = sent.settled(OrderState::Placed, Some(placed("1")), uuid(), NOW_MS);
        table.store.settle(&account, vec![settling(&sent, &first)]).await.unwrap();
        // A change that the exchange refuses leaves the order as it is.
        let change = changing(&first);
        let seen = Seen::Revision(first.revision);
        let reserving = [Reserving { record: change.clone(), seen }];
        table.reserve(&account, &reserving).await.unwrap();
        assert_eq!(due(&table, exchange, u64::MAX).await.len(), 1);
        let fenced = table.store.note_fenced(&account, &change, uuid()).await.unwrap();
        let stored = table.order(&account, "bot-17").await;
        assert!(stored.change.as_ref().unwrap().submission.fenced && stored == fenced);
        assert!(!stored.submission.as_ref().unwrap().fenced);
        let refused =
            fenced.change_settled(OrderState::Refused, None, Some(refusal()), uuid(), NOW_MS);
        table.store.settle(&account, vec![settling(&fenced, &refused)]).await.unwrap();
        let stored = table.order(&account, "bot-17").await;
        assert_eq!(stored, refused);
        assert_eq!((&stored.request, &stored.outcome), (&first.request, &first.outcome));
        assert_eq!((stored.generation, stored.placed_generation), (1, 0));
        // The next change is made.
        let change = changing(&stored);
        let seen = Seen::Revision(stored.revision);
        let reserving = [Reserving { record: change.clone(), seen }];
        table.reserve(&account, &reserving).await.unwrap();
        let made =
            change.change_settled(OrderState::Placed, Some(placed("2")), None, uuid(), NOW_MS);
        table.store.settle(&account, vec![settling(&change, &made)]).await.unwrap();
        let stored = table.order(&account, "bot-17").await;
        assert_eq!(stored.request.price.as_ref().unwrap().text(), "61000.0");
        assert_eq!((stored.request.quantity.text(), &stored.outcome), ("0.02", &Some(placed("2"))));
        let live = if exchange == Exchange::Hyperliquid { 2 } else { 0 };
        assert_eq!((stored.generation, stored.placed_generation), (2, live));
        assert_eq!(due(&table, exchange, u64::MAX).await, []);
    }
}

#[tokio::test]
async fn fence_without_a_submission_under_way_writes_nothing() {
    let table = Table::new().await;
    let account = account(Exchange::Aster);
    let sent = table.sent(&account, "bot-17").await;
    let record = sent.settled(OrderState::Placed, Some(placed("1")), uuid(), NOW_MS);
    table.store.settle(&account, vec![settling(&sent, &record)]).await.unwrap();
    assert_eq!(table.store.note_fenced(&account, &record, uuid()).await.unwrap(), record);
    assert_eq!(table.order(&account, "bot-17").await, record);
}

#[tokio::test]
async fn parallel_nonces_are_distinct_and_refuse_earlier_reservations() {
    let table = Table::new().await;
    table.put_wallet().await;
    for exchange in Exchange::ALL {
        let account = account(exchange);
        let clock = table.clock();
        let calls = (0..6).map(|_| table.store.take_trading_nonce(&account, &clock));
        let nonces = join_all(calls).await.into_iter().map(Result::unwrap);
        let nonces: BTreeSet<u64> = nonces.collect();
        let ledger = table.ledger(&account).await;
        assert_eq!((nonces.len(), ledger.rev, Some(&ledger.nonce)), (6, 6, nonces.last()));
        // Cancellations are not counted as orders.
        assert_eq!(ledger.orders_counted(), 0);
        let computed = ledger.clone().with_next_nonce(exchange, NOW_MS * 1_000);
        let taken = table.store.take_trading_nonce(&account, &clock).await.unwrap();
        assert!(taken > ledger.nonce);
        let reserving = [new(&record(&account, "bot-17"))];
        let lost = table.store.reserve(&account, &reserving, &computed, at(NOW_MS)).await;
        assert!(matches!(lost, Err(ReserveLost::Ledger(present)) if present.nonce == taken));
    }
}
