//! Reports of outcomes, from the position of an endpoint with all rights.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::money::Payment;
use hyperdex_cloud::names::COSIGNER_TABLE;
use protocol::{
    Call, CountedState, LimitScope, MAX_REFERENCE, PaymentRefusal, Refusal, ReportedOutcome,
    SettlePayment,
};
use serde_json::json;
use shared::mpc::CosignerError;

use crate::limits::exceeded;
use crate::orders::{move_own, order, transfer, withdraw};
use crate::stack::{HOUR_MS, Stack, form};

impl Stack {
    async fn report(
        &self,
        id: &str,
        outcome: ReportedOutcome,
        reference: Option<&str>,
    ) -> Result<(), Refusal> {
        let reference = reference.map(str::to_owned);
        let report = SettlePayment { id: id.parse().unwrap(), outcome, reference };
        match self.cosigner.call(&self.key, [3; 32], Call::SettlePayment(report)).await {
            Ok(_) => Ok(()),
            Err(CosignerError::Refused(refusal)) => Err(refusal),
            Err(other) => panic!("expected a typed refusal: {other}"),
        }
    }

    /// Returns the items of the list.
    async fn open_items(&self) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self.db.scan().table_name(COSIGNER_TABLE).consistent_read(true);
        let mut items = scan.send().await.unwrap().items.unwrap();
        items.retain(|item| item["sk"].as_s().unwrap().starts_with("payment#"));
        items
    }

    /// Returns when the table drops the items of the list; `None` for a transaction on a chain.
    async fn expiries(&self) -> Vec<Option<AttributeValue>> {
        let mut items = self.open_items().await;
        items.sort_by_key(|item| item["id"].as_s().unwrap().clone());
        items.iter().map(|item| item.get("expiresAtS").cloned()).collect()
    }

    /// Adds an item to the list: a later payment like this one.
    async fn put_like(&self, item: &HashMap<String, AttributeValue>, nth: u64) {
        let mut item = item.clone();
        let counted_at_ms: u64 = item["countedAtMs"].as_n().unwrap().parse().unwrap();
        let (at_ms, id) = (counted_at_ms + nth, format!("later-{nth}"));
        let key = format!("payment#{at_ms:016}#{}#{id}", self.key.wallet_id);
        item.insert("sk".to_owned(), AttributeValue::S(key));
        item.insert("countedAtMs".to_owned(), AttributeValue::N(at_ms.to_string()));
        item.insert("id".to_owned(), AttributeValue::S(id));
        let put = self.db.put_item().table_name(COSIGNER_TABLE).set_item(Some(item));
        put.send().await.unwrap();
    }

    async fn states(&self) -> Vec<(String, CountedState)> {
        let listed = self.listed(None).await.payments;
        listed.iter().map(|it| (it.id.to_string(), it.state(self.now_ms()))).collect()
    }
}

const NOT_SIGNED: Result<(), Refusal> = Err(Refusal::Payment(PaymentRefusal::NotSigned));

#[tokio::test(flavor = "multi_thread")]
async fn report_gives_back_no_counted_amount() {
    let stack = Stack::new().await;
    let order = order("1", withdraw("59"));
    let sent = stack.pay(&order).await.unwrap();
    for outcome in ReportedOutcome::ALL {
        stack.report("1", outcome, Some("0xaa")).await.unwrap();
    }
    stack.pass_ms(2 * HOUR_MS);
    exceeded(stack.pay(&self::order("2", withdraw("59"))).await, LimitScope::Wallet, "40");
    // The signed bytes are returned as before.
    assert_eq!(stack.pay(&order).await.unwrap(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn false_report_hides_no_payment() {
    let stack = Stack::new().await;
    stack.pay(&order("1", withdraw("20"))).await.unwrap();
    stack.pay(&order("2", Payment::EvmTokenTransfer(transfer("5", 7)))).await.unwrap();
    let before = stack.expiries().await;
    // A transaction on a chain stays valid, so it stays listed.
    assert!(before[0].is_some() && before[1].is_none(), "{before:?}");
    stack.report("1", ReportedOutcome::Completed, Some("0xaa")).await.unwrap();
    stack.report("2", ReportedOutcome::Refused, None).await.unwrap();
    stack.change(json!({ "type": "freeze" })).await;
    let reported = [
        ("2".to_owned(), CountedState::ReportedRefused),
        ("1".to_owned(), CountedState::ReportedCompleted),
    ];
    assert_eq!(stack.states().await, reported);
    // The table keeps both for as long as without a report.
    assert_eq!(stack.expiries().await, before);
    // The first report stays, with its time, reference and source.
    let listed = stack.listed(None).await.payments;
    stack.pass_ms(HOUR_MS);
    stack.report("1", ReportedOutcome::Refused, Some("0xbb")).await.unwrap();
    assert_eq!(stack.listed(None).await.payments, listed);
    let report = listed[1].report.clone().unwrap();
    assert_eq!((report.reference.as_deref(), report.by.as_str()), (Some("0xaa"), "local"));
    assert_eq!(report.at_ms, stack.now_ms() - HOUR_MS);
}

#[tokio::test(flavor = "multi_thread")]
async fn report_of_an_unsigned_payment_is_refused() {
    let stack = Stack::new().await;
    assert_eq!(stack.report("1", ReportedOutcome::Completed, None).await, NOT_SIGNED);
    let order = order("1", withdraw("20"));
    let prepared = stack.prepare(&order).await.unwrap();
    assert_eq!(stack.report("1", ReportedOutcome::Completed, None).await, NOT_SIGNED);
    // Counted, and not signed yet.
    let digest = form(&order, stack.address(), prepared.nonces).digest(&[]).unwrap();
    let at = (&stack.key, &*stack.share);
    let opened = stack.open(at, &order, (prepared.nonces, 0), digest).await.unwrap();
    assert_eq!(stack.report("1", ReportedOutcome::Completed, None).await, NOT_SIGNED);
    stack.finish(&stack.key, &order, opened).await.unwrap();
    assert_eq!(stack.states().await, [("1".to_owned(), CountedState::Signed)]);
    for strange in ["0xaa\n", "a b", "n\u{e4}h", &"a".repeat(MAX_REFERENCE + 1)] {
        let refused = stack.report("1", ReportedOutcome::Completed, Some(strange)).await;
        assert_eq!(refused, Err(Refusal::Malformed), "{strange}");
    }
    // A payment that is not listed.
    stack.pay(&self::order("2", move_own("5"))).await.unwrap();
    stack.report("2", ReportedOutcome::Completed, None).await.unwrap();
    assert_eq!(stack.states().await.len(), 1);
    // After its time, it can no longer be executed.
    stack.pass_ms(49 * HOUR_MS);
    assert_eq!(stack.states().await, [("1".to_owned(), CountedState::Expired)]);
}

/// A large number of small payments pushes no payment out of the list.
#[tokio::test(flavor = "multi_thread")]
async fn list_has_all_payments_in_pages() {
    let stack = Stack::new().await;
    stack.pay(&order("the-first", withdraw("20"))).await.unwrap();
    // The items of counted payments, as 250 more of them leave them behind.
    let like = stack.open_items().await.remove(0);
    for nth in 1..=250_u64 {
        stack.put_like(&like, nth).await;
    }
    let (mut ids, mut from, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = stack.listed(from).await;
        ids.extend(page.payments.iter().map(|it| it.id.to_string()));
        pages += 1;
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    assert_eq!((ids.len(), pages), (251, 3));
    assert_eq!(ids.last().unwrap(), "the-first");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 251);
    let long = "0".repeat(200);
    for strange in [long.as_str(), "n\u{e4}h"] {
        let key = protocol::WalletKey::of_tenant(stack.key.tenant.clone());
        let call = Call::ListPayments { from: Some(strange.to_owned()) };
        let answer = stack.cosigner.call(&key, [2; 32], call).await;
        assert!(matches!(answer, Err(CosignerError::Refused(Refusal::Malformed))));
    }
}
