//! One id always means the same bytes.

use cosigner::audit::verify::Verifier;
use domain::money::{Nonces, Payment, Sent};
use hyperdex_cloud::names::COSIGNER_TABLE;
use protocol::{PaymentRefusal, Refusal};

use crate::orders::{aster, order, transfer, withdraw};
use crate::stack::{HOUR_MS, Stack, form};

#[tokio::test(flavor = "multi_thread")]
async fn crash_after_counting_resumes_and_counts_once() {
    let stack = Stack::new().await;
    let order = order("1", withdraw("59"));
    let prepared = stack.prepare(&order).await.unwrap();
    assert!(!prepared.is_counted);
    let digest = form(&order, stack.address(), prepared.nonces).digest(&[]).unwrap();
    let at = (&stack.key, &*stack.share);
    // The endpoint dies after the answer to call 1.
    drop(stack.open(at, &order, (prepared.nonces, 0), digest).await.unwrap());
    stack.pass_ms(60_000);
    let again = stack.prepare(&order).await.unwrap();
    assert_eq!((again.nonces, again.is_counted), (prepared.nonces, true));
    let sent = stack.pay(&order).await.unwrap();
    let Sent::Hyperliquid(body) = &sent else { panic!("a body") };
    let Nonces::Hyperliquid(nonce) = prepared.nonces else { panic!("a nonce") };
    assert!(body.contains(&format!("\"nonce\":{nonce}")), "{body}");
    // 60 were counted once: 40 are left.
    stack.pay(&crate::orders::order("2", withdraw("29"))).await.unwrap();
    assert_eq!(stack.pay(&order).await.unwrap(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_that_no_longer_counts_is_not_signed() {
    let stack = Stack::new().await;
    let order = order("1", Payment::EvmTokenTransfer(transfer("59", 0)));
    let prepared = stack.prepare(&order).await.unwrap();
    let digest = form(&order, stack.address(), prepared.nonces).digest(&[]).unwrap();
    let at = (&stack.key, &*stack.share);
    drop(stack.open(at, &order, (prepared.nonces, 0), digest).await.unwrap());
    stack.pass_ms(48 * HOUR_MS);
    let refused = stack.pay(&order).await;
    assert!(matches!(refused, Err(PaymentRefusal::NotAllowed(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_id_with_other_content_is_refused() {
    let stack = Stack::new().await;
    stack.pay(&order("1", withdraw("5"))).await.unwrap();
    let refused = stack.pay(&order("1", withdraw("6"))).await;
    assert_eq!(refused, Err(PaymentRefusal::OtherContent));
    let refused = stack.pay(&order("1", aster("5", "0.1"))).await;
    assert_eq!(refused, Err(PaymentRefusal::OtherContent));
}

/// A refused payment leaves its id free, and an id whose payment is begun means one payment only.
#[tokio::test(flavor = "multi_thread")]
async fn id_without_a_counted_payment_may_mean_another_one() {
    let stack = Stack::new().await;
    let (first, second) = (order("1", withdraw("5")), order("1", withdraw("6")));
    let prepared = stack.prepare(&first).await.unwrap();
    stack.prepare(&second).await.unwrap();
    let digest = form(&first, stack.address(), prepared.nonces).digest(&[]).unwrap();
    let at = (&stack.key, &*stack.share);
    let refused = stack.open(at, &first, (prepared.nonces, 0), digest).await.err();
    assert_eq!(refused, Some(PaymentRefusal::PrepareAgain));
    stack.pay(&second).await.unwrap();
    assert_eq!(stack.pay(&first).await, Err(PaymentRefusal::OtherContent));
}

#[tokio::test(flavor = "multi_thread")]
async fn nonce_of_the_endpoint_is_not_signed() {
    let stack = Stack::new().await;
    let order = order("1", withdraw("5"));
    let prepared = stack.prepare(&order).await.unwrap();
    let Nonces::Hyperliquid(nonce) = prepared.nonces else { panic!("a nonce") };
    let own = Nonces::Hyperliquid(nonce + 86_400_000);
    let digest = form(&order, stack.address(), own).digest(&[]).unwrap();
    let at = (&stack.key, &*stack.share);
    let refused = stack.open(at, &order, (own, 0), digest).await.err();
    assert_eq!(refused, Some(PaymentRefusal::PrepareAgain));
    // Uncounted nonces do not wait to be used later.
    stack.pass_ms(11_000);
    let digest = form(&order, stack.address(), prepared.nonces).digest(&[]).unwrap();
    let refused = stack.open(at, &order, (prepared.nonces, 0), digest).await.err();
    assert_eq!(refused, Some(PaymentRefusal::PrepareAgain));
    stack.pay(&order).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn aster_action_has_one_signature_and_one_wrapper() {
    let stack = Stack::new().await;
    let order = order("1", aster("20", "0.5"));
    let at = (&stack.key, &*stack.share);
    let prepared = stack.prepare(&order).await.unwrap();
    let action = form(&order, stack.address(), prepared.nonces).digest(&[]).unwrap();
    // Two runs of the same step.
    let first = stack.open(at, &order, (prepared.nonces, 0), action).await.unwrap();
    let second = stack.open(at, &order, (prepared.nonces, 0), action).await.unwrap();
    stack.finish(&stack.key, &order, first).await.unwrap();
    let lost = stack.finish(&stack.key, &order, second).await;
    assert_eq!(lost, Err(Refusal::Payment(PaymentRefusal::PrepareAgain)));
    // A further signature of the Action cannot be begun.
    let refused = stack.open(at, &order, (prepared.nonces, 0), action).await.err();
    assert_eq!(refused, Some(PaymentRefusal::PrepareAgain));
    // A wrapper with another nonce cannot be begun either.
    let Nonces::Aster(nonce, user_nonce) = prepared.nonces else { panic!("nonces") };
    let other = Nonces::Aster(nonce + 1_000_000, user_nonce);
    let signatures = stack.prepare(&order).await.unwrap().signatures;
    let digest = form(&order, stack.address(), other).digest(&signatures).unwrap();
    let refused = stack.open(at, &order, (other, 1), digest).await.err();
    assert_eq!(refused, Some(PaymentRefusal::PrepareAgain));
    let sent = stack.pay(&order).await.unwrap();
    assert_eq!(stack.pay(&order).await.unwrap(), sent);
    let Sent::Aster(body, _) = sent else { panic!("a body") };
    assert!(body.contains(&format!("userSignature={}", signatures[0].to_hex())), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn account_nonce_belongs_to_one_payment() {
    let stack = Stack::new().await;
    let paid = |id: &str, amount: &str, nonce| {
        order(id, Payment::EvmTokenTransfer(transfer(amount, nonce)))
    };
    let first = stack.pay(&paid("1", "5", 7)).await.unwrap();
    let refused = stack.pay(&paid("2", "6", 7)).await;
    assert_eq!(refused, Err(PaymentRefusal::AccountNonceTaken { nonce: 7 }));
    assert_eq!(stack.pay(&paid("1", "5", 7)).await.unwrap(), first);
    stack.pay(&paid("2b", "6", 8)).await.unwrap();
    // In parallel.
    let (one, other) = (paid("3", "5", 9), paid("4", "6", 9));
    let (one, other) = tokio::join!(stack.pay(&one), stack.pay(&other));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(one.and(other), Err(PaymentRefusal::AccountNonceTaken { nonce: 9 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn message_of_another_payment_does_not_finish() {
    let stack = Stack::new().await;
    let (one, other) = (order("1", withdraw("5")), order("2", withdraw("6")));
    let mut opened = Vec::new();
    for order in [&one, &other] {
        let prepared = stack.prepare(order).await.unwrap();
        let digest = form(order, stack.address(), prepared.nonces).digest(&[]).unwrap();
        let at = (&stack.key, &*stack.share);
        opened.push(stack.open(at, order, (prepared.nonces, 0), digest).await.unwrap());
    }
    // The signature of payment 1 must not become that of payment 2.
    let finished = stack.finish(&stack.key, &other, opened.remove(0)).await;
    assert_eq!(finished, Err(Refusal::NoSession));
    stack.pay(&one).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_log_states_the_policy_of_each_payment() {
    let stack = Stack::new().await;
    stack.pay(&order("1", withdraw("5"))).await.unwrap();
    stack.pay(&order("2", aster("5", "0.1"))).await.unwrap();
    stack.pay(&order("3", withdraw("500"))).await.unwrap_err();
    let mut verifier = Verifier::default();
    let items = stack.db.scan().table_name(COSIGNER_TABLE).send().await.unwrap().items.unwrap();
    items.into_iter().for_each(|item| verifier.item(item));
    let report = verifier.finish();
    assert_eq!(report.faults, []);
    let state = stack.state().await;
    let facts: Vec<_> = report
        .payments
        .iter()
        .map(|payment| {
            let allowed = &payment.allowed.1;
            let under = (allowed.policy_seq, allowed.policy_hash.clone());
            assert_eq!(under, (state.seq, state.head_hash.clone()));
            (allowed.id.as_str(), allowed.destination_change, allowed.limit_changes.clone())
        })
        .collect();
    // The first change lists the chain's destination; changes 3 and 4 set the limits of the
    // exchanges. Aster takes two signatures.
    let want = [("1", Some(1), vec![3]), ("2", None, vec![4]), ("2", None, vec![4])];
    assert_eq!(facts, want);
    let text = report.payments[0].to_string();
    assert!(text.contains("payment 1, HyperliquidWithdraw of 5, allowed by record"), "{text}");
}
