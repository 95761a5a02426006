//! Attacks on the approvals of a policy's changes.

use domain::policy::change_text;
use e2e::payments::{DELAY_S, limit, policy, propose};
use protocol::{PaymentRefusal, Refusal};
use serde_json::json;

use super::{STRANGER, Scene, order, payment_refusal, transfer};

/// One approver's key and the endpoint together change nothing, and cannot use up numbers.
#[tokio::test(flavor = "multi_thread")]
async fn one_stolen_approver_changes_nothing() {
    let scene = Scene::open().await;
    let app = &scene.attacker.app;
    let destination = json!({
        "venue": "evm:56", "address": STRANGER, "assets": ["evm:56/USDT"], "label": "",
    });
    let add = json!({ "type": "addDestination", "destination": destination });
    let replace = json!({ "type": "setAuthority", "authority": {
        "threshold": 1, "approvers": [scene.approvers.approver(2)],
    }});
    for change in [&add, &replace, &limit("evm:56/USDT", "1000", None)] {
        // Twice by the same approver.
        let _ = scene.approvers.change(app, change, &[2]).await;
        let _ = scene.approvers.change(app, change, &[2, 2]).await;
    }
    // Without a valid signature nothing enters the chain.
    let before = policy(app).await.seq;
    let mut unsigned = scene.approvers.proposal(app, &add, &[]).await;
    assert!(propose(app, unsigned.clone()).await.is_err());
    unsigned.approvals = vec![scene.approvers.sign(0, "another text")];
    let refused = propose(app, unsigned).await.unwrap_err();
    assert!(matches!(refused, Refusal::PolicyChange(_)), "{refused:?}");
    assert_eq!(policy(app).await.seq, before);
    app.clock.advance_ms(2 * DELAY_S * 1_000);
    let refused = scene.pay(&order("s", transfer(STRANGER, "20", 0))).await.unwrap_err();
    assert_eq!(payment_refusal(refused), PaymentRefusal::DestinationNotAllowed);
    // The honest approvers still can.
    let lower = limit("evm:56/USDT", "1", None);
    scene.approvers.change(app, &lower, &[0]).await.unwrap();
}

/// Approvals of another deployment or tenant, and of an earlier place in the chain.
#[tokio::test(flavor = "multi_thread")]
async fn approvals_from_elsewhere_do_not_count() {
    let (scene, other) = (Scene::open().await, Scene::open().await);
    let app = &scene.attacker.app;
    let raise = limit("evm:56/USDT", "1000", None);
    let mut foreign = scene.approvers.proposal(app, &raise, &[]).await;
    let state = policy(&other.attacker.app).await;
    for (chain_id, tenant, seq) in [
        (state.chain_id.as_str(), "local", foreign.seq),
        (policy(app).await.chain_id.as_str(), "acme", foreign.seq),
        (policy(app).await.chain_id.as_str(), "local", foreign.seq - 1),
    ] {
        let tenant = tenant.parse().unwrap();
        let (prev, change) = (&foreign.prev_hash, &foreign.change);
        let text = change_text(chain_id, &tenant, seq, prev, change, foreign.not_after_s);
        foreign.approvals = [0, 1].map(|place| scene.approvers.sign(place, &text)).to_vec();
        let refused = propose(app, foreign.clone()).await.unwrap_err();
        assert!(matches!(refused, Refusal::PolicyChange(_)), "{refused:?}");
    }
}
