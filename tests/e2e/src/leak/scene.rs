//! A stack with one wallet, both of its shares, and the cosigner's audit log.

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
    /// The network proxy of all processes.
    pub proxy: Proxy,
    id: Uuid,
    program: &'static str,
}

#[expect(clippy::expect_used, reason = "a failing test panics")]
impl Scene {
    /// Starts a stack. `program` is the test's `party` program.
    pub async fn start(program: &'static str) -> Self {
        let app = TestApp::start().await;
        let id = app.wallet(USER).await.text("/walletId").parse().expect("a wallet's id");
        let proxy = Proxy::start(&app).await;
        Self { app, proxy, id, program }
    }

    /// Starts this many cosigner processes, each with a plan for its remote calls.
    pub async fn cosigners(&self, count: usize, plan: impl Fn() -> Plan) -> Vec<Party> {
        let mut all = Vec::new();
        for _ in 0..count {
            let calls = self.proxy.process_with(plan());
            all.push(Party::cosigner(&self.app, self.program, calls).await);
        }
        all
    }

    /// Starts this many endpoint processes, which invoke the cosigner at `lambda`.
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

    /// Returns the key of a share version.
    #[must_use]
    pub fn key(&self, key_version: u32) -> WalletKey {
        WalletKey { tenant: Tenant::local(), wallet_id: self.id, key_version }
    }

    /// Returns party 1's share in use.
    pub async fn own_share(&self) -> KeyShare {
        shares::party_1(&self.app, USER).await
    }

    /// Returns party 2's share, which only a test can read together with party 1's.
    pub async fn cosigner_share(&self, version: u32) -> KeyShare {
        shares::party_2(&self.app, self.id, version).await
    }

    /// Returns the cosigner's correlation, which an attacker with party 1 tries to learn.
    pub async fn cosigner_correlation(&self, version: u32) -> Vec<bool> {
        let share = self.cosigner_share(version).await;
        share.party().mul_senders[&party_1()].ote_sender.correlation.clone()
    }

    /// Returns party 1's correlation, which an attacker with the cosigner tries to learn.
    pub async fn own_correlation(&self) -> Vec<bool> {
        let share = self.own_share().await;
        share.party().mul_senders[&party_2()].ote_sender.correlation.clone()
    }

    /// Returns the wallet's audit entries, oldest first, and checks that the whole log verifies.
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
        assert_eq!(report.faults, Vec::new(), "the audit log must verify");
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

    /// Returns true if party 1 has frozen the wallet.
    pub async fn is_frozen(&self) -> bool {
        invariants::view(&self.app, USER).await.wallet.frozen
    }
}

/// Returns rows whose bits are 0, 1, 0, 1 and so on. This is the order of an attacker with average
/// luck, so the result does not depend on chance.
#[must_use]
pub fn alternating(correlation: &[bool]) -> Vec<usize> {
    let with = |bit: bool| {
        let rows = correlation.iter().enumerate().filter(move |(_, it)| **it == bit);
        rows.map(|(row, _)| row)
    };
    with(false).zip(with(true)).flat_map(|(zero, one)| [zero, one]).collect()
}
