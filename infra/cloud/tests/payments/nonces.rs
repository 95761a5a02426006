//! The nonce of an account on a chain: an endpoint cannot lock an account with a transaction that no
//! block can contain.

use domain::money::{EvmFee, EvmToken, EvmTokenTransfer, Payment, Sent};
use domain::policy::Amount;
use protocol::{LimitScope, PaymentOrder, PaymentRefusal};
use serde_json::json;

use crate::limits::exceeded;
use crate::orders::{order, transfer};
use crate::stack::{HOUR_MS, Stack, form};

fn paid(id: &str, transfer: EvmTokenTransfer) -> PaymentOrder {
    order(id, Payment::EvmTokenTransfer(transfer))
}

fn at_price(price: u64, transfer: EvmTokenTransfer) -> EvmTokenTransfer {
    let fee = EvmFee::Dynamic { max_fee_per_gas: price, max_priority_fee_per_gas: 0 };
    EvmTokenTransfer { fee, ..transfer }
}

fn native(amount: &str, account_nonce: u64) -> EvmTokenTransfer {
    let gas_limit = 21_000;
    EvmTokenTransfer { token: EvmToken::Native, gas_limit, ..transfer(amount, account_nonce) }
}

fn cancellation(stack: &Stack, account_nonce: u64) -> EvmTokenTransfer {
    let (destination, amount) = (stack.address(), Amount::ZERO);
    EvmTokenTransfer { destination, amount, ..native("1", account_nonce) }
}

/// Counts a payment, and leaves it without a signature.
async fn counted(stack: &Stack, order: &PaymentOrder) {
    let prepared = stack.prepare(order).await.unwrap();
    let digest = form(order, stack.address(), prepared.nonces).digest(&[]).unwrap();
    let at = (&stack.key, &*stack.share);
    drop(stack.open(at, order, (prepared.nonces, 0), digest).await.unwrap());
}

fn is_not_allowed(result: &Result<Sent, PaymentRefusal>) -> bool {
    matches!(result, Err(PaymentRefusal::NotAllowed(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_that_no_block_can_contain_is_refused() {
    let stack = Stack::new().await;
    let mut little = transfer("1", 0);
    little.gas_limit = 29_999;
    assert!(is_not_allowed(&stack.pay(&paid("1", little)).await));
    let mut little = native("1", 0);
    little.gas_limit = 20_999;
    assert!(is_not_allowed(&stack.pay(&paid("2", little)).await));
    let cheap = at_price(9_999_999, transfer("1", 0));
    assert!(is_not_allowed(&stack.pay(&paid("3", cheap)).await));
    stack.pay(&paid("4", at_price(10_000_000, native("0.1", 0)))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_payment_gives_its_nonce_back_when_it_can_no_longer_be_signed() {
    let stack = Stack::new().await;
    let lost = paid("lost", transfer("5", 7));
    counted(&stack, &lost).await;
    let next = paid("next", transfer("6", 7));
    stack.pass_ms(48 * HOUR_MS - 60_000);
    assert_eq!(stack.pay(&next).await, Err(PaymentRefusal::AccountNonceTaken { nonce: 7 }));
    stack.pass_ms(60_000);
    stack.pay(&next).await.unwrap();
    // The amount of the lost one counts until its time has passed.
    exceeded(stack.pay(&paid("8", transfer("89.1", 8))).await, LimitScope::Wallet, "89");
    assert!(is_not_allowed(&stack.pay(&lost).await));
    // A signed one keeps its nonce.
    stack.pass_ms(48 * HOUR_MS);
    let refused = stack.pay(&paid("other", transfer("6.5", 7))).await;
    assert_eq!(refused, Err(PaymentRefusal::AccountNonceTaken { nonce: 7 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_under_way_does_not_finish_after_the_nonce_is_given_back() {
    let stack = Stack::new().await;
    let lost = paid("lost", transfer("5", 7));
    counted(&stack, &lost).await;
    stack.pass_ms(48 * HOUR_MS - 1_000);
    let prepared = stack.prepare(&lost).await.unwrap();
    let digest = form(&lost, stack.address(), prepared.nonces).digest(&[]).unwrap();
    let at = (&stack.key, &*stack.share);
    let opened = stack.open(at, &lost, (prepared.nonces, 0), digest).await.unwrap();
    stack.pass_ms(1_000);
    stack.pay(&paid("next", transfer("6", 7))).await.unwrap();
    assert!(stack.finish(&stack.key, &lost, opened).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn replacement_with_a_higher_fee_counts_its_gas_alone() {
    let stack = Stack::new().await;
    let stuck = transfer("59", 7);
    let first = stack.pay(&paid("1", stuck.clone())).await.unwrap();
    let raised = at_price(200_000_000, stuck.clone());
    let second = stack.pay(&paid("2", raised.clone())).await.unwrap();
    assert_ne!(first, second);
    // 59 of 100 are counted once, and the gas of both.
    exceeded(stack.pay(&paid("3", transfer("41.1", 8))).await, LimitScope::Wallet, "41");
    // Another amount, receiver or token is another payment.
    for (id, other) in [
        ("4", at_price(300_000_000, transfer("58", 7))),
        ("5", EvmTokenTransfer { token: EvmToken::Native, ..raised.clone() }),
    ] {
        let refused = stack.pay(&paid(id, other)).await;
        assert_eq!(refused, Err(PaymentRefusal::AccountNonceTaken { nonce: 7 }), "{id}");
    }
    // When the amount no longer counts, a replacement counts it again.
    stack.pass_ms(73 * HOUR_MS);
    stack.pay(&paid("6", at_price(300_000_000, stuck))).await.unwrap();
    exceeded(stack.pay(&paid("7", transfer("41.1", 8))).await, LimitScope::Wallet, "41");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_frees_an_account_also_during_a_freeze() {
    let stack = Stack::new().await;
    // More than the account has: no block contains it.
    stack.pay(&paid("1", native("59", 7))).await.unwrap();
    let nothing = stack.pay(&paid("2", cancellation(&stack, 8))).await;
    assert!(is_not_allowed(&nothing), "{nothing:?}");
    let elsewhere = EvmTokenTransfer { amount: Amount::ZERO, ..native("1", 7) };
    assert!(stack.pay(&paid("3", elsewhere)).await.is_err());
    stack.change(json!({ "type": "freeze" })).await;
    stack.pay(&paid("4", cancellation(&stack, 7))).await.unwrap();
    // The same bytes under another id, so that no id can be the only way.
    stack.pay(&paid("5", cancellation(&stack, 7))).await.unwrap();
    let again = stack.pay(&paid("6", native("59", 7))).await;
    assert_eq!(again, Err(PaymentRefusal::Frozen));
}
