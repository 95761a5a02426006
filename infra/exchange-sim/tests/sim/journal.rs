//! State that survives a restart: snapshots of agents and nonces, and the market's journal.

use exchange_sim::{hyperliquid, journal::BadLine};
use serde_json::{Value, json};

use crate::support::{Clock, START, Wallet, aster::Aster, hyperliquid::Hyperliquid};

fn owner() -> Wallet {
    Wallet::number(1)
}

fn order(price: &str, tif: &str, number: u8) -> Value {
    let order = json!({
        "a": 3, "b": true, "p": price, "s": "0.01", "r": false, "t": {"limit": {"tif": tif}},
        "c": format!("0x{number:032x}"),
    });
    json!({"type": "order", "orders": [order], "grouping": "na"})
}

/// Returns the lines without their order, which is that of a hash table.
fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn restart_keeps_orders_positions_and_executions() {
    let before = Hyperliquid::new();
    before.exchange.deposit(owner().address());
    let mut journal = before.exchange.take_changes();
    for (price, tif, number) in [("59000", "Gtc", 1), ("61000", "Ioc", 2), ("58000", "Gtc", 3)] {
        assert_eq!(before.act(&owner(), &order(price, tif, number)).await, "ok");
        assert!(before.exchange.has_changes());
        journal += &before.exchange.take_changes();
    }
    assert!(before.exchange.set_price("BTC", "58500"));
    journal += &before.exchange.take_changes();
    assert!(!before.exchange.has_changes());

    let clock = Clock::at(START);
    let after = hyperliquid::Exchange::new(hyperliquid::Chain::Mainnet, clock.reader());
    after.restore(&before.exchange.snapshot().unwrap()).unwrap();
    after.restore_market(&journal).unwrap();
    let account = owner().address();
    assert_eq!(after.open_orders_of(account), before.exchange.open_orders_of(account));
    assert_eq!(after.executions(account), before.exchange.executions(account));
    assert_eq!(after.position_of(account, "BTC"), "0.02");
    assert_eq!(sorted(&after.market_snapshot()), sorted(&before.exchange.market_snapshot()));
    // The restored book matches.
    assert!(after.set_price("BTC", "57000"));
    assert_eq!(after.position_of(account, "BTC"), "0.03");
}

#[tokio::test]
async fn whole_state_restores_like_the_journal() {
    let before = Hyperliquid::new();
    before.exchange.deposit(owner().address());
    assert_eq!(before.act(&owner(), &order("59000", "Gtc", 1)).await, "ok");
    let after = Hyperliquid::new();
    after.exchange.restore_market(&before.exchange.market_snapshot()).unwrap();
    let account = owner().address();
    assert_eq!(after.exchange.open_orders_of(account), before.exchange.open_orders_of(account));
}

#[test]
fn foreign_line_is_refused_with_its_number() {
    let hyperliquid = Hyperliquid::new();
    let lines = "{\"k\":\"last/oid\",\"v\":7}\n{\"k\":\"order/1\",\"v\":{\"oid\":1}}\n";
    assert_eq!(hyperliquid.exchange.restore_market(lines), Err(BadLine(2)));
    for line in ["x", "{}", "{\"k\":\"other/1\",\"v\":null}", "{\"k\":\"fill/x\",\"v\":null}"] {
        assert_eq!(hyperliquid.exchange.restore_market(line), Err(BadLine(1)), "{line}");
    }
}

/// A snapshot of a version without trading has a counter of orders, and no journal.
#[test]
fn snapshots_of_earlier_versions_are_accepted() {
    let account = format!("{:#x}", owner().address());
    let hyperliquid = Hyperliquid::new();
    let old = json!({
        "accounts": {account.clone(): {"agents": [], "pending_removal_until": 0}},
        "masters": {}, "replaced": {}, "nonces": {account.clone(): [START]},
        "deposited": [account], "orders": 4,
    });
    hyperliquid.exchange.restore(old.to_string().as_bytes()).unwrap();
    let aster = Aster::new();
    let old = json!({
        "accounts": {account.clone(): {"deposited": true, "agents": []}},
        "users": {}, "nonces": {account: [START]},
    });
    aster.exchange.restore(old.to_string().as_bytes()).unwrap();
}
