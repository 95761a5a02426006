//! The demo's payment: a refusal, signed changes of the policy, their delay, a withdrawal, the money
//! on the chain, and the verification of the log.

use std::time::Duration;

use cosigner::audit::verify::Verifier;
use domain::ids::Tenant;
use domain::intent::HyperliquidChain;
use domain::policy::{Approval, Change, Signature, change_text};
use serde_json::{Value, json};

use super::{Demo, DemoError, failed, send};
use crate::approver::{APPROVER_KEY_FILE, ApproverKey, LOCAL_APPROVER};
use hyperdex_cloud::names::COSIGNER_TABLE;

/// The delay of the demo's changes, in seconds. The default of a deployment is a day.
pub(super) const DELAY_S: u32 = 2;

/// Time between a withdrawal and its payment on the chain, in milliseconds. The real one takes
/// minutes.
const PAYOUT_MS: u64 = 500;

/// How often the demo looks for an outcome, and the time between two looks.
const LOOKS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// How long the demo's approvals count, in seconds.
const VALIDITY_S: u64 = 600;

/// The address that receives money.
const TREASURY: &str = "0x5e9ee1089755c3435139848e47e6635505d5a13a";

/// Returns the chain id of Arbitrum, on which withdrawals from Hyperliquid arrive.
const fn arbitrum(network: HyperliquidChain) -> u64 {
    match network {
        HyperliquidChain::Mainnet => 42_161,
        HyperliquidChain::Testnet => 421_614,
    }
}

const WITHDRAW: &str = "/api/trading/hyperliquid/withdraw";

impl Demo {
    /// Withdraws money from Hyperliquid under a policy that the stack's approver signs.
    pub(super) async fn pay(
        &self,
        wallet: &str,
        network: HyperliquidChain,
    ) -> Result<(), DemoError> {
        let sim = &self.stack.hyperliquid_sim;
        let mut rules = sim.rules();
        rules.money.payout_delay_ms = PAYOUT_MS;
        sim.set_rules(rules);
        let account = wallet.parse().map_err(failed)?;
        if !sim.deposit_amount(account, "", "100") {
            return Err(failed("the simulator refused a deposit"));
        }
        let body = json!({ "walletIdOrAddress": wallet, "destination": TREASURY, "amount": "25" });
        let what = "Withdraw from Hyperliquid. No policy allows it yet.";
        let key = Some("demo-1");
        let refused =
            self.call_with(what, "POST", WITHDRAW, (Some(body.clone()), key), 422).await?;
        if refused["code"] != "POLICY_REFUSED" {
            return Err(failed("another error"));
        }
        let chain_id = arbitrum(network);
        let (venue, asset) = (format!("evm:{chain_id}"), format!("evm:{chain_id}/USDC"));
        let destination = json!({
            "venue": venue, "address": TREASURY, "assets": [asset], "label": "Treasury",
        });
        let what = "List the destination. The approver signs the change with its own key.";
        self.change(what, json!({ "type": "addDestination", "destination": destination })).await?;
        let cap = json!({ "amount": "100", "payments": 5 });
        let limit = json!({ "asset": "hyperliquid/USDC", "wallet": cap, "tenant": cap });
        let what = "Set a limit for 24 hours.";
        self.change(what, json!({ "type": "setLimit", "limit": limit })).await?;
        (self.say)(&format!(
            "\nWait {DELAY_S} seconds. The default delay of a deployment is a day, in which an \
             approver or the operator can cancel the changes."
        ));
        self.until("the changes are not in effect", async || {
            Ok(self.read("/api/policy").await?["data"]["pending"]
                .as_array()
                .is_some_and(Vec::is_empty))
        })
        .await?;
        let what = "Withdraw again. The cosigner signs, because its policy allows the payment.";
        let paid =
            self.call_with(what, "POST", WITHDRAW, (Some(body), Some("demo-2")), 202).await?;
        let id = paid["data"]["transferId"].as_str().unwrap_or_default();
        self.arrives(wallet, id, chain_id).await?;
        self.verify_log().await
    }

    /// Waits for the money of a withdrawal on the chain.
    async fn arrives(&self, wallet: &str, id: &str, chain_id: u64) -> Result<(), DemoError> {
        let path = format!("/api/trading/hyperliquid/transfers/{id}?walletIdOrAddress={wallet}");
        self.until("the withdrawal is not completed", async || {
            Ok(self.read(&path).await?["data"]["state"] == "COMPLETED")
        })
        .await?;
        self.call("Read its state.", "GET", &path, None, 200).await?;
        let treasury = TREASURY.parse().map_err(failed)?;
        let balance = || self.stack.chains_sim.balance_of(chain_id, treasury, "USDC");
        self.until("the money did not arrive", async || Ok(balance() != "0")).await?;
        (self.say)("\nThe money is on the simulated chain.");
        (self.say)(&format!("  chain {chain_id}: {TREASURY} has {} USDC", balance()));
        Ok(())
    }

    /// Submits a change that the stack's approver signs. The text to sign follows from the
    /// approver's own change, as with `hyperdex policy propose`.
    async fn change(&self, what: &str, change: Value) -> Result<(), DemoError> {
        let policy = self.read("/api/policy").await?;
        let text_of = |field: &str| policy["data"][field].as_str().unwrap_or_default().to_owned();
        let (chain_id, previous) = (text_of("chainId"), text_of("headHash"));
        let sequence = policy["data"]["sequence"].as_u64().unwrap_or_default() + 1;
        let not_after = self.clock.now_ms() / 1_000 + VALIDITY_S;
        let typed = Change::parse(&change.to_string()).map_err(failed)?;
        let tenant = Tenant::local();
        let text = change_text(&chain_id, &tenant, sequence, &previous, &typed, not_after);
        let key = ApproverKey::open(&self.data_dir.join(APPROVER_KEY_FILE)).map_err(failed)?;
        let signature = Signature::Der(hex::encode(key.sign(&text).map_err(failed)?));
        let approval = Approval { approver: LOCAL_APPROVER.to_owned(), signature };
        let body = json!({
            "change": change, "sequence": sequence, "previousHash": previous,
            "notAfter": not_after, "approvals": [approval],
        });
        self.call(what, "POST", "/api/policy/changes", Some(body), 201).await.map(drop)
    }

    /// Verifies the cosigner's log, as `hyperdex audit verify` does.
    async fn verify_log(&self) -> Result<(), DemoError> {
        let (mut verifier, mut from) = (Verifier::default(), None);
        loop {
            let scan = self.stack.aws().dynamodb().scan().table_name(COSIGNER_TABLE);
            let scan = scan.consistent_read(true).set_exclusive_start_key(from);
            let page = scan.send().await.map_err(failed)?;
            page.items.unwrap_or_default().into_iter().for_each(|item| verifier.item(item));
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        let report = verifier.finish();
        (self.say)("\nVerify the cosigner's log, as hyperdex audit verify does.");
        for payment in &report.payments {
            (self.say)(&format!("  {payment}"));
        }
        let (records, chains, faults) = (report.records, report.chains, report.faults.len());
        (self.say)(&format!("  {records} records in {chains} chains, {faults} faults"));
        if faults == 0 && report.payments.len() == 1 {
            Ok(())
        } else {
            Err(failed("the log does not verify"))
        }
    }

    /// Reads without printing.
    async fn read(&self, path: &str) -> Result<Value, DemoError> {
        let url = format!("{}{path}", self.stack.api);
        let (status, answer) = send(self.http.get(url).header("x-api-key", "demo")).await?;
        if status.is_success() { Ok(answer) } else { Err(failed(format!("{path}: {status}"))) }
    }

    /// Waits until a condition holds.
    async fn until(
        &self,
        otherwise: &str,
        holds: impl AsyncFn() -> Result<bool, DemoError>,
    ) -> Result<(), DemoError> {
        for _ in 0..LOOKS {
            if holds().await? {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Err(failed(otherwise))
    }
}
