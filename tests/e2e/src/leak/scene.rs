//! A stack with one wallet, both of its shares, and the cosigner's log.

use aws_sdk_dynamodb::types::AttributeValue;
use cosigner::audit::verify::Verifier;
use domain::ids::Tenant;
use platform::items::Item;
use protocol::{KeyShare, WalletKey, party_1, party_2};
use serde_json::Value;
use uuid::Uuid;

use super::Party;
use crate::proxy::{Plan, Proxy};
use crate::{TestApp, invariants, shares};

/// The wallet's user.
const USER: &str = "victim";

/// A stack with one wallet.
#[derive(Debug)]
pub struct Scene {
    /// The stack.
    pub app: TestApp,
    /// The network edge of all processes.
    pub proxy: Proxy,
    id: Uuid,
    program: &'static str,
}

#[expect(clippy::expect_used, reason = "a test that cannot go on says so and ends")]
impl Scene {
    /// A new stack. `program` is the test's `party` program.
    pub async fn start(program: &'static str) -> Self {
        let app = TestApp::start().await;
        let id = app.wallet(USER).await.text("/walletId").parse().expect("a wallet's id");
        let proxy = Proxy::start(&app).await;
        Self { app, proxy, id, program }
    }

    /// So many cosigner processes, each with a plan for its remote calls.
    pub async fn cosigners(&self, count: usize, plan: impl Fn() -> Plan) -> Vec<Party> {
        let mut all = Vec::new();
        for _ in 0..count {
            let calls = self.proxy.process_with(plan());
            all.push(Party::cosigner(&self.app, self.program, calls).await);
        }
        all
    }

    /// So many processes of the endpoints, which invoke the cosigner at `lambda`.
    pub async fn endpoints(
        &self,
        count: usize,
        plan: impl Fn() -> Plan,
        lambda: &str,
    ) -> Vec<Party> {
        let mut all = Vec::new();
        for _ in 0..count {
            let calls = self.proxy.process_with(plan());
            all.push(Party::endpoints(&self.app, self.program, calls, lambda).await);
        }
        all
    }

    /// The name of a share version.
    #[must_use]
    pub fn key(&self, key_version: u32) -> WalletKey {
        WalletKey { tenant: Tenant::local(), wallet_id: self.id, key_version }
    }

    /// Party 1's share in use.
    pub async fn own_share(&self) -> KeyShare {
        shares::own(&self.app, USER).await
    }

    /// Party 2's share, which only a test can read next to party 1's.
    pub async fn their_share(&self, version: u32) -> KeyShare {
        shares::theirs(&self.app, self.id, version).await
    }

    /// The cosigner's correlation, which an attacker with party 1 is after.
    pub async fn their_correlation(&self, version: u32) -> Vec<bool> {
        let share = self.their_share(version).await;
        share.party().mul_senders[&party_1()].ote_sender.correlation.clone()
    }

    /// Party 1's correlation, which an attacker with the cosigner is after.
    pub async fn own_correlation(&self) -> Vec<bool> {
        let share = self.own_share().await;
        share.party().mul_senders[&party_2()].ote_sender.correlation.clone()
    }

    /// The wallet's audit entries, oldest first. The whole log has to hold.
    pub async fn entries(&self) -> Vec<Value> {
        let mut verifier = Verifier::default();
        let mut entries = Vec::new();
        for item in self.cosigner_items().await {
            let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
            if text("sk").is_some_and(|sort| sort.starts_with("audit#")) {
                let body = text("body").expect("a record has a body");
                entries.push(serde_json::from_str(body).expect("JSON"));
            }
            verifier.item(item);
        }
        let report = verifier.finish();
        assert_eq!(report.faults, Vec::new(), "the audit log holds");
        entries.sort_by_key(|entry: &Value| entry["seq"].as_u64());
        entries
    }

    async fn cosigner_items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let query = self.app.stack.aws().dynamodb().query();
            let page = query
                .table_name(hyperdex_local::COSIGNER_TABLE)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(
                    ":pk",
                    AttributeValue::S(format!("local#W#{}", self.id)),
                )
                .consistent_read(true)
                .set_exclusive_start_key(from)
                .send()
                .await
                .expect("a page");
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return items;
            }
        }
    }

    /// Whether party 1 has frozen the wallet.
    pub async fn is_frozen(&self) -> bool {
        invariants::view(&self.app, USER).await.wallet.frozen
    }
}

/// Rows whose bits are 0, 1, 0, 1 and so on: an attacker of average luck asks for them in this
/// order, so the count does not depend on chance.
#[must_use]
pub fn alternating(correlation: &[bool]) -> Vec<usize> {
    let with = |bit: bool| {
        let rows = correlation.iter().enumerate().filter(move |(_, it)| **it == bit);
        rows.map(|(row, _)| row)
    };
    with(false).zip(with(true)).flat_map(|(zero, one)| [zero, one]).collect()
}
