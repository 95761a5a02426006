//! The whole way of money: a proposal, two approvals, the delay, a withdrawal, a transfer on the
//! chain, and the verification of the log. The guide of payments contains the transcript.

use std::cell::RefCell;

use cosigner::audit::verify::Verifier;
use domain::policy::Change;
use e2e::TestApp;
use e2e::payments::{Approvers, BSC, DELAY_S, Place, TREASURY, Till, limit, policy, propose};
use hyperdex_local::COSIGNER_TABLE;
use protocol::{Answer, Call, PolicyAnswer, PolicyCall, WalletKey};
use serde_json::json;
use shared::aws::LambdaClient;
use shared::mpc::CosignerClient;

use super::USER;

#[tokio::test(flavor = "multi_thread")]
async fn money_leaves_under_a_policy_and_the_log_verifies() {
    let approvers = Approvers::new();
    let app = TestApp::start_with(|options| approvers.install(options)).await;
    let till = Till::open(&app, USER).await;
    let (began_ms, transcript) = (app.clock.now_ms(), RefCell::new(String::new()));
    let say = |what: &str| {
        let line = format!("{:>4} s  {what}", (app.clock.now_ms() - began_ms) / 1_000);
        println!("{line}");
        transcript.borrow_mut().push_str(&format!("{}\n", without_hex(&line)));
    };
    let refused = till.pay(&app, Place::Aster, "before", "20").await;
    assert_eq!(refused.text("/code"), "POLICY_REFUSED", "{refused:?}");
    say(&format!("withdraw without a policy: {} {}", refused.status, refused.text("/reason")));

    let destination = json!({
        "venue": "evm:56", "address": TREASURY, "assets": ["evm:56/USDT"], "label": "Treasury",
    });
    let changes = [
        json!({ "type": "addDestination", "destination": destination }),
        limit("aster/USDT", "1000", None),
        limit("evm:56/USDT", "1000", None),
        limit("evm:56/native", "1", None),
    ];
    for change in changes {
        // One approver proposes, the other approves: two calls, two signatures.
        let mut proposal = approvers.proposal(&app, &change, &[0, 1]).await;
        let second = proposal.approvals.pop().unwrap();
        let seq = proposal.seq;
        let record = propose(&app, proposal).await.unwrap();
        assert_eq!(record.effective_at_ms, None, "{record:?}");
        let key = WalletKey::of_tenant("local".parse().unwrap());
        let cosigner =
            CosignerClient::new(LambdaClient::new(&app.stack.aws()), "cosigner", "story");
        let call = Call::Policy(PolicyCall::Approve { seq, approval: second });
        let answer = cosigner.call(&key, [0; 32], call).await.unwrap();
        assert!(matches!(answer, Answer::Policy(PolicyAnswer::Change(_))));
        let name = Change::parse(&change.to_string()).unwrap().name();
        let approved = seq + 1;
        say(&format!(
            "{name}: proposed by alice (record {seq}), approved by bob (record {approved})"
        ));
    }
    let pending = policy(&app).await;
    say(&format!("policy at record {}, {} changes pending", pending.seq, pending.pending.len()));
    let early = till.pay(&app, Place::Aster, "early", "20").await;
    assert_eq!(early.text("/code"), "POLICY_REFUSED", "{early:?}");
    say(&format!("withdraw during the delay: {} {}", early.status, early.text("/reason")));
    app.clock.advance_ms(DELAY_S * 1_000);

    let made = till.pay(&app, Place::Aster, "withdrawal", "20").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    app.clock.advance_ms(10_000);
    let state = till.state(&app, Place::Aster, made.text("/data/transferId")).await;
    assert_eq!(state.text("/data/state"), "COMPLETED", "{state:?}");
    say(&format!("withdraw 20 USDT from Aster: {}", state.text("/data/state")));
    let made = till.pay(&app, Place::Chain, "transfer", "19.89").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    let treasury = TREASURY.parse().unwrap();
    assert_eq!(app.stack.chains_sim.balance_of(BSC, treasury, "USDT"), "19.89");
    say(&format!("transfer 19.89 USDT to the treasury: {}", made.text("/data/hash")));

    let mut verifier = Verifier::default();
    for item in app.scan(COSIGNER_TABLE).await {
        verifier.item(item);
    }
    let report = verifier.finish();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    // Each signature is listed, and a withdrawal from Aster has two.
    assert_eq!(report.payments.len(), 3, "{:?}", report.payments);
    for payment in &report.payments {
        let text = payment.to_string();
        let (what, why) = text.split_once(", allowed").unwrap();
        say(&format!("audit verify: {what}"));
        say(&format!("  allowed{why}"));
    }
    say(&format!("audit verify: {} records, no fault", report.records));
    let guide = include_str!("../../../../../docs/guides/payments.md");
    let transcript = transcript.take();
    assert!(guide.contains(&transcript), "not in docs/guides/payments.md:\n{transcript}");
}

/// Shortens ids and hashes, which differ from run to run.
fn without_hex(line: &str) -> String {
    let is_end = |letter: char| !letter.is_ascii_alphanumeric();
    let shortened = |piece: &str| {
        let word = piece.trim_end_matches(is_end).trim_start_matches("0x");
        let is_random = word.len() >= 32 && word.bytes().all(|it| it.is_ascii_hexdigit());
        if is_random { piece.replace(word, "…") } else { piece.to_owned() }
    };
    line.split_inclusive(is_end).map(shortened).collect()
}
