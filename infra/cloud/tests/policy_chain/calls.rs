//! Tests of the calls: rights, repeats and races.

use domain::policy::{ChangeState, GENESIS};
use futures_util::future::join_all;
use protocol::{PolicyCall, PolicyFault, Refusal};
use serde_json::json;

use super::stack::{DAY_MS, PROPOSE, Stack, TREASURY, add, fault};

#[tokio::test]
async fn change_passes_from_proposal_to_effect() {
    let stack = Stack::new().await;
    let before = stack.state().await;
    assert_eq!((before.seq, before.head_hash.as_str()), (0, GENESIS));
    assert!(before.payments_on && before.authority.is_some() && before.chain_id.len() == 32);
    let proposed = stack.propose(add(TREASURY), &["alice"]).await.unwrap();
    assert_eq!((proposed.seq, proposed.threshold), (1, 2));
    assert_eq!(proposed.state, ChangeState::Approving);
    let approval = stack.approval(1, "bob").await;
    let approved = stack.change("approve-policy-change", approval).await.unwrap();
    assert_eq!(approved.state, ChangeState::Waiting);
    let effective_at_ms = approved.effective_at_ms.unwrap();
    assert_eq!(effective_at_ms, stack.now_ms() + DAY_MS);
    let waiting = stack.state().await;
    assert_eq!((waiting.seq, waiting.pending.len()), (2, 1));
    assert_eq!(waiting.destinations[0].active_from_ms, effective_at_ms);
    stack.pass_ms(DAY_MS);
    let done = stack.state().await;
    assert_eq!((done.seq, done.pending.len(), done.destinations.len()), (2, 0, 1));
    assert_eq!(done.chain_id, before.chain_id);
}

#[tokio::test]
async fn repeated_call_returns_the_same_change() {
    let stack = Stack::new().await;
    let proposal = stack.proposal(add(TREASURY), &["alice"]).await;
    let propose = || stack.change(PROPOSE, PolicyCall::Propose(proposal.clone()));
    let first = propose().await.unwrap();
    assert_eq!(propose().await.unwrap(), first);
    let approval = stack.approval(1, "bob").await;
    let approve = || stack.change("approve-policy-change", approval.clone());
    let second = approve().await.unwrap();
    assert_eq!(approve().await.unwrap(), second);
    let freeze = stack.proposal(json!({ "type": "freeze" }), &["carol"]).await;
    let propose = || stack.change(PROPOSE, PolicyCall::Propose(freeze.clone()));
    let third = propose().await.unwrap();
    assert_eq!(third.state, ChangeState::Active);
    assert_eq!(propose().await.unwrap(), third);
    let state = stack.state().await;
    assert!(state.frozen && state.seq == 3);
}

#[tokio::test]
async fn alias_makes_only_its_own_calls() {
    let stack = Stack::new().await;
    let proposal = stack.proposal(add(TREASURY), &["alice", "bob"]).await;
    let propose = PolicyCall::Propose(proposal);
    for alias in ["get-policy", "approve-policy-change", "cancel-policy-change", "sign-message"] {
        let refused = stack.change(alias, propose.clone()).await;
        assert_eq!(refused.unwrap_err(), Refusal::NotAllowed, "{alias}");
    }
    stack.change(PROPOSE, propose).await.unwrap();
    for alias in [PROPOSE, "approve-policy-change", "cancel-policy-change", "get-policy"] {
        let refused = stack.change(alias, PolicyCall::Cancel { seq: 1 }).await;
        assert_eq!(refused.unwrap_err(), Refusal::NotAllowed, "{alias}");
    }
    let cancel = stack.proposal(json!({ "type": "cancel", "seq": 1 }), &["carol"]).await;
    let cancelled = stack.change("cancel-policy-change", PolicyCall::Propose(cancel)).await;
    assert_eq!(cancelled.unwrap().state, ChangeState::Active);
    stack.propose(add(TREASURY), &["alice", "bob"]).await.unwrap();
    assert_eq!(stack.operator_cancels(3).await.unwrap().state, ChangeState::Cancelled);
    let again = stack.operator_cancels(3).await;
    assert_eq!(fault(again), PolicyFault::NotPending { seq: 3 });
    assert!(stack.state().await.pending.is_empty());
}

#[tokio::test]
async fn asset_that_no_payment_uses_is_refused() {
    let stack = Stack::new().await;
    let cap = json!({ "amount": "100", "payments": 10 });
    let limit = |asset: &str| json!({ "type": "setLimit", "limit": { "asset": asset, "wallet": cap, "tenant": cap } });
    let list = |venue: &str, assets: &[&str]| {
        json!({ "type": "addDestination", "destination":
            { "venue": venue, "address": TREASURY, "assets": assets, "label": "" } })
    };
    // Another spelling, another token, a chain that the document lacks, and a venue at which no payment
    // arrives.
    for (change, wrong, usable) in [
        (limit("evm:56/usdt"), "evm:56/usdt", "evm:56/USDT"),
        (limit("hyperliquid/PURR"), "hyperliquid/PURR", "hyperliquid/USDC"),
        (limit("evm:10/USDC"), "evm:10/USDC", "aster/USDT"),
        (list("evm:56", &["evm:56/USDT", "evm:56/DAI"]), "evm:56/DAI", "evm:56/native"),
        (list("aster", &["aster/USDT"]), "aster/USDT", "evm:42161/USDC"),
    ] {
        match fault(stack.propose(change, &["alice", "bob"]).await) {
            PolicyFault::UnknownAsset { asset, known } => {
                assert_eq!(asset.to_string(), wrong);
                assert!(known.iter().any(|known| known.to_string() == usable), "{known:?}");
                assert!(!known.contains(&asset), "{known:?}");
            }
            other => panic!("expected an unknown asset: {other:?}"),
        }
    }
    assert_eq!(stack.state().await.seq, 0);
    stack.propose(limit("aster/USDT"), &["alice", "bob"]).await.unwrap();
    stack.propose(list("evm:56", &["evm:56/native"]), &["alice", "bob"]).await.unwrap();
}

#[tokio::test]
async fn racing_proposals_leave_one_chain() {
    let stack = Stack::new().await;
    let mut proposals = Vec::new();
    for number in 0..20 {
        let address = format!("0x{:040x}", number + 1);
        proposals.push(stack.proposal(add(&address), &["alice", "bob"]).await);
    }
    let racing = proposals.iter().cloned().map(|proposal| {
        let call = PolicyCall::Propose(proposal);
        stack.change(PROPOSE, call)
    });
    let results = join_all(racing).await;
    let won = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 1);
    for lost in results.into_iter().filter(Result::is_err) {
        let wrong = |fault| matches!(fault, PolicyFault::WrongSequence { next_seq: 2, .. });
        assert!(wrong(fault(lost)));
    }
    let state = stack.state().await;
    assert_eq!((state.seq, state.pending.len(), state.destinations.len()), (1, 1, 1));
}

#[tokio::test]
async fn racing_approvals_are_all_kept() {
    let stack = Stack::new().await;
    stack.propose(json!({ "type": "setDelay", "seconds": 7_200 }), &["alice"]).await.unwrap();
    let approvals = [stack.approval(1, "bob").await, stack.approval(1, "carol").await];
    let racing = approvals.map(|call| stack.change("approve-policy-change", call));
    let results = join_all(racing).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let state = stack.state().await;
    assert!(state.pending[0].effective_at_ms.is_some());
    stack.pass_ms(DAY_MS);
    assert_eq!(stack.state().await.delay_s, 7_200);
}

#[tokio::test]
async fn approval_of_another_deployment_is_refused() {
    let (staging, production) = (Stack::new().await, Stack::new().await);
    let proposal = staging.proposal(add(TREASURY), &["alice", "bob"]).await;
    staging.change(PROPOSE, PolicyCall::Propose(proposal.clone())).await.unwrap();
    let refused = production.change(PROPOSE, PolicyCall::Propose(proposal)).await;
    assert_eq!(fault(refused), PolicyFault::BadApproval { approver: "alice".to_owned() });
    assert_eq!(production.state().await.seq, 0);
}
