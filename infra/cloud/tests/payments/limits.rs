//! Destinations, limits, approvals and freezes.

use protocol::{ApprovalRejection, CountedState, LimitScope, PaymentRefusal, Refusal};
use serde_json::json;

use crate::orders::{aster, move_own, order, send, transfer, withdraw};
use crate::stack::{HOUR_MS, Stack, form};
use domain::money::{EvmToken, Payment};

pub(crate) fn exceeded(
    result: Result<impl std::fmt::Debug, PaymentRefusal>,
    scope: LimitScope,
    left: &str,
) {
    match result {
        Err(PaymentRefusal::LimitExceeded { scope: found, left: rest, .. }) => {
            assert_eq!((found, rest.to_string().as_str()), (scope, left));
        }
        other => panic!("expected an exceeded limit: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_payment_is_signed_under_the_policy() {
    let stack = Stack::new().await;
    let payments = [
        withdraw("20"),
        Payment::HyperliquidSendAsset(send("20")),
        move_own("1000000"),
        aster("20", "0.5"),
        Payment::EvmTokenTransfer(transfer("20", 0)),
    ];
    for (place, payment) in payments.into_iter().enumerate() {
        let order = order(&format!("payment-{place}"), payment);
        let sent = stack.pay(&order).await.unwrap();
        // A repeat returns the same bytes.
        assert_eq!(stack.pay(&order).await.unwrap(), sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_to_an_unlisted_destination_is_refused() {
    let stack = Stack::without_policy().await;
    let refused = stack.pay(&order("1", withdraw("20"))).await;
    assert_eq!(refused, Err(PaymentRefusal::DestinationNotAllowed));
    stack.pay(&order("2", move_own("20"))).await.unwrap();
    let stranger = domain::money::HyperliquidSendAsset {
        destination: "0x00000000000000000000000000000000000000aa".parse().unwrap(),
        ..send("1")
    };
    let stack = Stack::new().await;
    let refused = stack.pay(&order("3", Payment::HyperliquidSendAsset(stranger))).await;
    assert_eq!(refused, Err(PaymentRefusal::DestinationNotAllowed));
    // The address is listed on Arbitrum, and not on this chain.
    let mut other = transfer("1", 0);
    other.chain_id = 1;
    other.gas_limit = 21_000;
    other.token = EvmToken::Native;
    other.gas_limit = 100_000;
    let refused = stack.pay(&order("4", Payment::EvmTokenTransfer(other))).await;
    assert_eq!(refused, Err(PaymentRefusal::DestinationNotAllowed));
}

#[tokio::test(flavor = "multi_thread")]
async fn destination_is_refused_until_its_delay_has_passed() {
    let stack = Stack::new().await;
    let address = "0x00000000000000000000000000000000000000aa";
    let destination = json!({
        "venue": "hyperliquid", "address": address, "assets": ["hyperliquid/USDC"], "label": "",
        "perPayment": "10",
    });
    let at_ms = stack.now_ms();
    stack.change(json!({ "type": "addDestination", "destination": destination })).await;
    let payment = |amount: &str| {
        let destination = address.parse().unwrap();
        let sent = domain::money::HyperliquidSendAsset { destination, ..send(amount) };
        Payment::HyperliquidSendAsset(sent)
    };
    let refused = stack.pay(&order("1", payment("5"))).await;
    match refused {
        Err(PaymentRefusal::DestinationNotActive { active_from_ms }) => {
            assert!(active_from_ms >= at_ms + HOUR_MS, "{active_from_ms}");
        }
        other => panic!("expected a destination that is not active: {other:?}"),
    }
    stack.pass_ms(HOUR_MS);
    exceeded(stack.pay(&order("2", payment("10.1"))).await, LimitScope::Payment, "10");
    stack.pay(&order("1", payment("5"))).await.unwrap();
    let removed =
        json!({ "type": "removeDestination", "venue": "hyperliquid", "address": address });
    stack.change(removed).await;
    let refused = stack.pay(&order("3", payment("5"))).await;
    assert_eq!(refused, Err(PaymentRefusal::DestinationNotAllowed));
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_payments_at_the_cap_are_signed_once() {
    let stack = Stack::new().await;
    // With its fee, each takes 60 of 100.
    let orders =
        [order("a", withdraw("59")), order("b", withdraw("59")), order("c", withdraw("59"))];
    let (a, b, c) =
        tokio::join!(stack.pay(&orders[0]), stack.pay(&orders[1]), stack.pay(&orders[2]));
    let results = [a, b, c];
    let signed = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(signed, 1, "{results:?}");
    for result in results.into_iter().filter(Result::is_err) {
        exceeded(result, LimitScope::Wallet, "40");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_of_a_tenant_share_its_limit() {
    let stack = Stack::new().await;
    stack.set_limit("hyperliquid/USDC", ("100", "150"), None).await;
    stack.pass_ms(HOUR_MS);
    let (key, share) = stack.another_wallet(8).await;
    let (one, other) = (order("1", withdraw("79")), order("1", withdraw("79")));
    let (first, second) = tokio::join!(stack.pay(&one), stack.pay_at((&key, &share), &other));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    exceeded(first.and(second), LimitScope::Tenant, "70");
}

#[tokio::test(flavor = "multi_thread")]
async fn stockpiled_payments_count_for_three_days() {
    let stack = Stack::new().await;
    for day in 0..3_u32 {
        let result = stack.pay(&order(&format!("day-{day}"), withdraw("59"))).await;
        if day == 0 {
            result.unwrap();
        } else {
            exceeded(result, LimitScope::Wallet, "40");
        }
        stack.pass_ms(24 * HOUR_MS);
    }
    stack.pass_ms(HOUR_MS);
    stack.pay(&order("later", withdraw("59"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_split_below_approve_above_need_approvals() {
    let stack = Stack::new().await;
    let (key, share) = stack.another_wallet(8).await;
    stack.pay(&order("1", withdraw("44"))).await.unwrap();
    stack.pay_at((&key, &share), &order("2", withdraw("44"))).await.unwrap();
    let small = order("3", withdraw("2"));
    let refused = stack.pay(&small).await;
    let Err(PaymentRefusal::ApprovalRequired { text, threshold: 2 }) = refused else {
        panic!("expected a required approval: {refused:?}")
    };
    assert!(text.contains("\"amount\":\"2\"") && text.contains("\n3\n"), "{text}");

    // One of two approvers, and the same one twice.
    let one = stack.approved(small.clone(), &[0]).await;
    let refused = stack.pay(&one).await;
    assert!(matches!(refused, Err(PaymentRefusal::ApprovalRequired { .. })), "{refused:?}");
    let twice = stack.approved(small.clone(), &[0, 0]).await;
    let name = twice.approvals[0].approver.clone();
    let repeated = (1, name.as_str(), ApprovalRejection::Duplicate);
    assert_rejected(stack.pay(&twice).await, &[repeated]);
    // Another amount after the approval.
    let approved = stack.approved(small.clone(), &[0, 1]).await;
    let mut changed = approved.clone();
    changed.payment = withdraw("20");
    changed.id = "4".parse().unwrap();
    let names: Vec<String> = approved.approvals.iter().map(|it| it.approver.clone()).collect();
    let bad = ApprovalRejection::BadSignature;
    let both = [(0, names[0].as_str(), bad), (1, names[1].as_str(), bad)];
    assert_rejected(stack.pay(&changed).await, &both);
    // The same payment under another id.
    let mut again = approved.clone();
    again.id = "5".parse().unwrap();
    assert_rejected(stack.pay(&again).await, &both);
    // A stranger's approval next to one of the two.
    let mut strange = approved.clone();
    strange.approvals[0].approver = "eve".to_owned();
    let unknown = (0, "eve", ApprovalRejection::UnknownApprover);
    assert_rejected(stack.pay(&strange).await, &[unknown]);
    stack.pay(&approved).await.unwrap();
}

fn assert_rejected(
    result: Result<impl std::fmt::Debug, PaymentRefusal>,
    want: &[(u32, &str, ApprovalRejection)],
) {
    let Err(PaymentRefusal::ApprovalInvalid { text, threshold: 2, rejected }) = result else {
        panic!("expected approvals that do not count: {result:?}")
    };
    assert!(text.starts_with("HyperDEX Keys payment"), "{text}");
    let found: Vec<_> =
        rejected.iter().map(|one| (one.index, one.approver.as_str(), one.reason)).collect();
    assert_eq!(found, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_after_its_time_does_not_count() {
    let stack = Stack::new().await;
    let order = stack.approved(order("1", withdraw("95")), &[0, 1]).await;
    stack.pass_ms(2 * HOUR_MS);
    let names: Vec<String> = order.approvals.iter().map(|it| it.approver.clone()).collect();
    let late = ApprovalRejection::Expired;
    let both = [(0, names[0].as_str(), late), (1, names[1].as_str(), late)];
    assert_rejected(stack.pay(&order).await, &both);
}

#[tokio::test(flavor = "multi_thread")]
async fn freeze_stops_a_payment_between_its_calls() {
    let stack = Stack::new().await;
    let order = order("1", withdraw("20"));
    let prepared = stack.prepare(&order).await.unwrap();
    let digest = form(&order, stack.address(), prepared.nonces).digest(&[]).unwrap();
    let at = (&stack.key, &*stack.share);
    let opened = stack.open(at, &order, (prepared.nonces, 0), digest).await.unwrap();
    stack.change(json!({ "type": "freeze" })).await;
    let finished = stack.finish(&stack.key, &order, opened).await;
    assert_eq!(finished, Err(Refusal::Payment(PaymentRefusal::Frozen)));
    assert_eq!(stack.pay(&order).await, Err(PaymentRefusal::Frozen));
    // Own balances stay where they are as well.
    let own = stack.pay(&crate::orders::order("2", move_own("5"))).await;
    assert_eq!(own, Err(PaymentRefusal::Frozen));

    // The list names what may already be signed.
    let listed = stack.listed(None).await.payments;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id.as_str(), &listed[0].payment), ("1", &order.payment));
    assert_eq!(listed[0].valid_until_ms, Some(listed[0].counted_at_ms + 48 * HOUR_MS));
    assert_eq!(listed[0].state(stack.now_ms()), CountedState::Counted);
}
