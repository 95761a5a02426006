//! What a counted payment still needs, and what counts.

use domain::money::{HyperliquidSendAsset, HyperliquidWithdraw, Payment};
use domain::policy::Amount;
use protocol::{LimitScope, PaymentRefusal, Refusal};
use serde_json::json;

use crate::limits::exceeded;
use crate::orders::{order, send, transfer, withdraw};
use crate::stack::{Stack, TREASURY, form};

#[tokio::test(flavor = "multi_thread")]
async fn removal_stops_a_counted_payment_between_its_calls() {
    for removal in [
        json!({ "type": "removeDestination", "venue": "evm:42161", "address": TREASURY }),
        json!({ "type": "removeLimit", "asset": "hyperliquid/USDC" }),
    ] {
        let stack = Stack::new().await;
        let order = order("1", withdraw("20"));
        let prepared = stack.prepare(&order).await.unwrap();
        let digest = form(&order, stack.address(), prepared.nonces).digest(&[]).unwrap();
        let at = (&stack.key, &*stack.share);
        let opened = stack.open(at, &order, (prepared.nonces, 0), digest).await.unwrap();
        stack.change(removal).await;
        let finished = stack.finish(&stack.key, &order, opened).await;
        assert!(matches!(finished, Err(Refusal::Payment(_))), "{finished:?}");
        // Another run of it does not begin either.
        let again = stack.pay(&order).await;
        assert!(
            matches!(
                again,
                Err(PaymentRefusal::DestinationNotAllowed | PaymentRefusal::LimitExceeded { .. })
            ),
            "{again:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_payment_is_returned_after_a_removal() {
    let stack = Stack::new().await;
    let order = order("1", withdraw("20"));
    let sent = stack.pay(&order).await.unwrap();
    stack
        .change(json!({ "type": "removeDestination", "venue": "evm:42161", "address": TREASURY }))
        .await;
    assert_eq!(stack.pay(&order).await.unwrap(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn highest_fee_counts_whatever_the_endpoint_states() {
    let stack = Stack::new().await;
    let Payment::HyperliquidWithdraw(payment) = withdraw("59") else { unreachable!() };
    let free = HyperliquidWithdraw { max_fee: Amount::ZERO, ..payment.clone() };
    stack.pay(&order("1", Payment::HyperliquidWithdraw(free))).await.unwrap();
    exceeded(stack.pay(&order("2", withdraw("39.5"))).await, LimitScope::Wallet, "40");
    let amount = "1".parse().unwrap();
    let little = HyperliquidWithdraw { amount, max_fee: Amount::ZERO, ..payment };
    let refused = stack.pay(&order("3", Payment::HyperliquidWithdraw(little))).await;
    assert!(matches!(refused, Err(PaymentRefusal::NotAllowed(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn activation_fee_counts_with_each_payment_to_an_account() {
    let stack = Stack::new().await;
    stack.pay(&order("1", Payment::HyperliquidSendAsset(send("59")))).await.unwrap();
    let rest = HyperliquidSendAsset { amount: "39.5".parse().unwrap(), ..send("1") };
    let above = stack.pay(&order("2", Payment::HyperliquidSendAsset(rest))).await;
    exceeded(above, LimitScope::Wallet, "40");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_fee_of_a_rollup_counts_with_the_gas() {
    let stack = Stack::new().await;
    let destination = json!({ "venue": "evm:8453", "address": TREASURY,
        "assets": ["evm:8453/native"], "label": "" });
    stack.change(json!({ "type": "addDestination", "destination": destination })).await;
    stack.set_limit("evm:8453/native", ("1", "1"), None).await;
    stack.pass_ms(crate::stack::HOUR_MS);
    let mut paid = transfer("0.5", 0);
    (paid.chain_id, paid.token, paid.gas_limit) = (8_453, domain::money::EvmToken::Native, 100_000);
    let prepared = stack.prepare(&order("1", Payment::EvmTokenTransfer(paid))).await.unwrap();
    // 100,000 gas of 0.1 gwei, and the document's extra fee of 0.00005.
    assert_eq!(prepared.charges[0].amount.to_string(), "0.50006");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_approvals_do_not_count() {
    let stack = Stack::new().await;
    let approved = stack.approved(order("1", withdraw("95")), &[0, 1]).await;
    let mut many = approved.clone();
    for number in 0..15 {
        let mut extra = approved.approvals[0].clone();
        extra.approver = format!("a{number}");
        many.approvals.push(extra);
    }
    let refused = stack.pay(&many).await;
    assert!(matches!(refused, Err(PaymentRefusal::ApprovalRequired { .. })), "{refused:?}");
    stack.pay(&approved).await.unwrap();
}
