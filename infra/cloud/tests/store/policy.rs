//! Changes of trading policies.

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use futures_util::future::join_all;
use shared::store::{PolicyChange, PolicyError, TradingPolicies};
use shared::trading::policy::{Loosening, PolicyFields};
use uuid::Uuid;

use crate::table::{NOW_MS, Table, WALLET};

const DELAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn rate(orders_per_minute: u32) -> PolicyFields {
    PolicyFields { orders_per_minute: Some(orders_per_minute), ..PolicyFields::default() }
}

fn change(wallet_id: Option<Uuid>, fields: PolicyFields, may_loosen: bool) -> PolicyChange {
    PolicyChange { tenant: Tenant::local(), wallet_id, fields, may_loosen, delay_ms: DELAY_MS }
}

async fn apply(
    table: &Table,
    change: &PolicyChange,
) -> Result<(TradingPolicies, Loosening), PolicyError> {
    table.store.change_trading_policy(change, &table.clock(), &Random::system()).await
}

/// Returns the rate in effect.
async fn effective(table: &Table, wallet_id: Option<Uuid>) -> u32 {
    let clock: Clock = table.clock();
    let policies = table.store.trading_policies(&Tenant::local(), wallet_id, &clock).await;
    policies.unwrap().unwrap().effective(clock.now_ms()).orders_per_minute
}

#[tokio::test]
async fn tightening_is_in_effect_at_once() {
    let table = Table::new().await;
    assert_eq!(effective(&table, None).await, 300);
    let (policies, loosening) = apply(&table, &change(None, rate(10), false)).await.unwrap();
    assert_eq!(loosening, Loosening::No);
    assert_eq!(policies.effective(NOW_MS).orders_per_minute, 10);
    assert_eq!(effective(&table, None).await, 10);
}

#[tokio::test]
async fn loosening_waits_and_a_tightening_drops_it() {
    let table = Table::new().await;
    apply(&table, &change(None, rate(10), false)).await.unwrap();
    let refused = apply(&table, &change(None, rate(20), false)).await;
    assert!(matches!(refused, Err(PolicyError::MayNotLoosen)), "{refused:?}");
    let (policies, loosening) = apply(&table, &change(None, rate(20), true)).await.unwrap();
    assert_eq!(loosening, Loosening::Pending);
    assert_eq!(policies.tenant.unwrap().pending.unwrap().from_ms, NOW_MS + DELAY_MS);
    table.pass_ms(DELAY_MS - 1);
    assert_eq!(effective(&table, None).await, 10);
    table.pass_ms(1);
    assert_eq!(effective(&table, None).await, 20);

    apply(&table, &change(None, rate(30), true)).await.unwrap();
    apply(&table, &change(None, rate(5), false)).await.unwrap();
    table.pass_ms(2 * DELAY_MS);
    assert_eq!(effective(&table, None).await, 5);
}

#[tokio::test]
async fn repeated_change_keeps_the_start_and_the_revision() {
    let table = Table::new().await;
    apply(&table, &change(None, rate(10), false)).await.unwrap();
    let (first, _) = apply(&table, &change(None, rate(20), true)).await.unwrap();
    table.pass_ms(DELAY_MS / 2);
    let (repeated, loosening) = apply(&table, &change(None, rate(20), true)).await.unwrap();
    assert_eq!((&repeated, loosening), (&first, Loosening::Pending));
    table.pass_ms(DELAY_MS / 2);
    assert_eq!(effective(&table, None).await, 20);
    let (repeated, loosening) = apply(&table, &change(None, rate(20), false)).await.unwrap();
    assert_eq!((repeated, loosening), (first, Loosening::No));
}

#[tokio::test]
async fn wallet_tightens_single_fields_and_is_compared_with_its_tenant() {
    let table = Table::new().await;
    let missing = apply(&table, &change(Some(WALLET), rate(5), false)).await;
    assert!(matches!(missing, Err(PolicyError::NoWallet)), "{missing:?}");
    let read = table.store.trading_policies(&Tenant::local(), Some(WALLET), &table.clock()).await;
    assert_eq!(read.unwrap(), None);

    table.put_wallet().await;
    apply(&table, &change(None, rate(10), false)).await.unwrap();
    assert_eq!(effective(&table, Some(WALLET)).await, 10);
    apply(&table, &change(Some(WALLET), rate(5), false)).await.unwrap();
    assert_eq!(effective(&table, Some(WALLET)).await, 5);
    assert_eq!(effective(&table, None).await, 10);
    // An empty override inherits the tenant's looser limit, so it waits.
    let empty = change(Some(WALLET), PolicyFields::default(), false);
    assert!(matches!(apply(&table, &empty).await, Err(PolicyError::MayNotLoosen)));
    let reduce = PolicyFields { reduce_only: Some(true), ..rate(5) };
    let (policies, _) = apply(&table, &change(Some(WALLET), reduce, false)).await.unwrap();
    let policy = policies.effective(NOW_MS);
    assert!(policy.reduce_only && policy.orders_per_minute == 5);
}

#[tokio::test]
async fn tenants_tightening_applies_to_a_wallet_with_its_own_limits() {
    let table = Table::new().await;
    table.put_wallet().await;
    // A key that may only tighten stores the limits in effect for a wallet.
    let pinned = PolicyFields { reduce_only: Some(false), ..rate(300) };
    apply(&table, &change(Some(WALLET), pinned, false)).await.unwrap();
    let brake = PolicyFields { reduce_only: Some(true), ..rate(10) };
    apply(&table, &change(None, brake.clone(), false)).await.unwrap();
    let read = table.store.trading_policies(&Tenant::local(), Some(WALLET), &table.clock()).await;
    assert_eq!(read.unwrap().unwrap().effective(NOW_MS), brake.effective());
    // An admin's exception for the wallet waits, and then holds until the tenant is tighter.
    let (policies, waits) = apply(&table, &change(Some(WALLET), rate(50), true)).await.unwrap();
    assert_eq!(waits, Loosening::Pending);
    assert!(policies.effective(NOW_MS + DELAY_MS).reduce_only);
    table.pass_ms(DELAY_MS);
    assert_eq!(effective(&table, Some(WALLET)).await, 50);
    apply(&table, &change(None, PolicyFields { reduce_only: Some(true), ..rate(9) }, false))
        .await
        .unwrap();
    assert_eq!(effective(&table, Some(WALLET)).await, 9);
}

#[tokio::test]
async fn admin_undoes_a_lock_out_at_once_with_what_waited() {
    let table = Table::new().await;
    apply(&table, &change(None, rate(10), true)).await.unwrap();
    apply(&table, &change(None, rate(20), true)).await.unwrap();
    apply(&table, &change(None, rate(10), false)).await.unwrap();
    apply(&table, &change(None, rate(0), false)).await.unwrap();
    assert_eq!(effective(&table, None).await, 0);
    let (policies, undone) = apply(&table, &change(None, rate(10), true)).await.unwrap();
    assert_eq!((undone, effective(&table, None).await), (Loosening::No, 10));
    assert_eq!(policies.tenant.unwrap().pending.unwrap().from_ms, NOW_MS + DELAY_MS);
    table.pass_ms(DELAY_MS);
    assert_eq!(effective(&table, None).await, 20);
}

#[tokio::test]
async fn parallel_changes_are_serialised() {
    let table = Table::new().await;
    let changes: Vec<_> = (1..=4).map(|limit| change(None, rate(limit), false)).collect();
    let outcomes = join_all(changes.iter().map(|change| apply(&table, change))).await;
    let mut made = Vec::new();
    for (change, outcome) in changes.iter().zip(outcomes) {
        match outcome {
            Ok(_) => made.push(change.fields.orders_per_minute.unwrap()),
            // Another change was tighter, or all attempts met other writers.
            Err(PolicyError::MayNotLoosen | PolicyError::Overtaken) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(made.iter().min(), Some(&effective(&table, None).await));
}

/// The record of a wallet is in a partition with sealed keys, from which a policy needs nothing.
#[tokio::test]
async fn wallet_of_another_tenant_or_without_a_record_has_no_policy() {
    let table = Table::new().await;
    table.put_wallet().await;
    let other: Tenant = "acme".parse().unwrap();
    let clock = table.clock();
    let read = |tenant: Tenant, wallet_id| {
        let (store, clock) = (&table.store, &clock);
        async move { store.trading_policies(&tenant, wallet_id, clock).await.unwrap() }
    };
    let none = Some(TradingPolicies::default());
    assert_eq!(read(Tenant::local(), Some(WALLET)).await, none);
    assert_eq!(read(Tenant::local(), None).await, none);
    assert_eq!(read(other.clone(), Some(WALLET)).await, None);
    assert_eq!(read(other, None).await, none);
    assert_eq!(read(Tenant::local(), Some(Uuid::nil())).await, None);
}
