//! Payments: stored once, replaced by revision, due while open, and matched with one entry of an
//! exchange's history.

use domain::ids::Tenant;
use domain::money::{AccountType, AsterWithdraw, Nonces, Payment};
use domain::policy::{Amount, Venue};
use platform::items::{SHARDS, StoreError};
use shared::store::{
    DuePayment, ExpectedCosts, PaymentAccount, PaymentPlace, PaymentRecord, PaymentState,
    SignedPayment,
};

use crate::table::{NOW_MS, Table, WALLET, uuid};

fn account(place: PaymentPlace) -> PaymentAccount {
    PaymentAccount { tenant: Tenant::local(), wallet_id: WALLET, place }
}

fn record(id: &str) -> PaymentRecord {
    let amount = |text| Amount::parse(text).unwrap();
    PaymentRecord {
        schema: 1,
        id: id.parse().unwrap(),
        venue: Venue::Aster,
        fingerprint: "f".to_owned(),
        payment: Payment::AsterWithdraw(AsterWithdraw {
            chain_id: 56,
            asset: "USDT".to_owned(),
            amount: amount("50.000000000000000001"),
            fee: amount("0.00017"),
            account_type: AccountType::Perp,
        }),
        expected: ExpectedCosts {
            fee: amount("0.00017"),
            fee_asset: "USDT".to_owned(),
            chain_id: Some(56),
        },
        state: PaymentState::Accepted,
        revision: uuid(),
        approve_until_s: 1,
        created_at_ms: NOW_MS,
        updated_at_ms: NOW_MS,
        lease_until_ms: NOW_MS + 30_000,
        signed: None,
        exchange_id: None,
        transaction_hash: None,
        fee_taken: None,
        refusal: None,
        next_check_ms: None,
        checks: 0,
        unreported: false,
    }
}

fn signed(record: &PaymentRecord, next_check_ms: u64) -> PaymentRecord {
    PaymentRecord {
        state: PaymentState::Signed,
        revision: uuid(),
        signed: Some(SignedPayment {
            nonces: Nonces::Aster(NOW_MS * 1_000, NOW_MS * 1_000 + 1),
            body: "nonce=1&signature=0x00".to_owned(),
            at_ms: NOW_MS,
            fenced_at_ms: None,
        }),
        next_check_ms: Some(next_check_ms),
        ..record.clone()
    }
}

async fn due(table: &Table, place: PaymentPlace, until_ms: u64) -> Vec<DuePayment> {
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        let page = table.store.due_payments(place, shard, until_ms, None).await.unwrap();
        assert!(page.next.is_none());
        found.extend(page.keys);
    }
    found
}

#[expect(clippy::needless_pass_by_value, reason = "for the result of a call")]
fn is_conflict(result: Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict))
}

#[tokio::test]
async fn payment_is_stored_once_and_replaced_by_revision() {
    let table = Table::new().await;
    let (store, account) = (&table.store, account(PaymentPlace::Aster));
    let first = record("p-1");
    store.put_payment(&account, &first, None).await.unwrap();
    // The SDK's own retry after a lost response is not a conflict.
    store.put_payment(&account, &first, None).await.unwrap();
    assert!(is_conflict(store.put_payment(&account, &record("p-1"), None).await));
    let next = signed(&first, NOW_MS + 5);
    store.put_payment(&account, &next, Some(first.revision)).await.unwrap();
    let late = signed(&first, NOW_MS + 6);
    assert!(is_conflict(store.put_payment(&account, &late, Some(first.revision)).await));
    assert_eq!(store.payment(&account, &first.id).await.unwrap(), Some(next));
    // The same id at another place is another payment.
    let elsewhere = self::account(PaymentPlace::Hyperliquid);
    assert_eq!(store.payment(&elsewhere, &first.id).await.unwrap(), None);
}

#[tokio::test]
async fn open_payment_is_due_until_its_state_is_final() {
    let table = Table::new().await;
    for place in [PaymentPlace::Aster, PaymentPlace::Hyperliquid, PaymentPlace::Evm] {
        let (store, account) = (&table.store, account(place));
        let accepted = record("p-1");
        store.put_payment(&account, &accepted, None).await.unwrap();
        assert_eq!(due(&table, place, u64::MAX).await, []);
        let open = signed(&accepted, NOW_MS + 5);
        store.put_payment(&account, &open, Some(accepted.revision)).await.unwrap();
        assert_eq!(due(&table, place, NOW_MS + 4).await, []);
        let (id, at_ms) = (open.id.clone(), NOW_MS + 5);
        let entry = DuePayment { account: account.clone(), id, at_ms };
        assert_eq!(due(&table, place, NOW_MS + 5).await, [entry]);
        let done =
            PaymentRecord { state: PaymentState::Completed, revision: uuid(), ..open.clone() };
        store.put_payment(&account, &done, Some(open.revision)).await.unwrap();
        assert_eq!(due(&table, place, u64::MAX).await, []);
    }
}

#[tokio::test]
async fn signed_payment_is_never_dropped() {
    let table = Table::new().await;
    let (store, account) = (&table.store, account(PaymentPlace::Evm));
    let refused = record("p-1");
    store.put_payment(&account, &refused, None).await.unwrap();
    let other = PaymentRecord { revision: uuid(), ..refused.clone() };
    assert!(is_conflict(store.drop_payment(&account, &other).await));
    store.drop_payment(&account, &refused).await.unwrap();
    assert_eq!(store.payment(&account, &refused.id).await.unwrap(), None);
    let open = signed(&record("p-2"), NOW_MS);
    store.put_payment(&account, &open, None).await.unwrap();
    assert!(is_conflict(store.drop_payment(&account, &open).await));
    assert_eq!(store.payment(&account, &open.id).await.unwrap(), Some(open));
}

#[tokio::test]
async fn history_entry_belongs_to_one_payment() {
    let table = Table::new().await;
    let (store, account) = (&table.store, account(PaymentPlace::Aster));
    let (one, two) = (signed(&record("p-1"), NOW_MS), signed(&record("p-2"), NOW_MS));
    for open in [&one, &two] {
        store.put_payment(&account, open, None).await.unwrap();
    }
    let sent = |open: &PaymentRecord| PaymentRecord {
        state: PaymentState::Sent,
        revision: uuid(),
        ..open.clone()
    };
    let sent_one = sent(&one);
    store.claim_payment(&account, &sent_one, one.revision, "1014").await.unwrap();
    assert_eq!(store.claim_of(&account, "1014").await.unwrap(), Some(one.id.clone()));
    assert_eq!(store.claim_of(&account, "1015").await.unwrap(), None);
    let claimed = store.claim_payment(&account, &sent(&two), two.revision, "1014").await;
    assert!(is_conflict(claimed));
    assert_eq!(store.payment(&account, &two.id).await.unwrap(), Some(two));
    // The owner claims its entry again with its next state.
    let done =
        PaymentRecord { state: PaymentState::Completed, revision: uuid(), ..sent_one.clone() };
    store.claim_payment(&account, &done, sent_one.revision, "1014").await.unwrap();
    assert_eq!(store.payment(&account, &one.id).await.unwrap(), Some(done));
}
